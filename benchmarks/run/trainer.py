"""The Lightning trainer of a run, the same for every benchmark."""

import logging
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf

from benchmarks.common.errors import UserError
from benchmarks.common.logs import quieten_lightning
from benchmarks.run.callbacks import LossNeeded, Pictures, Schedules
from benchmarks.run.loggers import loggers_of
from benchmarks.run.state import KeepState
from benchmarks.store.record import LOGS
from methods.contract import FittedMethod, Method

log = logging.getLogger(__name__)

SECONDS_BETWEEN = 10


class Bar(pl.callbacks.RichProgressBar):
    """Lightning's progress bar, which counts epochs from one."""

    def _get_train_description(self, current_epoch: int) -> str:
        last = self.trainer.max_epochs
        return f"Epoch {current_epoch + 1}" + (f"/{last}" if last else "")


class TimeLeft(pl.Callback):
    """Says how far training and scoring are, at most every ten seconds: Lightning's bars know only the epoch."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.start = self.said = time.perf_counter()
        self.first = trainer.current_epoch  # of a resumed run, the epochs before took no time here

    on_predict_start = on_train_start

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        done, epochs = trainer.current_epoch + 1, trainer.max_epochs or 1
        pace = (time.perf_counter() - self.start) / (done - self.first)
        left = timedelta(seconds=round(pace * (epochs - done)))
        if left:
            self._say("epoch %d of %d, about %s left", done, epochs, left)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        if not _shows_bars(trainer):
            epoch, batch = trainer.current_epoch + 1, args[-1] + 1
            self._say("epoch %d of %d: batch %d of %d", epoch, trainer.max_epochs, batch, trainer.num_training_batches)

    def on_predict_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        if not _shows_bars(trainer):
            self._say("scored %d of %d batches of images", args[2] + 1, trainer.num_predict_batches[0])

    def _say(self, text: str, *values: object) -> None:
        now = time.perf_counter()
        if now - self.said > SECONDS_BETWEEN:
            self.said = now
            log.info(text, *values)


def _shows_bars(trainer: pl.Trainer) -> bool:
    return trainer.progress_bar_callback is not None and sys.stderr.isatty()


def check_trainer(config: DictConfig) -> None:
    """Refuse a trainer that cannot be had here.

    Raises:
        UserError: there is no such accelerator, or Lightning does not take the settings.
    """
    if config.trainer.accelerator in {"gpu", "cuda"} and not torch.cuda.is_available():
        raise UserError(
            f"trainer.accelerator={config.trainer.accelerator}: torch finds no GPU here. trainer=auto takes what there is."
        )
    quieten_lightning()
    try:
        pl.Trainer(
            **_settings(config),
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=False,
        )
    except (MisconfigurationException, TypeError, ValueError) as error:
        raise UserError(f"trainer: Lightning does not take these settings ({error}).") from error


def _settings(config: DictConfig) -> dict[str, Any]:
    settings: dict[str, Any] = OmegaConf.to_container(config.trainer, resolve=True)  # type: ignore[assignment]
    return settings


def trainer_for(
    config: DictConfig, method: Method, folder: Path, callbacks: Sequence[pl.Callback], keeper: KeepState | None = None
) -> pl.Trainer:
    """The trainer as configured; losses go to the run's folder, what an interrupted run resumes from to the keeper's.

    A method that is fitted in closed form says itself how often it sees the images, and validates once, when it is fitted.
    """
    quieten_lightning()
    torch.backends.cudnn.allow_tf32 = False  # float32 is meant, on a GPU too; `trainer.precision` says what else
    shown = [Bar()] if config.progress else []
    passes = method.passes if isinstance(method, FittedMethod) else None
    return pl.Trainer(
        **_settings(config),
        max_epochs=passes or config.method.train.get("epochs", 1),
        check_val_every_n_epoch=passes or 1,
        logger=loggers_of(config, folder) or False,
        callbacks=[
            *([keeper] if keeper else []),
            *callbacks,
            LossNeeded(),
            Schedules(),
            Pictures(folder / LOGS),
            *shown,
        ],
        plugins=[keeper.file] if keeper else None,
        log_every_n_steps=1,
        default_root_dir=folder,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=config.progress,
        num_sanity_val_steps=0,  # a method that is fitted in closed form has nothing to validate before it is fitted
    )
