"""The schema of leaderboard.csv: its page, its check, and what a reader of the file gets."""

from pathlib import Path

import pandas as pd
import pytest

from benchmarks.common.errors import UserError
from benchmarks.report.build import build
from benchmarks.store.columns import COLUMNS, schema_page, validate
from benchmarks.store.identity import PROJECT
from benchmarks.store.leaderboard import leaderboard
from tests.report.stores import write_store
from tests.store.test_runs import RECORD


def test_the_schema_page_is_up_to_date() -> None:
    remedy = "python -m benchmarks.store.columns > results/LEADERBOARD.md"
    assert (PROJECT / "results" / "LEADERBOARD.md").read_text(encoding="utf-8") == schema_page(), remedy


@pytest.mark.parametrize(
    ("column", "value", "complaint"),
    [
        ("normal_accuracy", 1.2, "normal_accuracy is 1.2, outside its range"),
        ("normal_accuracy", "a lot", "normal_accuracy is 'a lot', not a number"),
        ("normal_total", 19.5, "normal_total is 19.5, not a whole number"),
        ("method", None, "method is empty"),
        ("masks", "yes", "masks is 'yes', not True or False"),
        ("thresholds", "0.1 x", "thresholds is '0.1 x', not numbers"),
        ("image_aurocs", "0.5 1.5", "image_aurocs is 1.5, outside its range"),
        ("device", 3, "device is 3, not text"),
        ("difference_normal", -1.5, "difference_normal is -1.5, outside its range"),
    ],
)
def test_a_value_outside_the_schema_is_named(column: str, value: object, complaint: str) -> None:
    rows = leaderboard([RECORD]).astype(object)
    validate(rows)
    rows[column] = [value]
    with pytest.raises(UserError, match="bottle .*" + complaint if column != "method" else complaint):
        validate(rows)


def test_a_mean_of_ones_is_one_whatever_its_last_digit() -> None:
    rows = leaderboard([RECORD]).astype(object)
    rows["image_average_precision"], rows["aupro"] = [1 + 2e-16], [-1e-17]
    validate(rows)


def test_no_column_may_be_added_or_left_out() -> None:
    rows = leaderboard([RECORD])
    for wrong in (rows.assign(mine=1), rows.drop(columns="seeds")):
        with pytest.raises(UserError, match=r"wrong: \['(mine|seeds)'\]"):
            validate(wrong)


def test_the_file_reads_back_with_the_types_of_the_schema(tmp_path: Path) -> None:
    build(write_store(tmp_path / "a", seeds=[0, 1], categories=["bottle", "carpet"]), tmp_path / "out")
    read = pd.read_csv(tmp_path / "out" / "leaderboard.csv")
    assert list(read.columns) == list(COLUMNS) and len(read) == 10
    for name, column in COLUMNS.items():
        present = read[name].dropna()
        if column.kind in {"integer", "number"}:
            assert pd.api.types.is_numeric_dtype(read[name]), name
        if column.kind == "boolean":
            assert set(present) <= {True, False}, name
        assert not (column.required and read[name].isna().any()), name
