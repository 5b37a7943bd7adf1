"""What the page and the figures show of one cell of a table: its row, its runs, and what lies beside their records."""

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.common.errors import UserError
from benchmarks.common.files import read_file
from benchmarks.protocol.thresholds import Rule
from benchmarks.report.losses import Losses, read_losses
from benchmarks.store.columns import is_empty, rows_of
from benchmarks.store.epochs import learning_curve
from benchmarks.store.record import LOGS, PRO_CURVE, SCORES, Record, Result
from benchmarks.store.runs import RunStore
from benchmarks.store.scores import area_columns, deciding_column, is_defective, of_split
from benchmarks.store.table import Table, read_table

T = TypeVar("T")
LOSSES = Path(LOGS) / "metrics.csv"
SIDES = {"good": "normal", "defective": "anomalous"}  # our words, and those in the leaderboard's columns


@dataclass(frozen=True)
class Run:
    """A finished run and what lies beside its record, read when it is asked for."""

    record: Record
    folder: Path

    @property
    def result(self) -> Result:
        assert self.record.result is not None
        return self.record.result

    @cached_property
    def scores(self) -> Table | None:
        """`scores.csv`; None where the folder holds nothing but the record.

        Raises:
            UserError: it cannot be read, as with the next two.
        """
        return _read(self.folder / SCORES, lambda text: _with_columns({"path", *self._decided_by}, text))

    @cached_property
    def has_scores(self) -> bool:
        """Whether there are `scores`, as far as the file's size tells."""
        path = self.folder / SCORES
        return path.is_file() and path.stat().st_size > 0

    @property
    def _decided_by(self) -> set[str]:
        return {"split", "defective", deciding_column(self.result)}

    @cached_property
    def losses(self) -> Losses | None:
        """`logs/metrics.csv`; None for methods that are not trained by gradients."""
        return _read(self.folder / LOSSES, read_losses)

    @cached_property
    def learning_curve(self) -> dict[int, Result]:
        """Results by the number of epochs; empty where none was scored on the way."""
        return learning_curve(self.record, self.folder)

    @cached_property
    def pro_curve(self) -> Table | None:
        """`pro_curve.csv`: false_positive_rate, region_overlap; None without masks."""
        return _read(
            self.folder / PRO_CURVE, lambda text: _with_columns({"false_positive_rate", "region_overlap"}, text)
        )

    @cached_property
    def test_scores(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """(score that decided, defective) of its test images."""
        needed = self._decided_by  # for ranks this is all that is read: a third of the time
        table = _read(self.folder / SCORES, lambda text: _with_columns(needed, text, needed.__contains__))
        assert table is not None
        test = of_split(table, "test")
        return test[deciding_column(self.result)], is_defective(test)

    @property
    def right_N(self) -> NDArray[np.bool_]:
        """Whether each test image was classified correctly."""
        scores_N, defective_N = self.test_scores
        right_N: NDArray[np.bool_] = (scores_N > self.result.deciding_threshold) == defective_N
        return right_N

    @property
    def has_areas(self) -> bool:
        """Whether the threshold can be found anew: there are scores for several areas, those of validation images too."""
        return (
            self.scores is not None
            and len(area_columns(self.scores.dtype.names or ())) > 1
            and len(of_split(self.scores, "validation")) > 0
        )

    @cached_property
    def over_area(self) -> "OverArea":
        """Its accuracies over the minimum area, the threshold found anew for each."""
        assert self.scores is not None
        areas = area_columns(self.scores.dtype.names or ())
        scores_NA = np.column_stack([self.scores[name] for name in areas.values()])
        is_test = self.scores["split"] == "test"
        defective = is_defective(self.scores[is_test])
        rule = Rule.of_protocol(self.record.identity.get("config", {}).get("protocol", {}))
        threshold_A = [rule.threshold(scores_N) for scores_N in scores_NA[~is_test].T]
        right_NA = (scores_NA[is_test] > threshold_A) == defective[:, None]
        area_A = np.array(list(areas))
        order = np.argsort(area_A)
        sides = {"good": right_NA[~defective], "defective": right_NA[defective]}
        return OverArea(area_A[order], {side: part.mean(axis=0)[order] for side, part in sides.items() if len(part)})


@dataclass(frozen=True)
class OverArea:
    """Accuracies over the minimum defect area."""

    area_A: NDArray[np.float64]
    """Shares of the image, increasing."""
    accuracy_A: dict[str, NDArray[np.float64]]
    """By side; a side without test images is left out."""


@dataclass(frozen=True)
class Cell:
    """One method on one category: all its seeds."""

    method: str
    category: str
    row: dict[str, Any] | None
    """Its row of the leaderboard; None if every run failed."""
    runs: tuple[Run, ...]
    failed: tuple[Record, ...]

    @property
    def scored(self) -> list[Run]:
        """The runs whose scores are at hand."""
        return [run for run in self.runs if run.has_scores]

    def total(self, side: str) -> int:
        """Number of good or of defective test images."""
        share = getattr(self.runs[0].result, side) if self.runs else None
        return share.total if share else 0

    def accuracy(self, side: str) -> float | None:
        return self._value(f"{SIDES[side]}_accuracy")

    def published(self, side: str) -> float | None:
        """The paper's value; None for other datasets and methods."""
        return self._value(f"paper_{SIDES[side]}")

    @cached_property
    def over_area(self) -> OverArea:
        """Means over the seeds, which share the grid of areas."""
        curves = [run.over_area for run in self.scored]
        sides = curves[0].accuracy_A
        return OverArea(
            curves[0].area_A, {side: np.mean([c.accuracy_A[side] for c in curves], axis=0) for side in sides}
        )

    def _value(self, column: str) -> float | None:
        value = None if self.row is None else self.row.get(column)
        return None if value is None or is_empty(value) else float(value)


def cells_of(records: Iterable[Record], rows: pd.DataFrame, store: RunStore) -> dict[tuple[str, str], Cell]:
    """The cells of one dataset and budget, by method and category.

    Args:
        records: finished and failed runs of that dataset and budget.
        rows: their rows of the leaderboard.
    """
    of_cell: dict[tuple[str, str], list[Record]] = {}
    for record in sorted(records, key=lambda record: record.seed):
        of_cell.setdefault((record.method, record.category), []).append(record)
    row_of = {(row["method"], row["category"]): row for row in rows_of(rows)}
    return {key: _cell(key, row_of.get(key), found, store) for key, found in of_cell.items()}


def _cell(key: tuple[str, str], row: dict[str, Any] | None, records: list[Record], store: RunStore) -> Cell:
    finished = [record for record in records if record.result is not None]
    failed = [record for record in records if record.result is None]
    return Cell(*key, row, tuple(Run(record, store.where(record)) for record in finished), tuple(failed))


def _read(path: Path, parse: Callable[[str], T]) -> T | None:
    """What a file says; None if there is no such file.

    Raises:
        UserError: it cannot be read.
    """
    try:
        text = read_file(path).decode()
        return parse(text) if text else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"Cannot read {path} ({error}). Run its cell again with force=true.") from error


def _with_columns(needed: set[str], text: str, wanted: Callable[[str], bool] = lambda name: True) -> Table:
    table = read_table(text, wanted)
    if missing := needed.difference(table.dtype.names or ()):
        raise ValueError(f"it has no column {', '.join(sorted(missing))}")
    return table
