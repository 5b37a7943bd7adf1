"""Metrics of a category's pixels and defect regions (PROTOCOL: MVTec AD, CVPR 2019, Table 3; journal version, IJCV 2021).

All of them are exact: no thresholds are sampled, equal scores count as one threshold. What makes that cheap: every metric is a
sum over the *defect* pixels alone, of a function of two numbers, the share of normal pixels above a defect pixel's score (`f0`)
and at or above it (`f1`). So the normal pixels, nearly all of a category, are only sorted, as bare 32-bit values and part by part,
and counted: what is above a score is the sum of what is above it in each part.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from benchmarks.protocol.intervals import within_0_1
from benchmarks.protocol.regions import bounding_box, label_regions
from benchmarks.protocol.sorted_parts import SortedParts

CHUNK = 1 << 16  # defect pixels looked at at once


@dataclass(frozen=True)
class PixelMetrics:
    """Of all test pixels of a category, at the masks' own resolution."""

    auroc: float
    average_precision: float
    region_overlap: float | None
    """At the protocol's threshold: mean over all defect regions of the share that is covered (Table 3, upper value). None, as is
    the next, where there is no threshold on the maps' scale (`held_out=cross`)."""
    iou: float | None
    """At the protocol's threshold: intersection over union of found and true defect pixels, over the whole category."""
    aupro: float
    aupro_limit: float
    """The false-positive rate up to which the PRO curve is integrated."""
    regions: int
    """Number of 8-connected defect regions."""


class PixelScores:
    """Gathers the pixels of a category's test maps, image by image: 4 bytes for each normal one, beyond some 250 MB on the disk,
    and up to 32 bytes for each one in a defect."""

    def __init__(self) -> None:
        self._normal = SortedParts()
        self._defect: list[NDArray[np.float32]] = []
        self._weight: list[NDArray[np.float64]] = []
        self._regions = 0

    def add(self, map_HW: NDArray[np.float32], mask_HW: NDArray[np.bool_] | None) -> int:
        """Take in one image: its map at the mask's size, and its mask (None: a good image). Returns its number of regions.

        Raises:
            ValueError: map and mask differ in size, or the map is not finite.
        """
        if not np.isfinite(map_HW).all():
            raise ValueError(f"the map has {np.count_nonzero(~np.isfinite(map_HW))} values that are NaN or infinite")
        if mask_HW is None or not mask_HW.any():
            self._normal.add(map_HW.ravel())
            return 0
        if map_HW.shape != mask_HW.shape:
            raise ValueError(f"the map has shape {map_HW.shape}, its mask {mask_HW.shape}")
        self._normal.add(map_HW[~mask_HW])
        box = bounding_box(mask_HW)
        labels_HW, regions = label_regions(mask_HW[box])
        region_M = labels_HW[labels_HW > 0]
        self._defect.append(map_HW[mask_HW])
        self._weight.append(1 / np.bincount(region_M)[region_M])
        self._regions += regions
        return regions

    def sorted(self, device: str = "cpu") -> "SortedPixels | None":
        """The pixels in the order of their scores; None without a defect pixel or without a normal one. Nothing can be added then.

        Args:
            device: "cuda" sorts on the GPU, to the same values.
        """
        if not self._regions or not len(self._normal):
            return None
        self._normal.sort(device)
        defect_M, weight_M = np.concatenate(self._defect), np.concatenate(self._weight)
        self._defect.clear()
        self._weight.clear()
        order = np.argsort(defect_M)
        return SortedPixels(self._normal, defect_M[order], weight_M[order] / self._regions, self._regions)


