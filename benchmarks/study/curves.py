"""The curve of one cell: Table 2's pair at every area of the grid, for every estimator, and for fewer held-out images."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import groupby
from statistics import fmean
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.protocol.decision import Share
from benchmarks.protocol.estimators import ESTIMATORS, maximum_of_subsets
from benchmarks.store import paper
from benchmarks.store.columns import rows_of
from benchmarks.study.grid import Grid

MEAN = "mean"
CELL = ["dataset", "budget", "method", "category", "kind"]
SECTION = ["dataset", "budget"]
COLUMNS = {
    "dataset": "name of the dataset; only mvtec_ad is compared with the paper",
    "budget": "name of the budget",
    "method": "name of the method",
    "category": "name of the category",
    "kind": "texture or object",
    "seed": "one seed, or `mean` of the cell's seeds",
    "estimator": "how the threshold follows from the validation scores; `maximum` is the benchmark's rule",
    "area": "minimum defect area, share of the image; 0: one pixel, so that the score is the map's maximum",
    "declared": "whether the runs were decided by this area",
    "threshold": "computed anew for this area and estimator; its mean for `mean`",
    "normal_correct": "good test images classified correctly; the mean count for `mean`",
    "normal_total": "good test images; empty as all of `normal_` where there are none",
    "normal_accuracy": "normal_correct / normal_total",
    "normal_low": "lower end of Wilson's 95 % interval of the count, rounded for `mean` (seeds share the images)",
    "normal_high": "upper end",
    "anomalous_correct": "defective test images classified correctly; the mean count for `mean`",
    "anomalous_total": "as for normal",
    "anomalous_accuracy": "as for normal",
    "anomalous_low": "as for normal",
    "anomalous_high": "as for normal",
    "balanced_accuracy": "mean of normal_accuracy and anomalous_accuracy",
    "paper_normal": "the paper's value; empty where it has none",
    "paper_anomalous": "the paper's value",
    "distance": "Euclidean distance of the pair to the paper's (ours: the paper has no such measure)",
    "inside": "whether both paper's values, as they are rounded to two digits, lie in the 95 % intervals",
}
SUBSET_COLUMNS = {
    **{name: COLUMNS[name] for name in (*CELL, "seed")},
    "images": "number of held-out images that the threshold is taken from, out of those that the run held out",
    "held_out": "how many the run held out",
    "share": "the same as a share of train/good, as protocol.validation_share would say it",
    "normal_expected": "accuracy on good test images, expected over all subsets of so many held-out images",
    "normal_low": "95 % of the subsets give an accuracy between this ...",
    "normal_high": "... and this; for `mean` the mean of the seeds' ends",
    "anomalous_expected": "as for normal",
    "anomalous_low": "as for normal",
    "anomalous_high": "as for normal",
    "balanced_expected": "mean of the two expected accuracies",
    "paper_normal": COLUMNS["paper_normal"],
    "paper_anomalous": COLUMNS["paper_anomalous"],
    "distance": "of the expected pair to the paper's",
}
SIDES = ("normal", "anomalous")
Mean = Callable[[Sequence[dict[str, Any]]], dict[str, Any]]


def curves(grids: Sequence[Grid]) -> pd.DataFrame:
    """Rows with the columns of `COLUMNS`: each seed's, then their mean, for each cell, estimator and area."""
    rows = [row for grid in grids for row in _curve(grid)]
    key = [*CELL, "estimator", "area"]
    return _with_means(rows, key, list(COLUMNS), _mean_of_curve)


def subsets(grids: Sequence[Grid]) -> pd.DataFrame:
    """Rows with the columns of `SUBSET_COLUMNS`, at the declared area and the benchmark's rule."""
    rows = [row for grid in grids for row in _subsets(grid)]
    return _with_means(rows, [*CELL, "images"], list(SUBSET_COLUMNS), _mean_of_subsets)


def mean_points(frame: pd.DataFrame, key: Sequence[str]) -> dict[tuple[Any, ...], pd.DataFrame]:
    """The means over the seeds, by the values of the columns `key`: looked up for each cell, they are sorted once."""
    means = frame[frame["seed"] == MEAN]
    return {tuple(values): part for values, part in means.groupby(list(key), sort=False)}


