"""What the runner does for every method while Lightning trains it."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from torchvision.utils import save_image

from methods.contract import Method, MethodError


class Schedules(pl.Callback):
    """Steps the learning-rate schedules of methods with manual optimisation; for the others Lightning does it."""

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        self._step(trainer, pl_module, "step", trainer.global_step)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._step(trainer, pl_module, "epoch", trainer.current_epoch + 1)

    @staticmethod
    def _step(trainer: pl.Trainer, pl_module: pl.LightningModule, interval: str, done: int) -> None:
        if pl_module.automatic_optimization:
            return
        for schedule in trainer.lr_scheduler_configs:
            if schedule.interval == interval and done % schedule.frequency == 0:
                metric = trainer.callback_metrics[schedule.monitor] if schedule.monitor else None
                pl_module.lr_scheduler_step(schedule.scheduler, metric)


class LossNeeded(pl.Callback):
    """Lightning passes over a training step that returns nothing, and says so to nobody: the network would stay untrained."""

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, *_: Any) -> None:
        if pl_module.automatic_optimization and not outputs:
            name = type(pl_module).__name__
            raise MethodError(f"{name}.training_step returned no loss. Does it end without `return loss`?")


class Pictures(pl.Callback):
    """Keeps what a method has to show after each epoch: in a logger that takes images, else the last ones as files in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Method)
        experiments = [getattr(logger, "experiment", None) for logger in trainer.loggers]
        takers: list[Any] = [
            experiment for experiment in experiments if hasattr(experiment, "add_images")
        ]  # TensorBoard's
        for name, images_NCHW in pl_module.pictures().items():
            for experiment in takers:
                experiment.add_images(name, images_NCHW, trainer.current_epoch)
            if not takers:
                self.folder.mkdir(parents=True, exist_ok=True)
                save_image(images_NCHW, self.folder / f"{name}.png")