@dataclass(frozen=True)
class SortedPixels:
    """The scores of all normal and of all defect pixels of a category, ascending."""

    normal: SortedParts
    defect_M: NDArray[np.float32]
    weight_M: NDArray[np.float64]
    """Of each defect pixel: 1 / (pixels of its region x number of regions), so that every region counts alike; sum 1."""
    regions: int

    @cached_property
    def _normal_below(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """How many normal pixels lie below each defect pixel's score, and how many below or at it."""
        from benchmarks.protocol.insertion_points import (
            insertion_points,  # numba, which those who only read records are spared
        )

        below_M, below_or_at_M = (np.zeros(len(self.defect_M), np.int64) for _ in range(2))
        for part_N in self.normal:
            left = 0
            for chunk in _chunks(len(self.defect_M)):
                left_C, right_C = insertion_points(part_N, self.defect_M[chunk], left)
                below_M[chunk] += left_C
                below_or_at_M[chunk] += right_C
                left = int(left_C[-1])
        return below_M, below_or_at_M

    def metrics(self, threshold: float | None, aupro_limit: float) -> PixelMetrics:
        """All metrics, with the protocol's threshold (a pixel is found if its score exceeds it) and the limit of AU-PRO.

        Args:
            threshold: None leaves out what depends on it.
        """
        from benchmarks.protocol.insertion_points import insertion_points

        normal, defect = len(self.normal), len(self.defect_M)
        below_M, below_or_at_M = self._normal_below
        rank = 0
        misranked = precision = aupro = 0.0
        for chunk in _chunks(defect):
            score_C = self.defect_M[chunk]
            rank_C, _ = insertion_points(self.defect_M, score_C, rank)
            rank = int(rank_C[-1])
            at_or_above_C, above_C = (normal - count_M[chunk] for count_M in (below_M, below_or_at_M))
            found_C = defect - rank_C
            misranked += float(np.sum(above_C + at_or_above_C)) / 2 / normal
            precision += float(np.sum(found_C / (found_C + at_or_above_C)))
            areas_C = _area_of_step(above_C / normal, at_or_above_C / normal, aupro_limit)
            aupro += float(np.sum(self.weight_M[chunk] * areas_C))
        region_overlap, iou = (None, None) if threshold is None else self._at(threshold)
        return PixelMetrics(
            auroc=within_0_1(1 - misranked / defect),
            average_precision=within_0_1(precision / defect),
            region_overlap=region_overlap,
            iou=iou,
            aupro=within_0_1(aupro / aupro_limit),
            aupro_limit=aupro_limit,
            regions=self.regions,
        )

    def _at(self, threshold: float) -> tuple[float, float]:
        """Region overlap and intersection over union of the pixels above a threshold."""
        limit, defect = _largest_float32_up_to(threshold), len(self.defect_M)
        first_found = int(np.searchsorted(self.defect_M, limit, "right"))
        false_positives = sum(len(part_N) - int(np.searchsorted(part_N, limit, "right")) for part_N in self.normal)
        overlap = within_0_1(float(np.sum(self.weight_M[first_found:])))
        return overlap, (defect - first_found) / (defect + false_positives)

    def pro_curve(self, points: int = 300) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Up to `points` exact points of the PRO curve, densest at low false-positive rates; the curve is straight in between.

        Returns:
            False-positive rates, increasing, and mean covered shares of the regions.
        """
        depths = np.linspace(0, 1, points - 2) ** 2
        pool = np.sort(
            [part_N[len(part_N) - 1 - ((len(part_N) - 1) * depths).astype(np.int64)] for part_N in self.normal], None
        )
        level_P = np.unique(pool[np.linspace(0, len(pool) - 1, points - 2).astype(np.int64)])[::-1]
        at_or_above_P = sum(len(part_N) - np.searchsorted(part_N, level_P, "left") for part_N in self.normal)
        fpr_P = at_or_above_P / len(self.normal)
        summed_M = np.minimum(np.cumsum(self.weight_M[::-1]), 1)  # rounding must not carry it above 1
        covered = np.append(summed_M[::-1], 0)  # by the threshold's place among the defect pixels
        pro_P = covered[np.searchsorted(self.defect_M, level_P, "left")]
        without_alarm = covered[np.searchsorted(self.defect_M, level_P[0], "right")]
        return np.concatenate([[0], fpr_P, [1]]), np.concatenate([[without_alarm], pro_P, [1]])


def resize_map(map_HW: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """A map at a mask's size, bilinear (where it shrinks, over the pixels that fall together). The mask is never resized."""
    from PIL import Image

    if map_HW.shape == (height, width):
        return map_HW
    return np.asarray(Image.fromarray(map_HW).resize((width, height), Image.Resampling.BILINEAR))


def _area_of_step(f0_C: NDArray[np.float64], f1_C: NDArray[np.float64], limit: float) -> NDArray[np.float64]:
    """What one pixel adds to the area below the PRO curve up to `limit`, in units of its weight.

    Alone it would make a curve that rises from 0 to 1 between the false-positive rates `f0` and `f1`, in a straight line, as all
    pixels of its score are found at once, and stays there.
    """
    rise_C = np.clip(limit, f0_C, f1_C) - f0_C
    slope_C = 1 / np.maximum(f1_C - f0_C, np.finfo(np.float64).tiny)
    area_C: NDArray[np.float64] = slope_C * rise_C**2 / 2 + np.maximum(limit - f1_C, 0)
    return area_C


def _chunks(length: int) -> Iterator[slice]:
    return (slice(start, start + CHUNK) for start in range(0, length, CHUNK))


def _largest_float32_up_to(threshold: float) -> np.float32:
    """For 32-bit scores, "> threshold" and "> this" are the same; a search in them with 64 bits would copy them all."""
    with np.errstate(over="ignore"):
        rounded = np.float32(threshold)
    return rounded if float(rounded) <= threshold else np.nextafter(rounded, np.float32(-np.inf))
