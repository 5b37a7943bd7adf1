"""Stored scores come back as they were written; what is not a table of scores is refused by its name."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.common.errors import UserError
from benchmarks.store.runs import RunStore
from benchmarks.study import grid
from benchmarks.study.grid import read_grids
from tests.study.stored import AREAS, scores, store


def test_scores_come_back(tmp_path: Path) -> None:
    table = scores(0)
    store(tmp_path, table)
    (found,) = read_grids(tmp_path, RunStore(tmp_path).records())
    assert found.areas == (grid.ONE_PIXEL, *AREAS) and found.areas[found.declared] == 1e-3
    assert found.validation_VA.shape == (6, 4) and found.test_NA.shape == (18, 4)
    assert np.array_equal(found.test_NA[:, 0], table["map_maximum"][6:])
    assert np.array_equal(found.test_NA[:, 3], table["score_0.05"][6:])
    assert found.defective_N.sum() == 10


def test_an_area_of_many_digits_is_found_by_its_columns_name(tmp_path: Path) -> None:
    store(tmp_path, scores(0, areas=(1e-5, 0.00123456789)), area=0.00123456789)
    (found,) = read_grids(tmp_path, RunStore(tmp_path).records())
    assert found.declared == 2


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda table: table.drop(columns="split"), "no column split"),
        (lambda table: table.drop(columns=["defective", "map_maximum"]), "no column defective"),
        (lambda table: table.drop(columns="map_maximum"), "no column map_maximum"),
        (lambda table: table.assign(score_total=1.0), "could not convert string to float: 'total'"),
        (lambda table: table.drop(columns="score_0.001"), r"no column score_0\.001"),
        (lambda table: table.assign(**{"score_0.05": "high"}), "could not convert string 'high' to float"),
        (lambda table: table.assign(**{"score_0.05": np.nan}), "could not convert string '' to float"),
        (lambda table: table.assign(defective="yes"), "column defective is not True or False"),
        (lambda table: table[table["split"] == "test"], "it needs rows of both splits"),
        (lambda table: table.assign(**{"score_0.001": table["score_0.001"] + 1}), "its run.json"),
        (lambda table: pd.DataFrame(), "no columns"),
    ],
    ids=[
        "split",
        "two",
        "maximum",
        "foreign",
        "declared",
        "text",
        "empty",
        "yes",
        "validation",
        "other run",
        "no table",
    ],
)
def test_foreign_scores_are_refused_by_name(tmp_path: Path, damage: object, message: str) -> None:
    """By the store, where they do not fit their record; else by the study."""
    store(tmp_path, scores(0))
    path = tmp_path / "runs" / "ae_l2" / "bottle" / "seed=0" / "scores.csv"
    damaged: pd.DataFrame = damage(pd.read_csv(path))  # type: ignore[operator]
    damaged.to_csv(path, index=False)
    with pytest.raises(UserError, match=rf"scores\.csv .*{message}.*Run ae_l2 / bottle / seed=0"):
        contents = RunStore(tmp_path).contents()
        contents.complain()
        read_grids(tmp_path, contents.records)


def test_missing_scores_are_told(tmp_path: Path) -> None:
    store(tmp_path, scores(0))
    next(tmp_path.rglob("scores.csv")).unlink()
    with pytest.raises(UserError, match=r"scores\.csv is missing\. Run .* again"):
        read_grids(tmp_path, RunStore(tmp_path).records())
