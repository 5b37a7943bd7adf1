"""What a method is.

Every method is a LightningModule that is fitted by ``Trainer.fit`` and asked for ``anomaly_map``. There are two ways to be
fitted:

* by gradients: subclass ``Method``, write ``training_step`` and ``configure_optimizers`` as in any Lightning module;
* in closed form: subclass ``FittedMethod``, write ``observe`` (takes in a batch of training images) and ``fit`` (called once,
  after the last batch). Keep what was fitted in registered buffers, so that it lands in the checkpoint.

Either way ``validation_step`` may be written: Lightning runs it on the held-out good images after each epoch, after ``fit``. Such
a method gets no promise of a false-alarm rate: its scores of held-out images are not like those of images that it has not seen.
Learning-rate schedules are returned by ``configure_optimizers``, and stepped for methods with manual optimisation too.
Random numbers come from torch's global generator, which the runner seeds for the method alone. A method knows tensors, not
files: what it has to show it returns from ``pictures``. What is promised here is checked in every run
(`benchmarks/run/contract_check.py`).
"""

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor


class MethodError(Exception):
    """Input or training state with which a method cannot go on (NaN loss, no match, unusable weights). Shown to the user."""


class Method(pl.LightningModule):
    """Base of all methods: images in, anomaly maps out.

    Images are float32 in [0, 1], (B, 1, H, W) gray or (B, 3, H, W) RGB, not normalised, in training and in `anomaly_map` alike.
    """

    def anomaly_map(self, images_BCHW: Tensor) -> Tensor:
        """Anomaly maps of shape (B, H, W), float32, higher = more anomalous, of the images' own height and width.

        The map of an image must not depend on the other images of its batch.
        """
        raise NotImplementedError(f"{type(self).__name__} must write anomaly_map(images_BCHW) -> maps_BHW")

    def map_and_score(self, images_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Optional: maps as above, and for each image a score of the method's own, (B,), float32, higher = more anomalous.

        Where it is written, it is called in place of `anomaly_map`.
        """
        raise NotImplementedError(f"{type(self).__name__} has no image score of its own")

    @classmethod
    def has_own_score(cls) -> bool:
        """Whether the method writes `map_and_score`."""
        return cls.map_and_score is not Method.map_and_score

    @classmethod
    def sees_held_out(cls) -> bool:
        """Whether the method itself uses the held-out images: it writes `validation_step`."""
        return cls.validation_step is not pl.LightningModule.validation_step

    def predict_step(self, batch: Tensor, batch_idx: int = 0) -> Tensor | tuple[Tensor, Tensor]:
        with torch.autocast(self.device.type, enabled=False):  # maps are made in float32, whatever training was done in
            return self.map_and_score(batch) if self.has_own_score() else self.anomaly_map(batch)

    def facts(self) -> dict[str, str | int | float]:
        """What the run's record should say beside the numbers, such as `{"weights": "random"}`; `warning` is logged and shown."""
        return {}

    def pictures(self) -> dict[str, Tensor]:
        """Images (N, C, H, W) in [0, 1], by name, that show how training goes: the runner keeps them after each epoch."""
        return {}


class SampleMethod(Method):
    """Base of methods for samples without regions, such as rows of a table or digits: one score each, no map.

    Samples are rows (B, D) or pictures (B, 1, H, W).
    """

    def anomaly_score(self, samples: Tensor) -> Tensor:
        """Anomaly scores (B,), float32, higher = more anomalous. A sample's score must not depend on the others of its batch."""
        raise NotImplementedError(f"{type(self).__name__} must write anomaly_score(samples) -> scores_B")

    def predict_step(self, batch: Tensor, batch_idx: int = 0) -> Tensor:
        with torch.autocast(self.device.type, enabled=False):
            return self.anomaly_score(batch)


class FittedMethod(Method):
    """A method that is fitted in closed form, through the same ``Trainer.fit`` (with ``max_epochs`` and
    ``check_val_every_n_epoch`` = `passes`).

    Attributes:
        passes: how often `observe` sees every training image; ``current_epoch`` is the pass, from 0.
        training_images: how many there are, known before the first is observed.
    """

    passes = 1
    training_images: int

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False

    def on_train_start(self) -> None:
        self.training_images = len(self.trainer.train_dataloader.dataset)  # type: ignore[union-attr]

    def observe(self, images_BCHW: Tensor) -> None:
        """Take in one batch of training images, unaugmented, each image once in a pass."""
        raise NotImplementedError(f"{type(self).__name__} must write observe(images_BCHW)")

    def fit(self) -> None:
        """Compute the fitted buffers from what was observed, and let go of the rest. Called once, after the last pass."""
        raise NotImplementedError(f"{type(self).__name__} must write fit()")

    def configure_optimizers(self) -> None:
        return None

    def training_step(self, batch: Tensor, batch_idx: int = 0) -> None:
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):  # float32, as maps are made
            self.observe(batch)
            if self.trainer.is_last_batch and self.current_epoch == self.passes - 1:
                self.fit()  # before Lightning's validation loop, which may calibrate on held-out images

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *args: Any) -> None:
        """Give buffers the shapes of the saved ones first: before `fit` nobody knows them."""
        for name, buffer in self.named_buffers(recurse=False):
            saved = state_dict.get(prefix + name)
            if saved is not None and saved.shape != buffer.shape:
                setattr(self, name, torch.empty_like(saved, device=buffer.device))
        super()._load_from_state_dict(state_dict, prefix, *args)
