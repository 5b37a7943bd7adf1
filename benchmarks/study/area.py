"""The minimum-area study: what the curves say about cells, about one area for each category, and about ranks of methods."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import add
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.protocol.estimators import MAXIMUM
from benchmarks.store import paper
from benchmarks.store.columns import rows_of
from benchmarks.study.bound import bounds
from benchmarks.study.curves import CELL, COLUMNS, MEAN, SECTION, SIDES, curves, mean_points, subsets
from benchmarks.study.grid import ONE_PIXEL, Grid

ALL_CATEGORIES = "all categories"
CELL_COLUMNS = {
    **{name: COLUMNS[name] for name in CELL},
    "seeds": "the seeds that the means are made of",
    "declared_area": "the area that the runs were decided by",
    "declared_normal": "accuracy on good test images at it, mean over the seeds",
    "declared_anomalous": "accuracy on defective test images at it",
    "paper_normal": COLUMNS["paper_normal"],
    "paper_anomalous": COLUMNS["paper_anomalous"],
    "declared_distance": "distance of the pair at the declared area to the paper's",
    "closest_area": "the area of the grid with the smallest distance; this and the rest is empty where the paper has no value",
    "closest_normal": "accuracy at it",
    "closest_anomalous": "accuracy at it",
    "closest_distance": "distance at it",
    "reachable": "whether at some area of the grid both paper's values lie in the 95 % intervals",
    "reachable_areas": "those areas",
    "others": "control: other methods that the paper has a pair of in this category",
    "others_reached": "those of them whose pair this method's curve reaches at some area, as it reaches its own in reachable",
    "seeds_that_reach": "for how many seeds, each by itself, there is such an area",
    "closest_estimator": "the estimator with the smallest distance at the declared area",
    "estimators_that_reach": "the estimators with which the paper's pair is reached at some area of the grid",
    "closest_images": "number of held-out images whose expected pair is closest to the paper's, at the declared area",
    "closest_images_normal": "the expected accuracy with so many",
    "closest_images_anomalous": "as for normal",
    "any_threshold_area": "the area at which any_threshold_anomalous is reached",
    "any_threshold_anomalous": "accuracy on defective test images at paper_normal, with the threshold and the area that the "
    "test images themselves would choose, as no run may; mean over the seeds",
}
CATEGORY_COLUMNS = {
    "dataset": COLUMNS["dataset"],
    "budget": COLUMNS["budget"],
    "category": COLUMNS["category"],
    "methods": "methods that have been run and that the paper has values for",
    "explained": "whether at one area of the grid all of them reach the paper's pairs at once (the paper's rule)",
    "area": "that area, or else the one that comes closest: the smallest root mean square of the methods' distances (ours)",
    "distance": "this root mean square at it",
    "methods_that_reach": "methods whose pair is reached at it",
}
RANK_COLUMNS = {
    "dataset": COLUMNS["dataset"],
    "budget": COLUMNS["budget"],
    "category": f"the category, or `{ALL_CATEGORIES}`: means over the categories that all the methods were run on",
    "area": "one area of the grid, the same for all methods",
    "methods": "number of methods",
    "kendall_tau": "tau-b of their balanced accuracies against those at the declared area; empty for one method or all equal",
    "best": "the methods with the highest balanced accuracy",
    "best_is_declared": "whether they are the same as at the declared area",
}


@dataclass(frozen=True)
class AreaStudy:
    """All tables of the study; the columns are described in `COLUMNS` and its like."""

    curves: pd.DataFrame
    subsets: pd.DataFrame
    cells: pd.DataFrame
    categories: pd.DataFrame
    ranks: pd.DataFrame

    def mean_curve(self, cell: Mapping[str, Any], estimator: str = MAXIMUM) -> pd.DataFrame:
        """The mean points of one cell over the areas, for one estimator."""
        return self._mean_curves.get((*(cell[name] for name in CELL), estimator), self.curves[:0])

    def mean_subsets(self, cell: Mapping[str, Any]) -> pd.DataFrame:
        """The mean points of one cell over the number of held-out images."""
        return self._mean_subsets.get(tuple(cell[name] for name in CELL), self.subsets[:0])

    @cached_property
    def _mean_curves(self) -> dict[tuple[Any, ...], pd.DataFrame]:
        return mean_points(self.curves, [*CELL, "estimator"])

    @cached_property
    def _mean_subsets(self) -> dict[tuple[Any, ...], pd.DataFrame]:
        return mean_points(self.subsets, CELL)


def area_study(grids: list[Grid]) -> AreaStudy:
    """Make all tables from the stored scores of at least one run."""
    points, fewer = curves(grids), subsets(grids)
    means = points[(points["seed"] == MEAN) & points["balanced_accuracy"].notna()]
    over_grid = means[(means["estimator"] == MAXIMUM) & (means["area"] > ONE_PIXEL)]
    fewer_of = mean_points(fewer, CELL)
    bound_of = bounds(grids)
    cells = [
        _cell(part, fewer_of.get(tuple(cell), fewer[:0])) | bound_of.get(tuple(cell), {})
        for cell, part in points.groupby(CELL)
    ]
    return AreaStudy(
        points,
        fewer,
        pd.DataFrame(cells, columns=list(CELL_COLUMNS)),
        pd.DataFrame(list(_categories(over_grid)), columns=list(CATEGORY_COLUMNS)),
        pd.DataFrame(list(_ranks(over_grid)), columns=list(RANK_COLUMNS)),
    )


def _cell(points: pd.DataFrame, fewer: pd.DataFrame) -> dict[str, Any]:
    """One row of `CELL_COLUMNS` from all points of one cell, and the means of those with fewer held-out images."""
    means = points[points["seed"] == MEAN]
    declared = means[means["declared"]].set_index("estimator")
    first = declared.loc[MAXIMUM]
    row: dict[str, Any] = {name: first[name] for name in (*CELL, "paper_normal", "paper_anomalous")}
    row["seeds"] = " ".join(str(seed) for seed in points["seed"].unique() if seed != MEAN)
    row |= {"declared_area": first["area"], "declared_distance": first["distance"]}
    row |= {f"declared_{side}": first[f"{side}_accuracy"] for side in SIDES}
    if pd.isna(first["distance"]):
        return row
    on_grid = points[(points["area"] > ONE_PIXEL) & points["inside"].eq(True)]
    curve = means[(means["estimator"] == MAXIMUM) & (means["area"] > ONE_PIXEL)]
    closest = curve.loc[curve["distance"].astype(float).idxmin()]
    reaching = on_grid[on_grid["estimator"] == MAXIMUM]
    areas = reaching.loc[reaching["seed"] == MEAN, "area"]
    row |= {
        "closest_area": closest["area"],
        "closest_distance": closest["distance"],
        "reachable": not areas.empty,
        "reachable_areas": " ".join(f"{area:g}" for area in areas),
        **_control(curve, first["method"], first["category"]),
        "seeds_that_reach": reaching.loc[reaching["seed"] != MEAN, "seed"].nunique(),
        "closest_estimator": declared["distance"].astype(float).idxmin(),
        "estimators_that_reach": "; ".join(on_grid.loc[on_grid["seed"] == MEAN, "estimator"].unique()),
    }
    row |= {f"closest_{side}": closest[f"{side}_accuracy"] for side in SIDES}
    return row | _closest_subset(fewer)


def _control(curve: pd.DataFrame, method: str, category: str) -> dict[str, str]:
    """Whether a method's curve tells its own pair from the others': those that it reaches, too, say how weak a test that is."""
    pairs = paper.table2().query("category == @category and method != @method")
    reached = [
        str(other["method"])
        for other in rows_of(pairs)
        if any(
            all(paper.lies_within(other[f"{s}_accuracy"], point[f"{s}_low"], point[f"{s}_high"]) for s in SIDES)
            for point in rows_of(curve)
        )
    ]
    return {"others": " ".join(pairs["method"]), "others_reached": " ".join(reached)}


def _closest_subset(fewer: pd.DataFrame) -> dict[str, Any]:
    most_first = fewer.sort_values("images", ascending=False, kind="stable")
    closest = most_first.iloc[most_first["distance"].astype(float).argmin()]
    found = {f"closest_images_{side}": closest[f"{side}_expected"] for side in SIDES}
    return found | {"closest_images": int(closest["images"])}


def _categories(over_grid: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """One row of `CATEGORY_COLUMNS` for each category that can be compared with the paper."""
    compared = over_grid[over_grid["distance"].notna()]
    for key, part in compared.groupby([*SECTION, "category"]):
        distances = part.pivot(index="area", columns="method", values="distance").astype(float).dropna()
        inside = part.pivot(index="area", columns="method", values="inside").loc[distances.index].astype(bool)
        if distances.empty:
            continue  # the methods share no area
        together = np.sqrt((distances**2).mean(axis=1))
        explaining = together[inside.all(axis=1)]
        area = (explaining if len(explaining) else together).idxmin()
        yield dict(zip([*SECTION, "category"], key, strict=True)) | {
            "methods": " ".join(distances.columns),
            "explained": len(explaining) > 0,
            "area": area,
            "distance": together[area],
            "methods_that_reach": " ".join(inside.columns[inside.loc[area]]),
        }


def _ranks(over_grid: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Rows of `RANK_COLUMNS` for each category with several methods, and for all categories together."""
    for key, section in over_grid.groupby(SECTION):
        place = dict(zip(SECTION, key, strict=True))
        boards = {str(category): _board(part) for category, part in section.groupby("category")}
        methods = set(section["method"])
        common = [category for category, (board, _) in boards.items() if set(board.columns) == methods]
        if len(common) > 1:
            together = [boards[category] for category in common]
            average = reduce(add, (board for board, _ in together)) / len(together)
            declared = reduce(add, (declared for _, declared in together)) / len(together)
            boards[ALL_CATEGORIES] = average.dropna().round(12), declared.round(12)
        for category, (board, declared) in boards.items():
            if len(declared) > 1:
                yield from (place | {"category": category} | row for row in _ranks_of(board, declared))


def _board(part: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """Balanced accuracies of one category: areas by methods, and of each method at its declared area."""
    board = part.pivot(index="area", columns="method", values="balanced_accuracy").dropna()
    declared = part[part["declared"]].set_index("method")["balanced_accuracy"]
    return board.round(12), declared.round(12)  # equal ratios of different counts are ties


def _ranks_of(board: pd.DataFrame, declared: pd.Series) -> Iterator[dict[str, Any]]:
    from scipy.stats import kendalltau

    declared = declared[board.columns]
    for area, balanced in board.iterrows():
        yield {
            "area": area,
            "methods": len(balanced),
            "kendall_tau": float(kendalltau(declared, balanced).statistic),
            "best": _best(balanced),
            "best_is_declared": _best(balanced) == _best(declared),
        }


def _best(balanced: pd.Series) -> str:
    return " ".join(sorted(balanced.index[balanced == balanced.max()]))
