"""One category as Lightning data: training batches (augmented, or each image once), held-out good images, test images."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader

from benchmarks.common.errors import UserError
from benchmarks.common.seeding import stream
from benchmarks.data.augmentation import Augmentation, draw_views, render
from benchmarks.data.cache import Decoding, load_images
from benchmarks.data.datasets import AugmentedViews, Images, ViewBatch, batches, to_float
from benchmarks.data.images import Colour, Fit
from benchmarks.data.index import ImageFile
from benchmarks.data.order import OrderedData
from benchmarks.data.split import Fold, draw, fold_split, split

RESIDENT_SHARE = 0.25  # of the free GPU memory that training images may take
VIEWS_AT_ONCE = 8  # that a CPU renders: intermediate results that outgrow its cache double the time


@dataclass(frozen=True)
class Input:
    """What a method wants to see of an image (`inputs` in `conf/method`)."""

    px: int | None
    """Side to which images are resized; None keeps the original size."""
    colour: Colour
    patch: int | None = None
    """Side of the training patches; None trains on whole images."""
    resample: str = "bilinear"
    fit: Fit = "squash"
    """How images that are not square get there."""
    bits: int | None = None
    """Of 16-bit gray files, how many are used; None takes all."""


@dataclass(frozen=True)
class Training:
    """What a method is fitted to (`train` in `conf/method`)."""

    batch_size: int
    epochs: int | None = None
    """None fits in closed form, to the images in the order of their files."""
    images: int | None = None
    """Random subset of the good training images; None takes all."""
    samples: int | None = None
    """Number of augmented samples in an epoch; None shows each image once, as it is, in a new order in each epoch."""


class DefectData(OrderedData):
    """Batches of one category's good training images. A method that is fitted to them finds no test image here.

    Args:
        train: the good training images, fitted to and held out.
        fold: which of them are held out; None: a share, drawn with the seed.
    """

    def __init__(
        self,
        train: Sequence[ImageFile],
        input: Input,
        training: Training,
        augmentation: Augmentation,
        *,
        validation_share: float,
        predict_batch_size: int,
        seed: int,
        cache_dir: Path | None,
        fold: Fold | None = None,
    ) -> None:
        super().__init__(seed)
        self.train, self.input, self.training, self.augmentation = train, input, training, augmentation
        self.predict_batch_size, self.cache_dir = predict_batch_size, cache_dir
        fit_part, self.validation_files = (
            split(train, validation_share, seed) if fold is None else fold_split(train, fold, seed)
        )
        self.fit_files = draw(fit_part, training.images, seed)

    @cached_property
    def decoding(self) -> Decoding:
        """Size and colour, settled by the training images alone."""
        seen = self.input
        return Decoding.for_category(self.train, seen.px, seen.colour, seen.resample, seen.fit, seen.bits)

    def read(self, other: "DefectData | None" = None) -> None:
        """Read the good training images: those to fit to and those held out.

        Left to Lightning, an image that cannot be read would leave torch's loaders patched for all later cells.

        Args:
            other: another fold of the same images, from which they are taken: K folds share one array.

        Raises:
            UserError: an image cannot be used.
        """
        source = other or self
        self.decoding, self._train_pixels = source.decoding, source._train_pixels

    def train_dataloader(self) -> DataLoader[Any]:
        """Float images (B, C, H, W), or augmented views that `on_after_batch_transfer` renders on the device."""
        pixels, chosen, order = self._train_pixels, self._places(self.fit_files), self.order()
        if self.training.samples is None:
            trained = self.training.epochs is not None
            return batches(Images(pixels, chosen), self.training.batch_size, order if trained else None)
        patch, rng = self.input.patch, stream(self.seed, "augmentation")
        views = draw_views(self.augmentation, self.training.samples, len(chosen), self._size, patch, rng)
        views = replace(views, image_N=chosen[views.image_N])
        return batches(AugmentedViews(self._near_the_network(pixels), views, patch), self.training.batch_size, order)

    def val_dataloader(self) -> DataLoader[Any]:
        """Held-out good images, whole and unaugmented."""
        return self.loader(self.validation_files)

    def test_dataloader(self) -> DataLoader[Any]:
        raise UserError("Test images are opened for scoring alone: no method may see them while it is fitted.")

    def loader(self, files: Sequence[ImageFile], skip: int = 0, batch_size: int | None = None) -> DataLoader[Any]:
        """Any images but the first `skip`, opened now, as a method sees them in prediction, in their order.

        Args:
            batch_size: None for that of prediction.
        """
        if set(files) <= set(self.train):
            pixels, chosen = self._train_pixels, self._places(files)
        else:
            pixels = load_images(files, self.decoding, self.cache_dir)
            chosen = np.arange(len(files))
        return batches(Images(pixels, chosen[skip:]), batch_size or self.predict_batch_size)

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Render augmented views on the device."""
        if not isinstance(batch, ViewBatch):
            return batch
        pixels_BHWC, place_B23 = batch
        size = (self.input.patch, self.input.patch) if self.input.patch else self._size
        views_BCHW = torch.empty(len(place_B23), pixels_BHWC.shape[-1], *size, device=pixels_BHWC.device)
        at_once = VIEWS_AT_ONCE if pixels_BHWC.device.type == "cpu" else len(views_BCHW)
        parts = zip(*(torch.split(whole, at_once) for whole in (views_BCHW, pixels_BHWC, place_B23)), strict=True)
        for views, pixels, place in parts:
            views.copy_(render(to_float(pixels), place, size, self.augmentation.border))
        return views_BCHW

    def _near_the_network(self, pixels_NHWC: NDArray[np.uint8]) -> Tensor:
        """The pixels on the GPU that trains, unless they would fill it: then, or without one, where they are."""
        on_host = torch.from_numpy(pixels_NHWC)
        device = self.trainer.strategy.root_device if self.trainer else on_host.device
        if device.type != "cuda" or on_host.nbytes > RESIDENT_SHARE * torch.cuda.mem_get_info(device)[0]:
            return on_host
        return on_host.to(device)

    @cached_property
    def _train_pixels(self) -> NDArray[np.uint8]:
        """Of all good training images, whatever the seed draws of them: so the seeds share one file in the cache."""
        return load_images(self.train, self.decoding, self.cache_dir)

    def _places(self, files: Sequence[ImageFile]) -> NDArray[np.int64]:
        """Where images lie among all good training images."""
        places = {image: place for place, image in enumerate(self.train)}
        return np.array([places[image] for image in files], dtype=np.int64)

    @property
    def _size(self) -> tuple[int, int]:
        return self.decoding.height, self.decoding.width