def _with_means(rows: list[dict[str, Any]], key: list[str], columns: list[str], mean: Mean) -> pd.DataFrame:
    """The seeds' rows and one more for each key, with what depends on the paper added to all."""
    order = {name: place for place, name in enumerate(ESTIMATORS)}

    def place(row: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(order.get(row[name], row[name]) for name in key)

    rows = sorted(rows, key=place)
    complete = []
    for _, same in groupby(rows, place):
        seeds = list(same)
        complete += [*seeds, seeds[0] | mean(seeds) | {"seed": MEAN}]
    published = {(row["method"], row["category"]): row for row in rows_of(paper.table2())}
    return pd.DataFrame([row | _against_the_paper(row, published) for row in complete], columns=columns)


def _cell(grid: Grid) -> dict[str, Any]:
    record = grid.record
    return {name: getattr(record, name) for name in (*CELL, "seed")}


def _curve(grid: Grid) -> Iterator[dict[str, Any]]:
    for place, area in enumerate(grid.areas):
        for name, estimator in ESTIMATORS.items():
            limit = estimator(grid.validation_VA[:, place])
            right_N = (grid.test_NA[:, place] > limit) == grid.defective_N
            yield _with_shares(
                _cell(grid)
                | {"estimator": name, "area": area, "declared": place == grid.declared, "threshold": limit}
                | _counts("normal", right_N[~grid.defective_N])
                | _counts("anomalous", right_N[grid.defective_N])
            )


def _counts(side: str, right: np.ndarray) -> dict[str, int]:
    return {f"{side}_correct": int(right.sum()), f"{side}_total": len(right)} if len(right) else {}


def _mean_of_curve(seeds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    names = [name for name in ("threshold", "normal_correct", "anomalous_correct") if name in seeds[0]]
    return _with_shares(seeds[0] | {name: fmean(row[name] for row in seeds) for name in names})


def _with_shares(row: dict[str, Any]) -> dict[str, Any]:
    """A row with what follows from its counts."""
    for side in (side for side in SIDES if f"{side}_total" in row):
        correct, total = row[f"{side}_correct"], row[f"{side}_total"]
        low, high = _interval(round(correct), total)
        row = row | {f"{side}_accuracy": correct / total, f"{side}_low": low, f"{side}_high": high}
    return row | _balanced(row, "accuracy")


@cache
def _interval(correct: int, total: int) -> tuple[float, float]:
    return Share.of(correct, total).interval


def _balanced(row: dict[str, Any], what: str) -> dict[str, float]:
    both = [row[f"{side}_{what}"] for side in SIDES if f"{side}_{what}" in row]
    return {f"balanced_{what}": fmean(both)} if len(both) == 2 else {}


def _subsets(grid: Grid) -> Iterator[dict[str, Any]]:
    """For each number of images: the accuracy at each held-out score, weighted by how often that is a subset's maximum."""
    limits_V = np.sort(grid.validation_VA[:, grid.declared])
    above_VN = grid.test_NA[:, grid.declared] > limits_V[:, None]
    accuracies = {
        side: (above_VN[:, chosen_N] == truth).mean(axis=1)
        for side, chosen_N, truth in (
            ("normal", ~grid.defective_N, False),
            ("anomalous", grid.defective_N, True),
        )
        if chosen_N.any()
    }
    total = len(limits_V)
    for images in range(1, total + 1):
        chance_V = maximum_of_subsets(total, images)
        row = _cell(grid) | {"images": images, "held_out": total, "share": _declared_share(grid) * images / total}
        for side, accuracy_V in accuracies.items():
            low, high = _middle(accuracy_V, chance_V)
            row |= {f"{side}_expected": float(chance_V @ accuracy_V), f"{side}_low": low, f"{side}_high": high}
        yield row | _balanced(row, "expected")


def _declared_share(grid: Grid) -> float:
    protocol = grid.record.identity["config"].get("protocol", {})
    return float(protocol.get("validation_share", np.nan)) if grid.folds is None else 1.0


def _middle(values: np.ndarray, chances: np.ndarray) -> tuple[float, float]:
    """The least and the greatest value that remain when 2.5 % of the chance is cut off at either end."""
    order = np.argsort(values, kind="stable")
    below = np.cumsum(chances[order])
    ends = np.searchsorted(below, (0.025, 0.975 - 1e-12)).clip(max=len(values) - 1)
    return float(values[order[ends[0]]]), float(values[order[ends[1]]])


def _mean_of_subsets(seeds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    names = [f"{side}_{what}" for side in SIDES for what in ("expected", "low", "high")] + ["balanced_expected"]
    return {name: fmean(row[name] for row in seeds) for name in names if name in seeds[0]}


def _against_the_paper(row: dict[str, Any], published: dict[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    pair = published.get((row["method"], row["category"]))
    if row["dataset"] != paper.MVTEC_AD or pair is None:
        return {}
    found: dict[str, Any] = {f"paper_{side}": pair[f"{side}_accuracy"] for side in SIDES}
    what = "accuracy" if "estimator" in row else "expected"
    if f"balanced_{what}" in row:
        found["distance"] = float(np.hypot(*(row[f"{side}_{what}"] - found[f"paper_{side}"] for side in SIDES)))
    if what == "accuracy" and "distance" in found:
        found["inside"] = all(paper.lies_within(found[f"paper_{s}"], row[f"{s}_low"], row[f"{s}_high"]) for s in SIDES)
    return found
