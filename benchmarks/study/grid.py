"""The stored scores of one run, `scores.csv`, as arrays: each image's `score_A` for a grid of minimum defect areas."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.errors import UserError
from benchmarks.store.record import SCORES, Record
from benchmarks.store.runs import RunStore
from benchmarks.store.scores import MAP_MAXIMUM, area_columns, is_defective
from benchmarks.store.table import Table, read_table

ONE_PIXEL = 0.0
"""Stands for the smallest area there is: the score is then the map's maximum."""


@dataclass(frozen=True)
class Grid:
    """Scores of one run; the suffixes are V validation images, N test images, A areas."""

    record: Record
    areas: tuple[float, ...]
    """Shares of the image, increasing; the first is `ONE_PIXEL`."""
    validation_VA: NDArray[np.float64]
    test_NA: NDArray[np.float64]
    defective_N: NDArray[np.bool_]

    @property
    def declared(self) -> int:
        """The place in `areas` of the area that the run was decided by."""
        assert self.record.result is not None and self.record.result.minimum_area is not None
        return self.areas.index(_as_written(self.record.result.minimum_area))

    @property
    def folds(self) -> int | None:
        """Over which all good images were held out (`protocol.held_out=cross`); None where a share of them was."""
        protocol = self.record.identity["config"].get("protocol", {})
        return int(protocol["folds"]) if protocol.get("held_out") == "cross" else None


def read_grids(results: Path, records: Iterable[Record]) -> list[Grid]:
    """The scores of all finished runs that have areas, in the order of `records`; samples without maps have none.

    Whether they fit their record was checked when the store read it.

    Raises:
        UserError: scores that are missing or not ours.
    """
    store = RunStore(results)
    return [
        read_grid(store.where(record) / SCORES, record)
        for record in records
        if record.result is not None and record.result.minimum_area is not None
    ]


def read_grid(path: Path, record: Record) -> Grid:
    """The scores of one finished run.

    Raises:
        UserError: as `read_grids`.
    """
    try:
        return _parse(read_table(path.read_text(encoding="utf-8")), record)
    except FileNotFoundError:
        problem = "is missing"
    except (OSError, ValueError, csv.Error) as error:
        problem = f"is not a table of scores ({error})"
    raise UserError(f"{path} {problem}. Run {record.cell} again with force=true, or remove its folder.")


def _parse(table: Table, record: Record) -> Grid:
    names = table.dtype.names or ()
    if missing := {"split", "defective", MAP_MAXIMUM}.difference(names):
        raise ValueError(f"no column {', '.join(sorted(missing))}")
    areas = {ONE_PIXEL: MAP_MAXIMUM} | area_columns(names)
    increasing = sorted(areas)
    scores_NA = np.column_stack([table[areas[area]] for area in increasing])
    if not np.isfinite(scores_NA).all():
        raise ValueError("a score is empty or not finite")
    validation, test = (table["split"] == split for split in ("validation", "test"))
    if not validation.any() or not test.any():
        raise ValueError("it needs rows of both splits, validation and test")
    return Grid(record, tuple(increasing), scores_NA[validation], scores_NA[test], is_defective(table[test]))


def _as_written(area: float) -> float:
    """An area with the digits that its column's name has."""
    return float(f"{area:g}")
