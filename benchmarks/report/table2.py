"""Table 2 in the paper's layout: for each category good above defective, one column for each method, ours beside the paper's."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from benchmarks.store import paper

SIDES = {"normal": "good", "anomalous": "defective"}
NOT_APPLICABLE, FAILED, MISSING = "-", "failed", ""
MEAN = "mean"


@dataclass(frozen=True)
class Table2:
    """One dataset's table at one budget."""

    caption: str
    cells: pd.DataFrame
    """Index (kind, category, side); a column for each method; text."""
    values: pd.DataFrame
    """The same as numbers, one row for each category, side and method: ours, low, high, counts, total, paper."""


def table2(leaderboard: pd.DataFrame, failed: Iterable[tuple[str, str]] = ()) -> Table2:
    """Lay out the rows of one dataset and budget. `failed` are (method, category) that ended without any result.

    Raises:
        ValueError: the rows are of several datasets or budgets, which must not stand in one table.
    """
    if len(leaderboard[["dataset", "budget"]].drop_duplicates()) != 1:
        raise ValueError("a table is made of one dataset and one budget")
    failed = set(failed)
    values = _values(leaderboard)
    methods = _in_order([*leaderboard["method"], *(method for method, _ in failed)], paper.METHODS)
    categories = _in_order(leaderboard["category"], list(paper.table2()["category"].unique()))
    kinds = dict(zip(leaderboard["category"], leaderboard["kind"], strict=True))
    categories.sort(key=lambda category: kinds[category] != "texture")
    texts = values.assign(text=values.apply(_cell_text, axis=1)).set_index(["category", "side", "method"])["text"]
    compared = bool(values["paper"].notna().any())
    rows = {}
    for category in categories:
        for side in SIDES.values():
            rows[kinds[category], category, side] = {
                method: texts.get((category, side, method), _absent(category, method, failed, compared))
                for method in methods
            }
    for side in SIDES.values():
        rows["", MEAN, side] = {method: _mean_text(values, method, side) for method in methods}
    cells = pd.DataFrame.from_dict(rows, orient="index", columns=methods).rename(columns=_marks(leaderboard))
    cells.index = pd.MultiIndex.from_tuples(rows, names=["kind", "category", "images"])
    return Table2(_caption(leaderboard, compared), cells, values)


def _marks(leaderboard: pd.DataFrame) -> dict[str, str]:
    """Headings of methods that ran on random weights, whose numbers mean nothing."""
    random = leaderboard.loc[leaderboard["facts"].str.contains("weights=random"), "method"]
    return {method: f"{method} (random weights)" for method in random}


def _values(leaderboard: pd.DataFrame) -> pd.DataFrame:
    parts = []
    for side, images in SIDES.items():
        columns = {
            f"{side}_accuracy": "ours",
            f"{side}_low": "low",
            f"{side}_high": "high",
            f"{side}_counts": "counts",
            f"{side}_total": "total",
            f"paper_{side}": "paper",
        }
        part = leaderboard[["category", "method", *columns]].rename(columns=columns)
        parts.append(part.assign(side=images))
    return pd.concat(parts, ignore_index=True)


def _cell_text(row: pd.Series) -> str:
    """`0.95 [0.76, 0.99] (0.70)`: ours, its interval, the paper's."""
    if pd.isna(row["ours"]):
        return NOT_APPLICABLE
    text = f"{row['ours']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"
    return text if pd.isna(row["paper"]) else f"{text} ({row['paper']:.2f})"


def _mean_text(values: pd.DataFrame, method: str, side: str) -> str:
    """The mean over the categories that the method was run on, ours and, over the same ones, the paper's."""
    cells = values[(values["method"] == method) & (values["side"] == side)].dropna(subset="ours")
    if cells.empty:
        return MISSING
    text = f"{cells['ours'].mean():.2f}"
    return text if cells["paper"].isna().any() else f"{text} ({cells['paper'].mean():.2f})"


def _absent(category: str, method: str, failed: set[tuple[str, str]], compared: bool) -> str:
    if (method, category) in failed:
        return FAILED
    published = paper.table2()
    in_paper = ((published["method"] == method) & (published["category"] == category)).any()
    return NOT_APPLICABLE if compared and not in_paper else MISSING


def _caption(leaderboard: pd.DataFrame, compared: bool) -> str:
    first = leaderboard.iloc[0]
    seeds = " or ".join(str(n) for n in sorted({len(text.split()) for text in leaderboard["seeds"]}))
    dataset = "synthetic: not MVTec AD" if first["dataset"] == "synthetic" else f"dataset {first['dataset']}"
    has_maps = pd.notna(first["minimum_area"])
    parts = [
        "Table 2. Share of good (upper row) and of defective (lower row) test images classified correctly",
        f"{dataset}, budget {first['budget']}, {seeds} seed(s)"
        + (f", minimum defect area {first['minimum_area']:.2%} of the image" if has_maps else ""),
        "in brackets Wilson's 95 % interval" + (", in parentheses the paper's value" if compared else ""),
    ]
    without = sorted(leaderboard.loc[~leaderboard["masks"].astype(bool), "category"].unique())
    if without and has_maps:
        parts.append(f"without masks, so without pixel metrics: {', '.join(without)}")
    return "; ".join(parts) + "."


def _in_order(names: Iterable[str], order: Sequence[str]) -> list[str]:
    """Distinct names, those of the paper first and in its order."""
    known = {name: place for place, name in enumerate(order)}
    return sorted(set(names), key=lambda name: (known.get(name, len(known)), name))
