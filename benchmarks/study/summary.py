"""The study in plain language: what a reader should take from the tables, one sentence for each question."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.protocol.estimators import MAXIMUM
from benchmarks.store import paper
from benchmarks.study.area import ALL_CATEGORIES, AreaStudy
from benchmarks.study.curves import CELL, MEAN, SECTION, SIDES, rows_of
from benchmarks.study.grid import ONE_PIXEL


@dataclass(frozen=True)
class Findings:
    """Sentences under one heading."""

    heading: str
    sentences: list[str]


def overview(study: AreaStudy, dataset: str, budget: str) -> Findings:
    """What holds for the whole of one dataset and budget."""
    cells, categories, ranks = (_of(frame, dataset, budget) for frame in (study.cells, study.categories, study.ranks))
    sentences = []
    if categories.empty:
        sentences.append(
            f"The paper has no values for dataset {dataset}, so nothing is compared with it: curves and ranks only."
        )
    else:
        compared = cells[cells["closest_distance"].notna()]
        reached, explained = int(compared["reachable"].sum()), int(categories["explained"].sum())
        sentences.append(
            f"At some area of the grid the paper's pair is reached in {reached} of {_number(compared, 'cell')}, "
            "which is to say that both its values lie in the 95 % intervals. That is a weak test: many areas are tried, and with "
            "few good images the intervals are wide."
        )
        sentences.append(
            f"One area for the category, the paper's rule, explains all methods at once in {explained} of "
            f"{_number(categories, 'category')}."
        )
    sentences += _rank_words(ranks[ranks["category"] == ALL_CATEGORIES], "Over all categories together")
    if cells["seeds"].str.contains(" ").any():
        sentences.append(
            "Pairs are means over the seeds, which share the test images: intervals are those of one seed's count."
        )
    return Findings(f"Dataset {dataset}, budget {budget}", sentences)


def category_words(study: AreaStudy, dataset: str, budget: str, category: str) -> Findings:
    """What holds for one category: each method, then all of them together."""
    cells, categories, ranks = (
        frame[frame["category"] == category]
        for frame in (_of(f, dataset, budget) for f in (study.cells, study.categories, study.ranks))
    )
    sentences = [sentence for cell in methods_in_order(cells) for sentence in _cell_words(study, cell)]
    sentences += [_one_area(row) for row in rows_of(categories)]
    return Findings(category, sentences + _rank_words(ranks, f"On {category}"))


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


def _cell_words(study: AreaStudy, cell: dict[str, Any]) -> Iterator[str]:
    curve = mean_curve(study.curves, cell)
    declared = rows_of(curve[curve["declared"]])
    on_grid = curve[curve["area"] > ONE_PIXEL]
    name = cell["method"]
    if declared:
        area = percent(cell["declared_area"])
        yield f"{name}: at the declared area, A = {area}, {pair_in_words(declared[0])}. {_spread(on_grid)}"
    if pd.notna(cell["closest_distance"]):
        closest = rows_of(on_grid.loc[on_grid["area"] == cell["closest_area"]])[0]
        yield _reach(cell, closest, list(on_grid["area"]))
        yield _other_rules(cell, int(mean_subsets(study.subsets, cell)["held_out"].iloc[0]))
    elif pd.notna(cell["paper_normal"]):
        yield f"{name} cannot be compared with the paper here: good or defective test images are missing."
    yield from _fewer_images(study.subsets, cell)


def mean_curve(curves: pd.DataFrame, cell: dict[str, Any], estimator: str = MAXIMUM) -> pd.DataFrame:
    """The mean points of one cell over the areas, for one estimator."""
    return _of_cell(curves[(curves["seed"] == MEAN) & (curves["estimator"] == estimator)], cell)


def mean_subsets(subsets: pd.DataFrame, cell: dict[str, Any]) -> pd.DataFrame:
    """The mean points of one cell over the number of held-out images."""
    return _of_cell(subsets[subsets["seed"] == MEAN], cell)


def _spread(on_grid: pd.DataFrame) -> str:
    spans = [
        f"{name} from {on_grid[f'{side}_accuracy'].min():.2f} to {on_grid[f'{side}_accuracy'].max():.2f}"
        for side, name in zip(SIDES, ("good", "defective"), strict=True)
        if on_grid[f"{side}_accuracy"].notna().any()
    ]
    return f"Over the grid, {' and '.join(spans)}."


def _reach(cell: dict[str, Any], closest: dict[str, Any], areas: list[float]) -> str:
    paper = f"the paper's pair (good {cell['paper_normal']:.2f}, defective {cell['paper_anomalous']:.2f})"
    where = f"A = {percent(cell['closest_area'])} with {pair_in_words(closest)}"
    end = ", an end of the grid" if cell["closest_area"] in (areas[0], areas[-1]) else ""
    place = f"{cell['method']} reach {paper} on {cell['category']}"
    if cell["reachable"]:
        reaching = ", ".join(percent(float(area)) for area in cell["reachable_areas"].split())
        return f"{place.replace(' reach ', ' reaches ', 1)} at A = {reaching}; the closest is {where}{end}."
    seeds = len(cell["seeds"].split())
    alone = f" Taken alone, {cell['seeds_that_reach']:.0f} of {seeds} seeds do somewhere." if seeds > 1 else ""
    return f"At no area of the grid does {place}; the closest is {where}{end}.{alone}"


def _other_rules(cell: dict[str, Any], held_out: int) -> str:
    """What other estimators and fewer held-out images do to the distance from the paper's pair."""
    others = [name for name in cell["estimators_that_reach"].split("; ") if name and name != MAXIMUM]
    reached = f"reached at some area with {' or '.join(others)}" if others else "not reached with any other either"
    fewer = "No smaller number of held-out images comes closer"
    if cell["closest_images"] < held_out:
        expected = (
            f"good {cell['closest_images_normal']:.2f}, defective {cell['closest_images_anomalous']:.2f} expected"
        )
        fewer = (
            f"Of all numbers of held-out images, {cell['closest_images']:.0f} of {held_out} come closest ({expected})"
        )
    return (
        f"{cell['method']}: at the declared area the threshold estimator that comes closest to the paper is "
        f"{cell['closest_estimator']}; the pair is {reached}. {fewer}."
    )


