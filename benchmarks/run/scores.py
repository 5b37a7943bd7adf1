"""From maps to one table of scores and the pixels for the metrics. Maps are scored as they are made; none is kept in memory."""

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from omegaconf import DictConfig
from torch import Tensor

from benchmarks.common.errors import UserError
from benchmarks.common.files import replacing
from benchmarks.data.images import Fit, size_of
from benchmarks.data.index import Category, ImageFile
from benchmarks.data.map_files import StoredMap, map_path, write_map
from benchmarks.data.masks import read_mask
from benchmarks.data.placement import map_on_image
from benchmarks.protocol.area_score import area_in_pixels, area_scores
from benchmarks.protocol.cross import cross_scores
from benchmarks.protocol.pixel_metrics import PixelScores
from benchmarks.protocol.regions import regions_above
from benchmarks.protocol.thresholds import Rule
from benchmarks.run.committee import Committee
from benchmarks.run.kept_maps import BatchOfMaps, KeptMaps
from benchmarks.store.record import MAP_AREA, OWN, SCORES
from benchmarks.store.scores import MAP_MAXIMUM, OWN_SCORE, area_column
from methods.contract import MethodError

log = logging.getLogger(__name__)

Take = Callable[[ImageFile, NDArray[np.float32], Any], None]
"""Takes in the map of an image and, where the method has one, its own score of it; K of each from the fits of `held_out=cross`."""


def write_scores(table: pd.DataFrame, folder: Path) -> None:
    """Write a table of scores as `scores.csv`; nothing if there are none."""
    if len(table):
        with replacing(folder / SCORES) as temporary:
            table.to_csv(temporary, index=False)


