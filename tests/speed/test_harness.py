"""The benchmark of speed itself: values are compared before anything is timed, and the tables are written. No time is asserted."""

import csv
import math
import time
from pathlib import Path

import pytest
import torch

from benchmarks.speed.harness import Alternative, Row, Stage, circumstances, largest_difference, measure, write_csv


def rows(stage: Stage) -> list[Row]:
    return list(measure([stage]))


def test_a_pair_that_agrees_is_timed_in_turn() -> None:
    calls: list[str] = []

    def call(name: str) -> float:
        calls.append(name)
        sum(range(300_000))
        return 1.0

    stage = Stage("sum", lambda: call("ours"), {"other": Alternative(lambda: call("other"))}, aim=1e-9)
    (row,) = rows(stage)
    assert (row.outcome, row.difference) == ("met", 0)
    assert row.ours_s and row.alternative_s and row.ratio and row.ratio_low and row.ratio_high
    assert row.ratio_low <= row.ratio <= row.ratio_high and row.rounds >= 2
    turns = [name for name, before in zip(calls, [None, *calls], strict=False) if name != before]
    assert turns[-2 * row.rounds :] == ["ours", "other"] * row.rounds


@pytest.mark.parametrize("theirs", [1.1, math.nan])
def test_a_pair_that_differs_is_not_timed(theirs: float) -> None:
    calls = []
    stage = Stage("x", lambda: calls.append(1) or 1.0, {"other": Alternative(lambda: theirs)}, tolerance=0.05)
    (row,) = rows(stage)
    assert row.outcome == "values differ" and row.ratio is None and len(calls) == 1


def test_a_share_of_the_work_is_scaled_and_aims_are_judged() -> None:
    def work() -> float:
        return float(sum(range(3_000_000)) > 0)

    whole, tenth = rows(Stage("x", work, {"whole": Alternative(work), "tenth": Alternative(work, share=0.1)}, aim=4.0))
    assert whole.ratio and tenth.ratio and tenth.ratio > 4 > whole.ratio
    assert (whole.outcome, tenth.outcome) == ("short", "met")


def test_arithmetic_is_counted_beside_the_peak() -> None:
    matrix = torch.rand(256, 256)

    def thrice() -> float:
        time.sleep(0.1)
        return float(sum((matrix @ matrix).sum() for _ in range(3)))

    (row,) = rows(Stage("x", thrice, {"other": Alternative(thrice)}, arithmetic=True))
    assert row.gflop_per_s and row.ours_s and row.peak_gflop_per_s
    assert row.gflop_per_s * row.ours_s == pytest.approx(3 * 2 * 256**3 / 1e9)
    assert row.peak_gflop_per_s > row.gflop_per_s


def test_what_is_missing_or_alone_has_its_row() -> None:
    missing, alone = rows(Stage("x", lambda: 0.0, missing=["nowhere"], limit_s=60))
    assert (missing.alternative, missing.outcome, missing.ours_s) == ("nowhere", "missing", None)
    assert (alone.outcome, alone.ratio) == ("met", None) and alone.ours_s is not None


def test_the_csv_says_where_and_when(tmp_path: Path) -> None:
    measured = rows(Stage("a, b", lambda: 1.0, {"other": Alternative(lambda: 1.0)}, missing=["nowhere"]))
    write_csv(tmp_path / "speed" / "stages.csv", measured, circumstances("cpu"))
    with (tmp_path / "speed" / "stages.csv").open() as file:
        read = list(csv.DictReader(file))
    assert [row["alternative"] for row in read] == ["nowhere", "other"] and read[0]["stage"] == "a, b"
    assert read[0]["ratio"] == "" and float(read[1]["ratio"]) > 0
    for column in ("device", "cores", "threads", "load", "versions", "revision", "date"):
        assert read[0][column]


def test_differences_are_relative_to_the_largest_value() -> None:
    assert largest_difference([1.0, 10.0], [1.5, 10.0]) == pytest.approx(0.05)
    with pytest.raises(ValueError, match="shape"):
        largest_difference([1.0], [1.0, 2.0])
