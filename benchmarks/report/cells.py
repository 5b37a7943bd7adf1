"""What the page and the figures show of one cell of a table: its row, its runs, and what lies beside their records."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.common.errors import UserError
from benchmarks.protocol.thresholds import Rule
from benchmarks.store.columns import rows_of
from benchmarks.store.record import SCORES, Record, Result
from benchmarks.store.runs import RunStore
from benchmarks.store.scores import area_columns, deciding_column, numbers_as_written

LOSSES = Path("logs") / "metrics.csv"
PRO_CURVE = "pro_curve.csv"
SIDES = {"good": "normal", "defective": "anomalous"}  # our words, and those in the leaderboard's columns


@dataclass(frozen=True)
class Run:
    """A finished run and what lies beside its record."""

    record: Record
    folder: Path
    scores: pd.DataFrame | None
    """`scores.csv`; None where the folder holds nothing but the record."""
    losses: pd.DataFrame | None
    """`logs/metrics.csv`, one row for each epoch; None for methods that are not trained by gradients."""
    pro_curve: pd.DataFrame | None
    """`pro_curve.csv`: false_positive_rate, region_overlap; None without masks."""

    @property
    def result(self) -> Result:
        assert self.record.result is not None
        return self.record.result

    @cached_property
    def test_scores(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """(score that decided, defective) of its test images."""
        assert self.scores is not None
        test = self.scores[self.scores["split"] == "test"]
        return test[deciding_column(self.result)].to_numpy(float), test["defective"].to_numpy(bool)

    @property
    def right_N(self) -> NDArray[np.bool_]:
        """Whether each test image was classified correctly."""
        scores_N, defective_N = self.test_scores
        own = self.result.own
        limit = own.threshold if own is not None and own.decides else self.result.threshold
        right_N: NDArray[np.bool_] = (scores_N > limit) == defective_N
        return right_N

    @property
    def has_areas(self) -> bool:
        """Whether the threshold can be found anew: there are scores for several areas, those of validation images too."""
        return (
            self.scores is not None
            and len(area_columns(self.scores.columns)) > 1
            and bool((self.scores["split"] == "validation").any())
        )

    @cached_property
    def over_area(self) -> "OverArea":
        """Its accuracies over the minimum area, the threshold found anew for each."""
        assert self.scores is not None
        areas = area_columns(self.scores.columns)
        scores_NA = self.scores[list(areas.values())].to_numpy(float)
        is_test = (self.scores["split"] == "test").to_numpy()
        defective = self.scores["defective"].to_numpy(bool)[is_test]
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
        return [run for run in self.runs if run.scores is not None]

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
        return None if value is None or pd.isna(value) else float(value)


def cells_of(records: Iterable[Record], rows: pd.DataFrame, store: RunStore) -> dict[tuple[str, str], Cell]:
    """The cells of one dataset and budget, by method and category.

    Args:
        records: finished and failed runs of that dataset and budget.
        rows: their rows of the leaderboard.

    Raises:
        UserError: a run's scores or losses cannot be read.
    """
    of_cell: dict[tuple[str, str], list[Record]] = {}
    for record in sorted(records, key=lambda record: record.seed):
        of_cell.setdefault((record.method, record.category), []).append(record)
    row_of = {(row["method"], row["category"]): row for row in rows_of(rows)}
    return {key: _cell(key, row_of.get(key), found, store) for key, found in of_cell.items()}


def _cell(key: tuple[str, str], row: dict[str, Any] | None, records: list[Record], store: RunStore) -> Cell:
    finished = [record for record in records if record.result is not None]
    failed = [record for record in records if record.result is None]
    return Cell(*key, row, tuple(_run(record, store) for record in finished), tuple(failed))


def _run(record: Record, store: RunStore) -> Run:
    assert record.result is not None
    folder = store.where(record)
    scores = _read(folder / SCORES, {"path", "split", "defective", deciding_column(record.result)})
    losses = _read(folder / LOSSES, {"epoch"})
    pro_curve = _read(folder / PRO_CURVE, {"false_positive_rate", "region_overlap"})
    return Run(record, folder, scores, None if losses is None or losses.empty else _by_epoch(losses), pro_curve)


def _read(path: Path, needed: set[str]) -> pd.DataFrame | None:
    """A table whose numbers are read as they were written: a score may equal the threshold. None if there is no such file."""
    if not path.is_file() or path.stat().st_size == 0:
        return None
    remedy = "Run its cell again with force=true."
    try:
        table = numbers_as_written(path)
        if not needed <= set(table.columns):
            missing = ", ".join(sorted(needed - set(table.columns)))
            raise UserError(f"{path} has no column {missing}. {remedy}")
    except (OSError, ValueError) as error:
        raise UserError(f"Cannot read {path} ({error}). {remedy}") from error
    return table.assign(defective=table["defective"] == "True") if "defective" in table else table


def _by_epoch(table: pd.DataFrame) -> pd.DataFrame | None:
    """Losses by epoch; the logger may spread an epoch's values over several rows."""
    table = table.drop(columns=["step"], errors="ignore")
    by_epoch = (
        table.groupby("epoch").mean() if table["epoch"].duplicated().any() else table.set_index("epoch").sort_index()
    )
    losses = by_epoch.dropna(axis="columns", how="all")
    return losses if len(losses.columns) else None