class Scores:
    """Everything that the maps of one category are asked: first those of the validation images, then those of the test images.

    Args:
        protocol: `protocol` of the configuration.
        maps_folder: where maps are written, if they are wanted.
        fit: how images that are not square were brought to the maps' size.
        own_score: whether the maps come with image scores of the method's own.

    Raises:
        UserError: a value of the protocol is out of range.
    """

    def __init__(
        self,
        category: Category,
        protocol: DictConfig,
        maps_folder: Path | None = None,
        own_score: bool = False,
        fit: Fit = "squash",
    ) -> None:
        if protocol.image_score not in (MAP_AREA, OWN):
            raise UserError(f"protocol.image_score is {MAP_AREA} or {OWN}, not {protocol.image_score}.")
        if protocol.image_score == OWN and not own_score:
            raise UserError(
                f"protocol.image_score={OWN}: this method has no image score of its own, only that of the map, {MAP_AREA}."
            )
        self.category, self.protocol, self.maps_folder, self.fit = category, protocol, maps_folder, fit
        self.areas, self.rule = areas_of(protocol), Rule.of(protocol.threshold)
        self.threshold = math.nan
        self.map_size = (0, 0)
        self.pixels: PixelScores | None = None
        self.false_alarms: list[int] = []
        self._rows: list[dict[str, Any]] = []
        self._fold: list[int] = []
        self._held_out = pd.DataFrame()  # their rows, once the threshold is settled

    def add_validation(
        self, image: ImageFile, map_HW: NDArray[np.float32], own: float | None = None, fold: int = 0
    ) -> None:
        """Score the map of a held-out good image; `own` is the method's own image score, if it has one.

        Args:
            fold: the one that the image is in, and that the method was not fitted to.
        """
        self._add("validation", image, map_HW.shape, self._columns(map_HW, own))
        self._fold.append(fold)
        if self.maps_folder is not None:
            self._write(image, map_HW, map_on_image(map_HW, size_of(image.path), self.fit))

    def start_test(self) -> None:
        """Settle the threshold and begin to gather pixels. Before this no pixel of a test image is decoded."""
        self._held_out = self.table()
        deciding = area_column(self.protocol.minimum_area)
        self.threshold = self.rule.threshold(self._held_out[deciding].to_numpy() if self._rows else np.empty(0))
        if self.category.has_masks:
            self.pixels = PixelScores()

    def add_test_of_folds(
        self, image: ImageFile, maps_KHW: NDArray[np.float32], own_K: list[float] | None = None
    ) -> None:
        """Score a test image by the maps of all K fits of `held_out=cross`; its pixels are those of their mean."""
        owns: list[float | None] = [None] * len(maps_KHW) if own_K is None else [*own_K]
        each = pd.DataFrame([self._columns(map_HW, own) for map_HW, own in zip(maps_KHW, owns, strict=True)])
        fold_V = np.array(self._fold)
        columns = {
            str(name): float(cross_scores(self._held_out[name].to_numpy(), fold_V, each[name].to_numpy()[:, None])[0])
            for name in each
        }
        self.add_test(image, maps_KHW.mean(axis=0), columns=columns)

    def add_test(
        self,
        image: ImageFile,
        map_HW: NDArray[np.float32],
        own: float | None = None,
        at_image_size_HW: NDArray[np.float32] | None = None,
        columns: dict[str, float] | None = None,
    ) -> None:
        """Score the map of a test image; its pixels are taken at the mask's size, where the image has that size too."""
        self._add("test", image, map_HW.shape, columns or self._columns(map_HW, own))
        if not image.is_defective and self.map_threshold is not None:
            area = area_in_pixels(self.protocol.minimum_area, map_HW.size)
            self.false_alarms.append(regions_above(map_HW, self.map_threshold, area))
        if self.pixels is None and self.maps_folder is None:
            return
        if at_image_size_HW is None:
            at_image_size_HW = map_on_image(map_HW, size_of(image.path), self.fit)
        if self.pixels is not None:
            self._add_pixels(self.pixels, image, at_image_size_HW)
        if self.maps_folder is not None:
            self._write(image, map_HW, at_image_size_HW)

    @property
    def map_threshold(self) -> float | None:
        """The threshold for a test image's map; None with `held_out=cross`, whose threshold ranks K scores, not their mean map."""
        is_crossed = any(self._fold)  # folds are numbered from 0, and `split` has no other
        return None if is_crossed else self.threshold

    @property
    def held_out(self) -> int:
        """Number of held-out good images."""
        return len(self._fold)

    @property
    def folds(self) -> tuple[int, ...]:
        """The fold of each held-out image."""
        return tuple(self._fold)

    def table(self) -> pd.DataFrame:
        """One row per image: path, split, defect_type, defective, a score for each area, the map's maximum, any own score."""
        return pd.DataFrame(self._rows)

    @contextmanager
    def kept_in(self, folder: Path) -> Iterator[None]:
        """Write `scores.csv` when the block ends, however it ends: what was measured is not lost to what fails later."""
        try:
            yield
        except Exception:
            with suppress(OSError):  # the first error is the one to be told
                write_scores(self.table(), folder)
            raise
        write_scores(self.table(), folder)

    def _add(self, split: str, image: ImageFile, map_size: tuple[int, ...], columns: dict[str, float]) -> None:
        self.map_size = (map_size[0], map_size[1])
        row = {"path": image.name, "split": split, "defect_type": image.defect_type, "defective": image.is_defective}
        self._rows.append(row | columns)

    def _columns(self, map_HW: NDArray[np.float32], own: float | None) -> dict[str, float]:
        """All numbers of one map."""
        scores = area_scores(map_HW, [area_in_pixels(share, map_HW.size) for share in self.areas])
        found = {area_column(share): float(score) for share, score in zip(self.areas, scores, strict=True)}
        return found | {MAP_MAXIMUM: float(map_HW.max())} | ({} if own is None else {OWN_SCORE: own})

    def _add_pixels(self, pixels: PixelScores, image: ImageFile, map_HW: NDArray[np.float32]) -> None:
        mask_HW = None if image.mask is None else read_mask(image.mask)
        regions = pixels.add(map_HW, mask_HW)
        if image.is_defective and not regions:
            log.warning("%s marks no defect: all pixels of its image count as normal", image.mask)

    def _write(self, image: ImageFile, map_HW: NDArray[np.float32], at_image_size_HW: NDArray[np.float32]) -> None:
        assert self.maps_folder is not None
        write_map(self.maps_folder / map_path(image), StoredMap(at_image_size_HW, map_HW))


