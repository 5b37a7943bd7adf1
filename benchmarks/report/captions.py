"""What stands below a table: of which runs it is, what stands beside our numbers, and what a reader could be misled by."""

import re

import pandas as pd

from benchmarks.report.layouts import TABLE2, Layout, Show
from benchmarks.store import paper
from benchmarks.store.columns import rows_of
from benchmarks.store.leaderboard import has_the_papers_images

RULE = re.compile(r"threshold_rule=([^\s;]+)(?: held_out=cross:(\d+))?")
"""In a row's facts: the rule of the threshold, where it is not the paper's, and the folds that it is over."""


def caption(layout: Layout, rows: pd.DataFrame, compared: bool, show: Show) -> str:
    """Of the rows of one dataset and budget.

    Args:
        compared: the paper's value stands beside ours.
        show: what else does.
    """
    ours = rows[rows["source"] == ""]
    first = rows.iloc[0]
    dataset = "synthetic: not MVTec AD" if first["dataset"] == "synthetic" else f"dataset {first['dataset']}"
    parts = [layout.title, f"{dataset}, budget {first['budget']}{_settings(ours)}"]
    if "aupro" in layout.measures:
        limits = sorted(set(ours["aupro_limit"].dropna()))
        parts += (
            [f"AU-PRO up to a false-positive rate of {' or '.join(f'{limit:g}' for limit in limits)}"] if limits else []
        )
    parts += _shown(layout, ours, show)
    parts += _other_rules(ours)
    if compared:
        parts.append("beside ours the paper's value and the difference, ours minus the paper's")
    parts.append(
        "bold: highest mean of the two rows, the paper's rule" if layout.paper else "bold: highest mean of the rows"
    )
    if rows["reference_for"].astype(bool).any() and show != "none":
        parts.append("in brackets behind a published number ours minus it")
    parts += _reservations(layout, rows, ours)
    return "; ".join(parts) + "."


def _settings(ours: pd.DataFrame) -> str:
    """Seeds, areas and samples of the rows, each in full where they differ."""
    seeds = sorted({len(text.split()) for text in ours["seeds"]})
    words = f", {' or '.join(map(str, seeds))} seed{'' if seeds == [1] else 's'}" if seeds else ""
    areas = sorted(set(ours["minimum_area"].dropna()))
    if areas:
        words += (
            f", minimum defect area {' or '.join(f'{area:.4g} %' for area in [100 * a for a in areas])} of the image"
        )
    samples = ours.dropna(subset="training_samples")[["training_samples", "method"]].drop_duplicates()
    methods: dict[int, list[str]] = {}
    for row in rows_of(samples):
        methods.setdefault(int(row["training_samples"]), []).append(row["method"])
    trained = [f"{count:,} ({', '.join(names)})" for count, names in sorted(methods.items())]
    return words + (f", samples seen in training {', '.join(trained)}" if trained else "")


def _other_rules(ours: pd.DataFrame) -> list[str]:
    """The thresholds that are not the paper's, and whose they are."""
    methods: dict[str, set[str]] = {}
    for row in rows_of(ours[["facts", "method"]]):
        for rule, folds in RULE.findall(str(row["facts"])):
            words = f"{rule} over {folds} folds" if folds else rule
            methods.setdefault(words, set()).add(row["method"])
    named = [f"{words} ({', '.join(sorted(names))})" for words, names in sorted(methods.items())]
    return [f"threshold not by the paper's rule: {', '.join(named)}"] if named else []


def _shown(layout: Layout, ours: pd.DataFrame, show: Show) -> list[str]:
    """What stands beside our value."""
    if show == "std":
        several = ours["seeds"].str.contains(" ").any()
        return ["after ± the standard deviation over the seeds"] if several else []
    if layout is not TABLE2 or show == "none":
        return []
    if show == "counts":
        return ["in brackets the count of each seed and the number of images"]
    names = {
        "wilson": "Wilson's 95 % interval of one seed's count",
        "bootstrap": "the 95 % interval of a bootstrap over images",
    }
    return [f"in brackets {names[kind]}" for kind in sorted(set(ours["interval"].dropna()))]


def _reservations(layout: Layout, rows: pd.DataFrame, ours: pd.DataFrame) -> list[str]:
    """What a reader could be misled by."""
    parts = []
    fewer = ours[ours["failed_seeds"] != ""]
    if len(fewer):
        cells = [f"{row['method']} / {row['category']}: {row['failed_seeds']}" for row in rows_of(fewer)]
        parts.append(f"without seeds that failed ({', '.join(cells)})")
    if (ours["dataset"] == paper.MVTEC_AD).any():
        sizes = rows_of(ours[["category", "normal_total", "anomalous_total"]].drop_duplicates())
        other = sorted({row["category"] for row in sizes if not has_the_papers_images(row)})
        if other:
            parts.append(f"not compared, as the test set is not the paper's: {', '.join(other)}")
    if (ours["weights"] == "random").any():
        parts.append("random weights: numbers that mean nothing")
    without = sorted(ours.loc[ours["minimum_area"].notna() & (ours["masks"] == False), "category"].unique())  # noqa: E712
    if without:
        parts.append(f"without masks, so without pixel metrics: {', '.join(without)}")
    uncut = ours[ours["pixel_auroc"].notna() & ours["region_overlap"].isna()]
    if "region_overlap" in layout.measures and len(uncut):
        cells = sorted({f"{row['method']} / {row['category']}" for row in rows_of(uncut)})
        parts.append(
            f"no overlap where folds decide together, as no threshold is that of their mean map: {', '.join(cells)}"
        )
    sources = rows[rows["source"] != ""].groupby("method")["source"].unique()
    parts += [f"{method}: published, {', '.join(where)}" for method, where in sources.items()]
    return parts
