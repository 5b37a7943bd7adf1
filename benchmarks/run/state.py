"""What an interrupted cell resumes from: Lightning's own checkpoint after an epoch, kept beside the cell's folder while it runs.

`<results>/runs/<method>/<category>/.seed=<k>.state/` holds `state.json` (identity and progress), `last.ckpt` (weights, optimizers,
random streams, loss log) and, where scoring is slow, the maps made so far. Each file is whole or absent.
"""

import io
import logging
import math
import random
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.plugins import TorchCheckpointIO

from benchmarks.common.files import replacing, write_text
from benchmarks.common.signals import end, ending
from benchmarks.data.order import OrderedData
from benchmarks.run.kept_maps import KeptMaps
from benchmarks.store.identity import Identity
from benchmarks.store.progress import PROGRESS, Progress
from benchmarks.store.record import LOGS
from methods.contract import FittedMethod

log = logging.getLogger(__name__)

LAST = "last.ckpt"


class CellState:
    """The state of one cell that is being run. Needs the claim on the cell.

    Args:
        folder: where it is kept.
        identity: of the wanted run; the state of another is not resumed.
        minutes: the least time between two writes.
    """

    def __init__(self, folder: Path, identity: Identity, minutes: float) -> None:
        self.folder, self.minutes = folder, minutes
        self._open(asdict(identity), identity)
        self._start = time.perf_counter()

    def _open(self, stored: dict[str, Any], identity: Identity) -> None:
        found = Progress.read(self.folder)
        if found is not None and (changes := identity.changes(found.identity)):
            log.info(
                "the interrupted run is not resumed, as these have changed since: %s",
                "; ".join(changes),
            )
            found = None
        for path in self.folder.rglob(LAST):
            if found is not None and not _is_sound(path):
                log.warning("%s is damaged, so the run starts over", path)
                found = None
        if found is None:
            shutil.rmtree(self.folder, ignore_errors=True)
            found = Progress(identity=stored)
            write_text(self.folder / PROGRESS, found.to_json())
        for left_over in self.folder.rglob(".*"):  # of a process that was killed while it wrote
            shutil.rmtree(left_over) if left_over.is_dir() else left_over.unlink()
        self.progress = found

    @property
    def seconds(self) -> float:
        """How long the cell has been run, by this process and those before it."""
        return self.progress.seconds + time.perf_counter() - self._start

    def write(self, path: Path, content: bytes, epoch: int, epochs: int) -> None:
        """Replace a checkpoint; a full disk is no reason to end the run."""
        try:
            with replacing(path) as temporary:
                temporary.write_bytes(content)
            self.note(epoch, epochs)
        except OSError as error:
            log.warning("the state after epoch %d could not be kept: %s", epoch, error)

    def note(self, epoch: int, epochs: int) -> None:
        """Keep how far the cell is, for `list runs`."""
        seconds = self.seconds
        write_text(self.folder / PROGRESS, Progress(self.progress.identity, epoch, epochs, seconds).to_json())


def _is_sound(path: Path) -> bool:
    """Whether a checkpoint can be read."""
    try:
        torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # a damaged file may raise anything
        return False
    return True


class StateFile(TorchCheckpointIO):
    """Keeps the newest checkpoint of one fit in memory, writes it at most every `state.minutes`, and other files as ever.

    Args:
        state: of the cell.
        place: the fit's, below the state's folder.
        number, count: which fit of the cell this is, and how many there are.
    """

    def __init__(self, state: CellState, place: str = ".", number: int = 0, count: int = 1) -> None:
        self.state, self.number, self.count = state, number, count
        self.path = state.folder / place / LAST
        self.waiting: tuple[bytes, int, int] | None = None
        self._written = time.monotonic()

    @property
    def checkpoint(self) -> Path | None:
        """The checkpoint to go on from, if there is one."""
        return self.path if self.path.exists() else None

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        if Path(path) != self.path:
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        content = io.BytesIO()
        torch.save(checkpoint, content)
        progress = checkpoint["callbacks"][KeepState.__qualname__]
        epochs = progress["epochs"]
        self.waiting = content.getvalue(), self.number * epochs + progress["epoch"], self.count * epochs
        if time.monotonic() - self._written >= 60 * self.state.minutes:
            self.write_waiting()

    def write_waiting(self) -> None:
        """Write what is not on the disk yet."""
        if self.waiting is not None:
            waiting, self.waiting = self.waiting, None
            self.state.write(self.path, *waiting)
            self._written = time.monotonic()

    def maps(self, images: str) -> KeptMaps:
        """The maps made so far of a set of images, by its fingerprint; the method's state is written before any.

        Of a method whose state is not kept, no map is.
        """
        resumable = self.waiting is not None or self.path.exists()
        slow_seconds = 60 * self.state.minutes if resumable else math.inf
        return KeptMaps(self.state.folder / f"maps-{images[:16]}", slow_seconds, self.write_waiting)


