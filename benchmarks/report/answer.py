"""The answer to the page's question, whether a method tells good from defective images, in a sentence for each table."""

from typing import Any

import pandas as pd

from benchmarks.report.ranks import Ranks
from benchmarks.store.columns import rows_of

FEW = 2  # categories that are told one by one


def answer(rows: pd.DataFrame, ranked: Ranks | None = None) -> str:
    """Which method is best, its false-alarm rate, and which cannot be told apart from it; or that none is usable.

    Args:
        rows: of a leaderboard, of one dataset and budget.
        ranked: their ranks over the categories.
    """
    ends = [f"{side}_{end}" for side in ("normal", "anomalous") for end in ("accuracy", "low", "high")]
    ours = rows.loc[rows["source"] == "", ["method", "category", "balanced_accuracy", *ends]].dropna(subset=ends)
    if ours.empty:
        return ""
    parts = {str(category): part for category, part in ours.groupby("category", sort=False)}
    if len(parts) <= FEW:
        return " ".join(_of_category(category, part) for category, part in parts.items())
    usable = {category: row for category, part in parts.items() if _is_usable(row := _best(part))}
    if not usable:
        return f"None is usable here: no method tells good from defective images beyond chance in any of {len(parts)} categories."
    if ranked is not None and ranked.found is not None:
        return f"{_over_categories(ours, ranked)} {len(usable)} of {len(parts)} categories have a method better than chance."
    won = [(name, part["normal_accuracy"]) for name, part in pd.DataFrame(usable.values()).groupby("method")]
    best = ", ".join(
        f"{name} in {len(good)} (false-alarm rate {1 - good.mean():.2f})"
        for name, good in sorted(won, key=lambda item: (-len(item[1]), str(item[0])))
    )
    return f"In {len(usable)} of {len(parts)} categories a method tells good from defective images beyond chance. Best: {best}."


def _over_categories(rows: pd.DataFrame, ranked: Ranks) -> str:
    first = rows[rows["method"] == ranked.methods[0]]
    rate, found = 1 - first["normal_accuracy"].mean(), first["anomalous_accuracy"].mean()
    like = [name for place, name in enumerate(ranked.methods) if place and not ranked.told_apart(0, place)]
    told_apart = f" Not told apart from it: {', '.join(like)}." if like else ""
    return (
        f"Best over {len(ranked.categories)} categories is {ranked.methods[0]}, which finds {found:.2f} of the defective images "
        f"at a false-alarm rate of {rate:.2f}.{told_apart}"
    )


def _of_category(category: str, rows: pd.DataFrame) -> str:
    best = _best(rows)
    if not _is_usable(best):
        return f"None is usable here: no method tells good from defective images of {category} beyond chance."
    rate = f"{1 - best['normal_accuracy']:.2f} [{1 - best['normal_high']:.2f}, {1 - best['normal_low']:.2f}]"
    found = f"{best['anomalous_accuracy']:.2f} [{best['anomalous_low']:.2f}, {best['anomalous_high']:.2f}]"
    like = [row["method"] for row in rows_of(rows) if row["method"] != best["method"] and _overlap(row, best)]
    told_apart = f" Its intervals overlap with those of {', '.join(like)}." if like else ""
    return (
        f"{category}: best is {best['method']}, which finds {found} of the defective images at a false-alarm rate of {rate}."
        f"{told_apart}"
    )


def _best(rows: pd.DataFrame) -> dict[str, Any]:
    """The row with the highest mean of both shares, the paper's rule; the first of equals."""
    return rows_of(rows.iloc[[int(rows["balanced_accuracy"].to_numpy(float).argmax())]])[0]


def _is_usable(row: dict[str, Any]) -> bool:
    """Whether even the lower ends of both intervals are together better than chance."""
    return bool(row["normal_low"] + row["anomalous_low"] > 1)


def _overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(
        one[f"{side}_low"] <= other[f"{side}_high"] and other[f"{side}_low"] <= one[f"{side}_high"]
        for side in ("normal", "anomalous")
    )
