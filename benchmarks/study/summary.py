"""What a reader takes from the study: two or three sentences for a dataset, one table for a category."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from benchmarks.protocol.estimators import MAXIMUM
from benchmarks.store import paper
from benchmarks.store.columns import rows_of
from benchmarks.study.area import ALL_CATEGORIES, AreaStudy
from benchmarks.study.curves import SECTION, SIDES
from benchmarks.study.grid import ONE_PIXEL

CAPTION = (
    "Pairs are good / defective images classified correctly. Nearest: the area, estimator or number of held-out images whose "
    "pair is nearest to the paper's; within: the areas at which both the paper's values lie in our 95 % intervals; within with: "
    "the estimators for which there is such an area; any "
    "threshold: what is found at the paper's share of good images if the test images themselves choose threshold and area, as "
    "no run may."
)


@dataclass(frozen=True)
class Findings:
    """What stands under one heading."""

    heading: str
    sentences: list[str]
    table: pd.DataFrame
    """A row for each method; empty for a whole dataset."""


def overview(study: AreaStudy, dataset: str, budget: str) -> Findings:
    """What holds for the whole of one dataset and budget."""
    cells, categories, ranks = (_of(frame, dataset, budget) for frame in (study.cells, study.categories, study.ranks))
    compared = cells[cells["closest_distance"].notna()]
    sentences = [f"The paper has no values for these cells of {dataset}: curves and ranks only."]
    if len(categories):
        sentences = [
            f"Cells that reach the paper's pair at some area: {int(compared['reachable'].sum())} of {len(compared)}. As a "
            f"control, these cells' curves reach {_words_in(compared['others_reached'])} of {_words_in(compared['others'])} pairs "
            "that the paper gives other methods of the same category: many areas are tried, and with few images the intervals are "
            "wide, so a pair that is reached is not excluded, and no more.",
            "Categories in which one area, the paper's rule, explains all methods at once: "
            f"{int(categories['explained'].sum())} of {len(categories)}.",
        ]
    if cells["seeds"].str.contains(" ").any():
        sentences.append(
            "Pairs are means over the seeds, which share the test images; intervals are those of one seed."
        )
    ranked = ranks[ranks["category"] == ALL_CATEGORIES]
    return Findings(f"Dataset {dataset}, budget {budget}", sentences + _best_by_area(ranked), pd.DataFrame())


def category_findings(study: AreaStudy, dataset: str, budget: str, category: str) -> Findings:
    """What holds for one category: a row for each method, then one area for all of them."""
    cells, categories, ranks = (
        frame[frame["category"] == category]
        for frame in (_of(f, dataset, budget) for f in (study.cells, study.categories, study.ranks))
    )
    rows = {cell["method"]: _method(study, cell) for cell in methods_in_order(cells)}
    table = pd.DataFrame.from_dict(rows, orient="index").dropna(axis="columns", how="all").fillna("")
    sentences = [_one_area(row) for row in rows_of(categories)]
    return Findings(category, sentences + _best_by_area(ranks), table.rename_axis("method"))


def methods_in_order(cells: pd.DataFrame) -> list[dict[str, Any]]:
    """Cells of one category, the methods of Table 2 first and in its order."""
    rank = {method: place for place, method in enumerate(paper.METHODS)}
    return sorted(rows_of(cells), key=lambda cell: (rank.get(cell["method"], len(rank)), cell["method"]))


def percent(area: float) -> str:
    """An area as a percentage of the image: `0.1 %`."""
    return f"{100 * area:.4g} %"


def pair_in_words(point: dict[str, Any]) -> str:
    """`good 19.3/20 = 0.97 [0.84, 1.00], defective 32.3/63 = 0.51 [0.39, 0.63]`; sides without test images are left out."""
    return ", ".join(
        f"{name} {round(point[f'{side}_correct'], 1):g}/{point[f'{side}_total']:.0f} = {point[f'{side}_accuracy']:.2f} "
        f"[{point[f'{side}_low']:.2f}, {point[f'{side}_high']:.2f}]"
        for side, name in zip(SIDES, ("good", "defective"), strict=True)
        if pd.notna(point[f"{side}_total"])
    )


def _method(study: AreaStudy, cell: dict[str, Any]) -> dict[str, str | None]:
    """The row of one method; what needs the paper's pair is None where it has none."""
    curve, fewer = study.mean_curve(cell), study.mean_subsets(cell)
    declared = rows_of(curve[curve["declared"]])
    half = rows_of(fewer[fewer["images"] == fewer["held_out"] // 2])
    row: dict[str, str | None] = {
        f"declared area, {percent(cell['declared_area'])}": _pair(declared[0], "{}_accuracy") if declared else None,
        "with half of the held-out images": _pair(half[0], "{}_expected") if half else None,
        "paper": None if pd.isna(cell["paper_normal"]) else _pair(cell, "paper_{}"),
    }
    if pd.isna(cell["closest_distance"]):
        return row
    on_grid = curve[curve["area"] > ONE_PIXEL]
    nearest = rows_of(on_grid[on_grid["area"] == cell["closest_area"]])[0]
    areas = [percent(float(area)) for area in cell["reachable_areas"].split()]
    estimators = [name for name in cell["estimators_that_reach"].split("; ") if name and name != MAXIMUM]
    return row | {
        "nearest area": f"{percent(cell['closest_area'])}: {_pair(nearest, '{}_accuracy')}",
        "within at": ", ".join(areas) or f"none ({cell['seeds_that_reach']:.0f} of {len(cell['seeds'].split())} seeds)",
        "nearest estimator": cell["closest_estimator"],
        "within with": ", ".join(estimators) or "none other",
        "nearest number held out": f"{cell['closest_images']:.0f} of {fewer['held_out'].iloc[0]}: "
        + _pair(cell, "closest_images_{}"),
        "any threshold": _any_threshold(cell),
    }


def _any_threshold(cell: dict[str, Any]) -> str | None:
    if pd.isna(cell["any_threshold_anomalous"]):
        return None
    return f"{percent(cell['any_threshold_area'])}: {cell['paper_normal']:.2f} / {cell['any_threshold_anomalous']:.2f}"


def _pair(point: dict[str, Any], name: str) -> str:
    values = [point[name.format(side)] for side in SIDES]
    return " / ".join("-" if pd.isna(value) else f"{value:.2f}" for value in values)


def _one_area(row: dict[str, Any]) -> str:
    methods, reaching = row["methods"].split(), row["methods_that_reach"].split()
    verdict = "explains all methods" if row["explained"] else "comes nearest, no area explains all methods"
    return (
        f"One area for {row['category']}: {percent(row['area'])} {verdict}; it explains {len(reaching)} of {len(methods)}"
        + (f" ({', '.join(reaching)})." if reaching else ".")
    )


def _best_by_area(ranks: pd.DataFrame) -> list[str]:
    if ranks.empty:
        return []
    runs = ranks.assign(run=(ranks["best"] != ranks["best"].shift()).cumsum()).groupby("run")
    best = "; ".join(
        f"{' and '.join(part['best'].iloc[0].split())} {' to '.join(map(percent, part['area'].iloc[[0, -1]].unique()))}"
        for _, part in runs
    )
    taus = ranks["kendall_tau"].dropna()
    order = (
        f" Kendall's tau with the order at the declared area: {taus.min():.2f} to {taus.max():.2f}."
        if len(taus)
        else ""
    )
    return [f"Best of {ranks['methods'].iloc[0]} methods by balanced accuracy, by area: {best}.{order}"]


def _words_in(column: "pd.Series[str]") -> int:
    return sum(len(words.split()) for words in column)


def _of(frame: pd.DataFrame, dataset: str, budget: str) -> pd.DataFrame:
    return frame[(frame[SECTION[0]] == dataset) & (frame[SECTION[1]] == budget)]