class KeepState(pl.Callback):
    """Hands Lightning's checkpoint to a `StateFile` after each epoch, with what Lightning leaves out: random streams and loss log.

    An epoch has ended for good only when the next one starts: its mean loss is logged after all other hooks. Methods that are
    fitted in closed form start anew: they take minutes, and what they gather before `fit` and report after it is in no checkpoint.
    """

    def __init__(self, file: StateFile, data: OrderedData) -> None:
        self.file, self.data = file, data
        self.fit_seconds = 0.0
        self._first = 0
        self._trainer: pl.Trainer | None = None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        self._trainer = trainer

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._first, self._now = trainer.current_epoch, time.perf_counter()
        trainer.fit_loop.restarting = False  # we go on with a whole epoch, for which nothing has to be made up

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch > self._first:
            self._keep(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._keep(trainer)
        if self.file.number + 1 < self.file.count:
            self.file.write_waiting()  # the next fit keeps a checkpoint of its own

    def _keep(self, trainer: pl.Trainer) -> None:
        now = time.perf_counter()
        self.fit_seconds, self._now = self.fit_seconds + now - self._now, now
        if not isinstance(trainer.lightning_module, FittedMethod):
            trainer.save_checkpoint(self.file.path)

    def leave_out(self, seconds: float) -> None:
        """Time that was no part of the training."""
        self._now += seconds

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self.file.write_waiting()

    def state_dict(self) -> dict[str, Any]:
        assert self._trainer is not None
        return {
            "epoch": self._trainer.current_epoch,
            "epochs": self._trainer.max_epochs,
            "fit_seconds": self.fit_seconds,
            "random": random_streams(),
            "order": self.data.order_state(),
            "logs": _logs(self._trainer),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        assert self._trainer is not None
        log.info("resumed after epoch %d of %d", state["epoch"], state["epochs"])
        self.fit_seconds = state["fit_seconds"]
        _restore_logs(self._trainer, state["logs"])
        restore_random_streams(state["random"])
        self.data.resume_order(state["order"])


def random_streams() -> dict[str, Any]:
    """The state of every global random stream, of types that torch loads with `weights_only`."""
    name, keys, *rest = np.random.get_state()
    return {
        "torch": torch.get_rng_state(),
        # of the device that the cell uses
        "cuda": [torch.cuda.get_rng_state()] if torch.cuda.is_initialized() else [],  # type: ignore[no-untyped-call]
        "numpy": [name, torch.from_numpy(np.asarray(keys).astype(np.int64)), *rest],
        "python": random.getstate(),
    }


def restore_random_streams(streams: dict[str, Any]) -> None:
    """The opposite of `random_streams`."""
    torch.set_rng_state(streams["torch"])
    if streams["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state(streams["cuda"][0])
    name, keys, *rest = streams["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    random.setstate(streams["python"])


def _logs(trainer: pl.Trainer) -> dict[str, torch.Tensor]:
    """The files of the logger's folder, as bytes."""
    for logger in trainer.loggers:
        logger.save()
    folder = Path(trainer.default_root_dir) / LOGS
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    return {path.relative_to(folder).as_posix(): torch.from_numpy(np.fromfile(path, dtype=np.uint8)) for path in files}


def _restore_logs(trainer: pl.Trainer, files: dict[str, torch.Tensor]) -> None:
    for name, content in files.items():
        path = Path(trainer.default_root_dir) / LOGS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content.numpy().tofile(path)
        for logger in trainer.loggers:
            if isinstance(logger, CSVLogger) and path == Path(logger.experiment.metrics_file_path):
                logger.experiment.metrics_keys = path.read_text(encoding="utf-8").splitlines()[0].split(",")


@contextmanager
def ends_in_order() -> Iterator[None]:
    """Let SIGTERM, or a terminal that is closed, end the program like an error does, so that the state is written and temporary
    files are removed."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return

    before = {number: signal.signal(number, end) for number in ending()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