class ScoreMaps(pl.Callback):
    """Hands every predicted map on, as it is made, with the method's own image score; measures how long the prediction took."""

    def __init__(self) -> None:
        self._since = 0.0
        self.start((), lambda image, map_HW, own: None)

    def start(self, images: Sequence[ImageFile], take: Take, kept: KeptMaps | None = None) -> int:
        """Say which images the next predictions belong to, in their order, who takes their maps and who keeps them.

        Returns:
            How many of the images need no prediction, as their maps were kept before the run was interrupted.
        """
        self._images, self._take, self._count, self._seconds, self._kept = images, take, 0, 0.0, kept
        for batch in kept.read() if kept else ():
            self._hand_on(batch)
        return self._count

    def on_predict_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        self._since = _now(trainer)

    def on_predict_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Tensor, *_: Any
    ) -> None:
        seconds = _now(trainer) - self._since
        maps, scores_B = outputs if isinstance(outputs, tuple) else (outputs, None)
        count = len(batch) if scores_B is None else len(scores_B)
        fits = [len(pl_module.methods)] if isinstance(pl_module, Committee) else []
        wanted, name = (len(batch), *fits, *batch.shape[2:]), type(pl_module).__name__
        if not isinstance(maps, Tensor):
            raise MethodError(f"{name} gave {maps!r:.60} in place of maps (B, H, W). Does its last line return them?")
        if tuple(maps.shape) != wanted or maps.dtype != torch.float32 or count != len(batch):
            raise MethodError(
                f"For {len(batch)} images {name} gave maps of shape {tuple(maps.shape)}, {maps.dtype}, not "
                f"{wanted}, {torch.float32}" + (f"; and {count} scores." if scores_B is not None else ".")
            )
        made = BatchOfMaps(maps.cpu().numpy(), None if scores_B is None else np.array(scores_B.tolist()), seconds)
        self._hand_on(made)
        if self._kept and self._kept.wants(made, len(self._images)):
            self._kept.write(made)

    def _hand_on(self, batch: BatchOfMaps) -> None:
        owns = [None] * len(batch.maps) if batch.scores is None else batch.scores.tolist()
        for map_HW, own in zip(batch.maps, owns, strict=True):
            self._hand_on_one(self._images[self._count], map_HW, own)
            self._count += 1
        self._seconds += batch.seconds

    def _hand_on_one(self, image: ImageFile, map_HW: NDArray[np.float32], own: Any) -> None:
        if own is not None and not np.isfinite(own).all():
            raise MethodError(f"The method's own score of {image.path} is {own}.")
        try:
            self._take(image, map_HW, own)
        except ValueError as error:
            raise MethodError(f"The anomaly map of {image.path} is unusable: {error}.") from error

    @property
    def ms_per_image(self) -> float:
        """Mean time for an anomaly map since the last start."""
        return 1000 * self._seconds / self._count


def areas_of(protocol: DictConfig) -> list[float]:
    """The grid of areas to score, with the one that decides among them.

    Raises:
        UserError: a value of the protocol is out of range.
    """
    said = [*(protocol.area_grid or [None]), protocol.minimum_area]
    if not all(isinstance(area, int | float) for area in said):
        raise UserError(f"protocol.minimum_area and area_grid are shares of the image, not {said}.")
    areas = sorted(set(said))
    if not 0 < areas[0] <= areas[-1] <= 1:
        raise UserError(
            f"protocol.minimum_area and area_grid are shares of the image, above 0 and up to 1, not {areas}."
        )
    if not isinstance(protocol.aupro_limit, int | float) or not 0 < protocol.aupro_limit <= 1:
        raise UserError(
            f"protocol.aupro_limit is a false-positive rate, above 0 and up to 1, not {protocol.aupro_limit}."
        )
    return areas


def _now(trainer: pl.Trainer) -> float:
    """The clock, after the GPU has done what was asked of it."""
    if trainer.strategy.root_device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()
