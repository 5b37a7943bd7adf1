"""Anomaly maps that are kept while a cell is scored, where making them takes long: an interrupted run makes none twice."""

import logging
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.files import replacing

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BatchOfMaps:
    """What a method said of one batch, and how long it took."""

    maps: NDArray[np.float32]
    """(B, H, W), or (B, K, H, W) of K fits."""
    scores: NDArray[np.float64] | None
    """The method's own scores of the images, (B,) or (B, K)."""
    seconds: float


class KeptMaps:
    """The batches of one set of images, `<folder>/<number>.npz`, all from the first on.

    Args:
        folder: the set's own.
        slow_seconds: scoring that would take less than this in all is not kept.
        before: is called before each write, as maps are worth nothing without the method that made them.
    """

    def __init__(self, folder: Path, slow_seconds: float, before: Callable[[], None]) -> None:
        self.folder, self.slow_seconds, self.before = folder, slow_seconds, before
        self._keeping: bool | None = None
        self._number = 0

    def read(self) -> Iterator[BatchOfMaps]:
        """The batches kept so far, up to the first that is absent or damaged."""
        while (batch := self._read(self.folder / f"{self._number}.npz")) is not None:
            self._keeping, self._number = True, self._number + 1
            yield batch

    def _read(self, path: Path) -> BatchOfMaps | None:
        try:
            with np.load(path) as kept:
                return BatchOfMaps(kept["maps"], kept.get("scores"), float(kept["seconds"]))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def wants(self, batch: BatchOfMaps, images: int) -> bool:
        """Whether scoring is slow, which the first batch of `images` decides for all."""
        if self._keeping is None:
            self._keeping = batch.seconds * images / len(batch.maps) >= self.slow_seconds
        return self._keeping

    def write(self, batch: BatchOfMaps) -> None:
        """Keep the next batch; a full disk is no reason to end the run."""
        self.before()
        parts = {"maps": batch.maps, "seconds": np.array(batch.seconds)}
        if batch.scores is not None:
            parts["scores"] = batch.scores
        try:
            with replacing(self.folder / f"{self._number}.npz") as temporary, temporary.open("wb") as file:
                np.savez(file, **parts)  # type: ignore[arg-type]
            self._number += 1
        except OSError as error:
            self._keeping = False
            log.warning("maps can no longer be kept, so an interrupted run will make them again: %s", error)
