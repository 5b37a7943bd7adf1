"""`score_at_epochs=[...]`: what a training is worth on its way. A listed epoch is scored as it passes, leaving no trace in it."""

import json
import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig

from benchmarks.common.errors import UserError
from benchmarks.common.files import write_text
from benchmarks.data.cache import memo_of
from benchmarks.data.datamodule import DefectData
from benchmarks.data.fingerprint import fingerprint
from benchmarks.data.index import ImageFile
from benchmarks.run.scores import Scores, Take
from benchmarks.run.state import KeepState, random_streams, restore_random_streams
from benchmarks.store.epochs import EPOCHS, RESULT
from benchmarks.store.record import SCORES, Result
from methods.contract import Method

log = logging.getLogger(__name__)


class ScoreAtEpochs(pl.Callback):
    """Scores the method when a listed number of epochs is done; the last epoch's scores are the run's own.

    `epochs/<n>/` with `scores.csv` and `result.json` lies with the cell's state until the cell is finished.

    Args:
        epochs: to score at.
        data, test: of the fit, and the images to test on.
        scores: makes empty ones, as those of the run.
        result_of: the result of scores; the folder takes what else it has to say.
        keeper: of the fit, whose time scoring is no part of.
    """

    def __init__(
        self,
        epochs: Collection[int],
        data: DefectData,
        test: Sequence[ImageFile],
        scores: Callable[[], Scores],
        result_of: Callable[[Scores, Path], Result],
        keeper: KeepState,
    ) -> None:
        self.epochs, self.data, self.test = epochs, data, test
        self.scores, self.result_of, self.keeper = scores, result_of, keeper

    @cached_property
    def folder(self) -> Path:
        """With the fingerprint of the test images in its name: what was scored on others is not kept."""
        test = fingerprint(self.test, memo_of(self.data.cache_dir, self.test))
        return self.keeper.file.state.folder / f"{EPOCHS}-{test[:16]}"

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        passed = [epoch for epoch in self.epochs if epoch < trainer.current_epoch]
        missing = [str(epoch) for epoch in passed if not (self.folder / str(epoch)).exists()]
        if missing:
            log.warning(
                "the interrupted run that is resumed has passed epoch %s, which is not scored; to have it, remove %s and run again",
                ", ".join(missing),
                self.keeper.file.state.folder,
            )

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        epoch = trainer.current_epoch
        if epoch not in self.epochs or (self.folder / str(epoch)).exists():
            return
        assert isinstance(pl_module, Method)
        start, streams = time.perf_counter(), random_streams()
        training = {module: module.training for module in pl_module.modules()}
        try:
            self._keep(epoch, self._scored(pl_module.eval()))
        finally:
            for module, was in training.items():
                module.training = was
            restore_random_streams(streams)
            self.keeper.leave_out(time.perf_counter() - start)

    def _scored(self, method: Method) -> Scores:
        scores = self.scores()
        hand_on(method, self.data.validation_files, self.data.loader(self.data.validation_files), scores.add_validation)
        scores.start_test()
        hand_on(method, self.test, self.data.loader(self.test), scores.add_test)
        return scores

    def _keep(self, epoch: int, scores: Scores) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=self.folder, prefix=".tmp-"))
        temporary.chmod(0o755)
        result = asdict(self.result_of(scores, temporary))
        scores.table().to_csv(temporary / SCORES, index=False)
        write_text(temporary / RESULT, json.dumps({"epoch": epoch, **result}, indent=1))
        temporary.rename(self.folder / str(epoch))

    def bring_to(self, folder: Path) -> None:
        """Copy what was kept into the run's folder."""
        if self.epochs and self.folder.exists():
            shutil.copytree(self.folder, folder / EPOCHS)


def wanted_epochs(config: DictConfig) -> list[int]:
    """`score_at_epochs`, checked.

    Raises:
        UserError: not whole numbers from 1 on, or a cell of several fits.
    """
    epochs = list(config.score_at_epochs)
    if not all(isinstance(epoch, int) and epoch >= 1 for epoch in epochs):
        raise UserError(f"score_at_epochs={epochs}: it takes whole numbers of 1 or more, such as [1,10,100].")
    if epochs and config.protocol.held_out != "split":
        raise UserError("score_at_epochs takes protocol.held_out=split: the fits of cross are only scored together.")
    return epochs


def hand_on(method: Method, images: Iterable[ImageFile], loader: Iterable[torch.Tensor], take: Take) -> None:
    """Give each image's map, and the method's own score if it has one, to `take`."""
    waiting = iter(images)
    with torch.no_grad():
        for batch in loader:
            made = method.predict_step(batch.to(method.device))
            maps, scores = made if isinstance(made, tuple) else (made, [None] * len(batch))
            for map_HW, own in zip(np.asarray(maps.float().cpu()), scores, strict=True):
                take(next(waiting), map_HW, None if own is None else float(own))
