"""What the runner does while a method is trained: learning-rate schedules, and the pictures that a method shows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from PIL import Image
from pytorch_lightning.loggers.logger import DummyLogger
from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler, StepLR
from torch.utils.data import DataLoader

from benchmarks.run.callbacks import LossNeeded, Pictures, Schedules
from methods.contract import Method, MethodError

pytestmark = pytest.mark.filterwarnings("ignore")


class OneWeight(Method):
    """Follows the mean of its images; notes the learning rate of each step."""

    def __init__(self, automatic: bool, interval: str = "epoch") -> None:
        super().__init__()
        self.automatic_optimization, self.interval = automatic, interval
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.rates: list[float] = []

    def training_step(self, batch: Tensor, batch_idx: int = 0) -> Tensor:
        loss = (batch.mean() - self.weight).square()
        optimizer: Any = self.optimizers()
        self.rates.append(optimizer.param_groups[0]["lr"])
        if not self.automatic_optimization:
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD([self.weight], 1.0)
        scheduler: LRScheduler = StepLR(optimizer, 1, 0.5)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": self.interval}}

    def pictures(self) -> dict[str, Tensor]:
        return {"weight": torch.full((9, 1, 4, 4), 0.1 * (self.current_epoch + 1))}


def fit(method: Method, folder: Path, logger: Any = False) -> None:
    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=3, logger=logger, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=[LossNeeded(), Schedules(), Pictures(folder)],
    )  # fmt: skip
    trainer.fit(method, DataLoader(torch.rand(4, 1, 2, 2), 2))  # type: ignore[arg-type]


class Forgetful(OneWeight):
    """Ends without `return loss`."""

    def training_step(self, batch: Tensor, batch_idx: int = 0) -> None:  # type: ignore[override]
        super().training_step(batch)


def test_a_step_that_returns_no_loss_is_refused_where_lightning_would_train_by_it(tmp_path: Path) -> None:
    with pytest.raises(MethodError, match=r"Forgetful\.training_step returned no loss"):
        fit(Forgetful(automatic=True), tmp_path)
    fit(Forgetful(automatic=False), tmp_path)


@pytest.mark.parametrize("automatic", [True, False], ids=["automatic", "manual"])
@pytest.mark.parametrize(
    ("interval", "halvings"), [("epoch", [0, 0, 1, 1, 2, 2]), ("step", [0, 1, 2, 3, 4, 5])], ids=["epoch", "step"]
)
def test_schedules_step_however_a_method_optimises(
    automatic: bool, interval: str, halvings: list[int], tmp_path: Path
) -> None:
    method = OneWeight(automatic, interval)
    fit(method, tmp_path)
    assert method.rates == [0.5**count for count in halvings]


class Board(DummyLogger):
    """A logger whose experiment takes images, as TensorBoard's does."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[tuple[str, float, int]] = []

    @property
    def experiment(self) -> Any:
        return self

    def add_images(self, tag: str, images_NCHW: Tensor, epoch: int) -> None:
        self.shown.append((tag, round(images_NCHW.mean().item(), 3), epoch))


def test_pictures_go_to_a_logger_that_can_show_them(tmp_path: Path) -> None:
    board = Board()
    fit(OneWeight(True), tmp_path / "logs", board)
    assert board.shown == [("weight", 0.1, 0), ("weight", 0.2, 1), ("weight", 0.3, 2)]
    assert not (tmp_path / "logs").exists()


def test_else_the_last_ones_are_files(tmp_path: Path) -> None:
    fit(OneWeight(True), tmp_path / "logs")
    with Image.open(tmp_path / "logs" / "weight.png") as file:
        shown = np.asarray(file)
    step = 4 + 2  # eight images a row, two pixels of frame between
    assert shown.shape == (2 * step + 2, 8 * step + 2, 3)
    np.testing.assert_allclose(shown[2:6, 2:6] / 255, 0.3, atol=1 / 255)
