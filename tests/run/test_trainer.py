"""Passes of a method that is fitted in closed form, as the runner's trainer drives them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from benchmarks.run.trainer import TimeLeft, trainer_for
from methods.contract import FittedMethod
from tests.conftest import compose


class TwoPasses(FittedMethod):
    """Mean, then sum of absolute deviations from it; writes down what it is called with."""

    passes = 2

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[object, ...]] = []
        self.register_buffer("mean", torch.zeros(()))

    def observe(self, images_BCHW: Tensor) -> None:
        self.calls.append((self.current_epoch, self.training_images, images_BCHW[:, 0, 0, 0].tolist()))
        if self.current_epoch == 0:
            self.mean += images_BCHW.sum() / self.training_images

    def fit(self) -> None:
        self.calls.append(("fit", self.mean.item()))

    def validation_step(self, batch: Tensor, batch_idx: int = 0) -> None:
        self.calls.append(("validate", len(batch)))


def test_every_image_is_seen_once_a_pass_then_fitted_then_validated(tmp_path: Path) -> None:
    images = list(torch.arange(5.0).view(5, 1, 1, 1))
    train, held_out = (DataLoader(part, batch_size=3) for part in (images, images[:2]))  # type: ignore[arg-type]
    config = compose("trainer=cpu", "logger=none", "progress=false")
    method = TwoPasses()
    trainer_for(config, method, tmp_path, []).fit(method, train, held_out)
    one_pass = [[0.0, 1.0, 2.0], [3.0, 4.0]]
    seen = [(a_pass, 5, batch) for a_pass in (0, 1) for batch in one_pass]
    assert method.calls == [*seen, ("fit", 2.0), ("validate", 2)]


def test_what_is_fitted_in_closed_form_is_fitted_in_float32(tmp_path: Path) -> None:
    """Maps are made in float32: statistics of features in bfloat16 would not fit them."""
    products: list[torch.dtype] = []

    class Product(TwoPasses):
        passes = 1

        def observe(self, images_BCHW: Tensor) -> None:
            products.append((images_BCHW[:, 0] @ images_BCHW[:, 0]).dtype)

    config = compose("trainer=cpu", "trainer.precision=bf16-mixed", "logger=none", "progress=false")
    method = Product()
    trainer_for(config, method, tmp_path, []).fit(method, DataLoader(list(torch.ones(2, 1, 1, 1)), batch_size=2))  # type: ignore[arg-type]
    assert products == [torch.float32]


def test_after_ten_seconds_of_silence_something_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = [0.0]
    monkeypatch.setattr("benchmarks.run.trainer.time.perf_counter", lambda: now[0])
    trainer: Any = SimpleNamespace(
        current_epoch=0, max_epochs=4, num_training_batches=20, num_predict_batches=[9], progress_bar_callback=None
    )
    caplog.set_level("INFO", "benchmarks")
    said, module = TimeLeft(), Any
    said.on_train_start(trainer, module)
    for batch in range(20):
        now[0] += 2
        said.on_train_batch_end(trainer, module, None, None, batch)
    trainer.current_epoch = 2  # resumed: two of four epochs were done by another process
    said.on_train_start(trainer, module)
    now[0] += 30
    said.on_train_epoch_end(trainer, module)
    trainer.current_epoch = 0
    said.on_predict_start(trainer, module)
    now[0] += 11
    said.on_predict_batch_end(trainer, module, None, None, 4, 0)
    assert caplog.messages == [
        *(f"epoch 1 of 4: batch {batch} of 20" for batch in (6, 12, 18)),
        "epoch 3 of 4, about 0:00:30 left",
        "scored 5 of 9 batches of images",
    ]