def _fewer_images(subsets: pd.DataFrame, cell: dict[str, Any]) -> Iterator[str]:
    fewer = mean_subsets(subsets, cell)
    half = rows_of(fewer[fewer["images"] == fewer["held_out"] // 2])
    if half:
        expected = ", ".join(
            f"{name} {half[0][f'{side}_expected']:.2f}"
            for side, name in zip(SIDES, ("good", "defective"), strict=True)
            if pd.notna(half[0][f"{side}_expected"])
        )
        yield (
            f"{cell['method']}: with {half[0]['images']} of the {half[0]['held_out']} held-out images for the threshold, "
            f"{expected} would be expected."
        )


def _one_area(row: dict[str, Any]) -> str:
    methods, reaching = row["methods"].split(), row["methods_that_reach"].split()
    if row["explained"]:
        together = "the one method" if len(methods) == 1 else _all(methods)
        return f"On {row['category']}, A = {percent(row['area'])} explains {together}: {', '.join(methods)}."
    some = f"{len(reaching)} of them ({', '.join(reaching)})" if reaching else "none of them"
    subject = "the method that was run" if len(methods) == 1 else f"{_all(methods)} at once"
    return f"No area explains {subject} on {row['category']}; A = {percent(row['area'])} comes closest and explains {some}."


def _rank_words(ranks: pd.DataFrame, where: str) -> list[str]:
    if ranks.empty:
        return []
    taus = ranks["kendall_tau"].dropna()
    order = "Kendall's tau is not defined, as their balanced accuracies are equal"
    if len(taus):
        same = np.isclose(taus.min(), taus.max())
        order = f"Kendall's tau {'is' if same else 'lies between'} {taus.min():.2f}"
        order += " throughout" if same else f" and {taus.max():.2f}"
    if ranks["best"].nunique() == 1:
        best = f"the best method is {_methods(ranks['best'].iloc[0])} at every area"
    else:
        runs = ranks.assign(run=(ranks["best"] != ranks["best"].shift()).cumsum()).groupby("run")
        best = "the best method changes with the area: " + ", ".join(
            f"{_methods(part['best'].iloc[0])} {_span(part['area'])}" for _, part in runs
        )
    ranked = f"{where}, of {ranks['methods'].iloc[0]} methods by balanced accuracy, {best}"
    return [f"{ranked}. Against their order at the declared area, {order}."]


def _all(methods: list[str]) -> str:
    return "both methods" if len(methods) == 2 else f"all {len(methods)} methods"


def _methods(names: str) -> str:
    return " and ".join(names.split())


def _span(areas: pd.Series) -> str:
    first, last = areas.iloc[0], areas.iloc[-1]
    return f"at {percent(first)}" if first == last else f"from {percent(first)} to {percent(last)}"


def _number(frame: pd.DataFrame, noun: str) -> str:
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{len(frame)} {noun if len(frame) == 1 else plural}"


def _of(frame: pd.DataFrame, dataset: str, budget: str) -> pd.DataFrame:
    return frame[(frame[SECTION[0]] == dataset) & (frame[SECTION[1]] == budget)]


def _of_cell(frame: pd.DataFrame, cell: dict[str, Any]) -> pd.DataFrame:
    return frame[(frame[CELL] == [cell[name] for name in CELL]).all(axis=1)]
