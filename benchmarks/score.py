"""From a fitted method's maps to one table of scores: a Lightning callback that scores each map as it is made."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from benchmarks.data.images import size_of
from benchmarks.data.index import ImageFile
from benchmarks.protocol.area_score import area_in_pixels, area_scores
from methods.contract import MethodError


def area_column(share: float) -> str:
    """The name of the column in `scores.csv` that holds `score_A` for an area, as a share of the image."""
    return f"score_{share:g}"


class ScoreMaps(pl.Callback):
    """Scores every predicted map as it is made; no map is kept in memory.

    Args:
        areas: minimum areas as shares of the image.
        maps_folder: where maps are written, if they are wanted.
    """

    def __init__(self, areas: Sequence[float], maps_folder: Path | None) -> None:
        self.areas, self.maps_folder = areas, maps_folder
        self.map_size = (0, 0)
        self._rows: list[dict[str, Any]] = []
        self.start("", ())

    def start(self, split: str, images: Sequence[ImageFile]) -> None:
        """Say which images the next predictions belong to, in their order."""
        self.split, self._waiting, self._count, self._seconds = split, iter(images), 0, 0.0

    def on_predict_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        self._seconds -= _now(trainer)

    def on_predict_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Tensor, *_: Any
    ) -> None:
        self._seconds += _now(trainer)
        for map_HW in outputs.float().cpu().numpy():
            self._count += 1
            self._add(next(self._waiting), map_HW)

    @property
    def ms_per_image(self) -> float:
        """Mean time for an anomaly map of the current split."""
        return 1000 * self._seconds / self._count

    def table(self) -> pd.DataFrame:
        """One row per image: path, split, defect_type, defective, a score for each area and the map's maximum."""
        return pd.DataFrame(self._rows)

    def _add(self, image: ImageFile, map_HW: NDArray[np.float32]) -> None:
        self.map_size = map_HW.shape
        pixels = [area_in_pixels(share, map_HW.size) for share in self.areas]
        try:
            scores = area_scores(map_HW, pixels)
        except ValueError as error:
            raise MethodError(f"The anomaly map of {image.path} is unusable: {error}.") from error
        row = {
            "path": image.name,
            "split": self.split,
            "defect_type": image.defect_type,
            "defective": image.is_defective,
        }
        self._rows.append(
            row
            | {area_column(share): score for share, score in zip(self.areas, scores, strict=True)}
            | {"map_maximum": float(map_HW.max())}
        )
        if self.maps_folder is not None:
            _write_map(self.maps_folder, image, map_HW)


def _now(trainer: pl.Trainer) -> float:
    """The clock, after the GPU has done what was asked of it."""
    if trainer.strategy.root_device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def _write_map(folder: Path, image: ImageFile, map_HW: NDArray[np.float32]) -> None:
    """A 32-bit TIFF at the image's own size, in the image's own place."""
    path = (folder / image.name).with_suffix(".tiff")
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = size_of(image.path)
    Image.fromarray(map_HW).resize((width, height), Image.Resampling.BILINEAR).save(path)
