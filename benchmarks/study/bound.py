"""What no threshold exceeds: the defects that are found when the test images themselves choose it, as no run may."""

from collections.abc import Sequence
from itertools import groupby
from math import floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.store import paper
from benchmarks.study.curves import CELL
from benchmarks.study.grid import ONE_PIXEL, Grid

ROUNDING = 0.005  # the paper prints two digits


def bounds(grids: Sequence[Grid]) -> dict[tuple[Any, ...], dict[str, float]]:
    """For each cell that the paper has: the area at which most is found, and the share that is found there.

    Each seed's threshold is the lowest at which as many good test images pass as in the paper; shares are means over the seeds.
    """
    ordered = sorted(grids, key=_cell)
    found = {cell: _bound(list(seeds)) for cell, seeds in groupby(ordered, _cell)}
    return {cell: bound for cell, bound in found.items() if bound}


def _cell(grid: Grid) -> tuple[Any, ...]:
    return tuple(getattr(grid.record, name) for name in CELL)


def _bound(seeds: list[Grid]) -> dict[str, float]:
    record = seeds[0].record
    published = paper.values().get((record.method, record.category), {}) if record.dataset == paper.MVTEC_AD else {}
    normal, on_grid = published.get("normal_accuracy"), [area for area in seeds[0].areas if area > ONE_PIXEL]
    if normal is None or any(grid.defective_N.all() or not grid.defective_N.any() for grid in seeds):
        return {}
    share_A = np.mean([_found(grid, normal, on_grid) for grid in seeds], axis=0)
    best = int(share_A.argmax())
    return {"any_threshold_area": on_grid[best], "any_threshold_anomalous": float(share_A[best])}


def _found(grid: Grid, normal: float, areas: Sequence[float]) -> NDArray[np.float64]:
    """Share of the defective test images that is found, for each area."""
    test_NA = grid.test_NA[:, [grid.areas.index(area) for area in areas]]
    good_NA = np.sort(test_NA[~grid.defective_N], axis=0)[::-1]
    alarms = floor((1 - normal + ROUNDING) * len(good_NA))
    limit_A = good_NA[min(alarms, len(good_NA) - 1)]
    share_A: NDArray[np.float64] = (test_NA[grid.defective_N] > limit_A).mean(axis=0)
    return share_A
