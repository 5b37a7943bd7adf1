"""Methods compared in pairs over the categories that both were run on: Wilcoxon's signed-rank test with its effect size."""

from itertools import combinations

import numpy as np
import pandas as pd
from rich.table import Table

from benchmarks.protocol.paired import FEWEST, holm, signed_rank
from benchmarks.report.layouts import in_order
from benchmarks.store import paper
from benchmarks.store.columns import rows_of

TITLE = (
    "Methods in pairs over common categories: mean difference of the balanced accuracy (first - second), Wilcoxon's signed-rank "
    "test (two-sided, Holm's correction for the number of tests), matched-pairs rank-biserial correlation"
)


def method_pairs(rows: pd.DataFrame) -> pd.DataFrame:
    """A row for each pair of methods of one dataset and budget.

    Columns first, second, categories, mean_difference, p, p_holm, rank_biserial, note; with fewer than `FEWEST` common categories
    no numbers, and the note says so.
    """
    ours = rows[(rows["source"] == "") & rows["balanced_accuracy"].notna()]
    accuracies = ours.pivot(index="category", columns="method", values="balanced_accuracy").astype(float)
    of_method = {name: accuracies[name].to_numpy() for name in accuracies}
    found = []
    for first, second in combinations(in_order(accuracies.columns, paper.METHODS), 2):
        both_2C = np.stack([of_method[first], of_method[second]])
        common = both_2C[:, np.isfinite(both_2C).all(axis=0)]
        result = signed_rank(*common)
        row = {"first": first, "second": second, "categories": common.shape[1]}
        if result is None:
            row |= {"note": f"no test: fewer than {FEWEST} common categories"}
        else:
            row |= {
                "mean_difference": result.mean_difference,
                "p": result.p,
                "rank_biserial": result.rank_biserial,
                "note": "",
            }
        found.append(row)
    columns = ["first", "second", "categories", "mean_difference", "p", "p_holm", "rank_biserial", "note"]
    pairs = pd.DataFrame(found, columns=columns)
    tested = pairs["p"].notna()
    pairs["p_holm"] = np.nan
    if tested.any():
        pairs.loc[tested, "p_holm"] = holm(pairs.loc[tested, "p"].tolist())
    return pairs


def pairs_markdown(pairs: pd.DataFrame) -> str:
    """Title and a pipe table."""
    table = pd.DataFrame(_texts(pairs), columns=_HEADINGS)
    return f"{TITLE}.\n\n{table.to_markdown(index=False, disable_numparse=True)}\n"


def pairs_terminal(pairs: pd.DataFrame) -> Table:
    shown = Table()
    for name in _HEADINGS:
        shown.add_column(name, justify="left" if name in {"first", "second"} else "right")
    for texts in _texts(pairs):
        shown.add_row(*texts)
    return shown


_HEADINGS = ["first", "second", "categories", "difference", "p", "p (Holm)", "effect size"]


def _texts(pairs: pd.DataFrame) -> list[list[str]]:
    lines = []
    for row in rows_of(pairs):
        if row["note"]:
            numbers = [row["note"], "", "", ""]
        else:
            numbers = [
                f"{row['mean_difference']:+.3f}",
                _p(row["p"]),
                _p(row["p_holm"]),
                f"{row['rank_biserial']:+.2f}",
            ]
        lines.append([row["first"], row["second"], str(row["categories"]), *numbers])
    return lines


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
