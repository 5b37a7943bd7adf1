"""Every point of a curve against counting by hand, and the expectation over subsets against all subsets."""

from itertools import combinations
from pathlib import Path
from statistics import fmean

import numpy as np
import pandas as pd
import pytest

from benchmarks.protocol.decision import Share
from benchmarks.store.runs import RunStore
from benchmarks.study.curves import COLUMNS, MEAN, SUBSET_COLUMNS, curves, subsets
from benchmarks.study.grid import Grid, read_grids
from tests.study.stored import AREAS, scores, store


def grids(results: Path) -> list[Grid]:
    return read_grids(results, RunStore(results).records())


def counted(table: pd.DataFrame, column: str, limit: float) -> tuple[int, int]:
    """Good and defective test images on their side of a threshold, one by one."""
    good = bad = 0
    for image in table[table["split"] == "test"].to_dict("records"):
        if image["defective"]:
            bad += image[column] > limit
        else:
            good += image[column] <= limit
    return good, bad


def test_every_point_equals_counting(tmp_path: Path) -> None:
    table = scores(0)
    store(tmp_path, table)
    points = curves(grids(tmp_path))
    assert list(points.columns) == list(COLUMNS)
    held_out = table[table["split"] == "validation"]
    for area in (0.0, *AREAS):
        column = f"score_{area:g}" if area else "map_maximum"
        values = held_out[column].to_numpy()
        limits = {
            "maximum": max(values),
            "0.9-quantile": np.quantile(values, 0.9),
            "mean + 3 sigma": values.mean() + 3 * values.std(),
        }
        for estimator, limit in limits.items():
            point = points[(points["area"] == area) & (points["estimator"] == estimator) & (points["seed"] == 0)].iloc[
                0
            ]
            assert point["threshold"] == pytest.approx(limit)
            assert (point["normal_correct"], point["anomalous_correct"]) == counted(table, column, limit)
            assert (point["normal_low"], point["normal_high"]) == Share.of(int(point["normal_correct"]), 8).interval
            assert point["declared"] == (area == 1e-3)


def test_seeds_are_kept_apart_and_averaged(tmp_path: Path) -> None:
    for seed in (0, 1, 2):
        store(tmp_path, scores(seed), seed=seed)
    points = curves(grids(tmp_path))
    one = points[(points["area"] == 1e-3) & (points["estimator"] == "maximum")].set_index("seed")
    assert list(one.index) == [0, 1, 2, MEAN]
    for name in ("threshold", "normal_accuracy", "anomalous_correct", "balanced_accuracy"):
        assert one.loc[MEAN, name] == pytest.approx(fmean(one.loc[[0, 1, 2], name]))
    count = round(one.loc[MEAN, "anomalous_correct"])
    assert (one.loc[MEAN, "anomalous_low"], one.loc[MEAN, "anomalous_high"]) == Share.of(count, 10).interval


def test_the_papers_pair_and_what_counts_as_reaching_it(tmp_path: Path) -> None:
    store(tmp_path, scores(0))  # Table 2, bottle, AE (L2): 0.70 and 0.89
    for point in curves(grids(tmp_path)).to_dict("records"):
        expected = ((point["normal_accuracy"] - 0.70) ** 2 + (point["anomalous_accuracy"] - 0.89) ** 2) ** 0.5
        assert point["distance"] == pytest.approx(expected)
        inside = (
            point["normal_low"] - 0.005 <= 0.70 <= point["normal_high"] + 0.005
            and point["anomalous_low"] - 0.005 <= 0.89 <= point["anomalous_high"] + 0.005
        )
        assert point["inside"] == inside


def test_other_datasets_and_methods_are_not_compared(tmp_path: Path) -> None:
    store(tmp_path, scores(0), dataset="synthetic")
    store(tmp_path, scores(0), method="mine")
    points = curves(grids(tmp_path))
    assert points[["paper_normal", "distance", "inside"]].isna().all(axis=None)


def test_a_side_without_images_has_no_numbers(tmp_path: Path) -> None:
    store(tmp_path, scores(0, good=0))
    points, fewer = curves(grids(tmp_path)), subsets(grids(tmp_path))
    assert points[["normal_accuracy", "balanced_accuracy", "distance"]].isna().all(axis=None)
    assert fewer["normal_expected"].isna().all() and fewer["anomalous_expected"].notna().all()


def test_expectation_over_subsets_equals_all_subsets(tmp_path: Path) -> None:
    table = scores(3)
    store(tmp_path, table)
    fewer = subsets(grids(tmp_path))
    assert list(fewer.columns) == list(SUBSET_COLUMNS)
    values = table.loc[table["split"] == "validation", "score_0.001"]
    for row in fewer[fewer["seed"] == MEAN].to_dict("records"):
        pairs = [counted(table, "score_0.001", max(drawn)) for drawn in combinations(values, row["images"])]
        assert row["normal_expected"] == pytest.approx(fmean(good / 8 for good, _ in pairs))
        assert row["anomalous_expected"] == pytest.approx(fmean(bad / 10 for _, bad in pairs))
        ends = np.quantile([bad / 10 for _, bad in pairs], (0.025, 0.975), method="inverted_cdf")
        assert (row["anomalous_low"], row["anomalous_high"]) == pytest.approx(tuple(ends))
        assert row["share"] == pytest.approx(0.1 * row["images"] / 6)
    whole = fewer.iloc[-1]
    assert whole["images"] == 6 and whole["normal_low"] == whole["normal_high"] == whole["normal_expected"]
