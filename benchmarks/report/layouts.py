"""Which numbers a table prints: the paper's Tables 2 and 3, and Table F, the field's, of metrics of one's choice."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from benchmarks.common.errors import UserError, nearest
from benchmarks.store.columns import METRICS
from benchmarks.store.leaderboard import COMPARED

Show = Literal["interval", "counts", "std", "none"]


@dataclass(frozen=True)
class Layout:
    """Which numbers a table prints of each category."""

    name: str
    title: str
    sides: tuple[str, ...]
    """What the rows of a category are called."""
    measures: tuple[str, ...]
    """Their names in the leaderboard, or the short ones of `COMPARED`."""
    digits: int = 2
    paper: bool = True
    """Whether it is one of the paper's tables; else it has means over textures and objects, too, and spreads over the seeds."""


TABLE2 = Layout(
    "table2",
    "Table 2. Share of good (upper row) and of defective (lower row) test images classified correctly",
    ("good", "defective"),
    ("normal", "anomalous"),
)
TABLE3 = Layout(
    "table3",
    "Table 3. Mean covered share of each defect region at the threshold (upper row) and ROC AUC over all pixels (lower row)",
    ("overlap", "pixel AUC"),
    ("region_overlap", "pixel_auroc"),
)
FIELD_METRICS = ("image_auroc", "image_average_precision", "pixel_auroc", "aupro")
"""What the field compares."""


def table_f(metrics: Sequence[str] = FIELD_METRICS) -> Layout:
    """The field's table, of metrics of one's choice.

    Raises:
        UserError: a name that is no metric.
    """
    for name in metrics:
        if name not in METRICS:
            raise UserError(f"--metrics: there is no metric {name!r}. {nearest(name, METRICS)}")
    titles = tuple(METRICS[name].title for name in metrics)
    return Layout("tablef", "Table F. What the field compares", titles, tuple(metrics), digits=3, paper=False)


def has_values(layout: Layout, rows: pd.DataFrame) -> bool:
    """Whether a table of these rows would hold any number."""
    return bool(rows[columns_of(layout)].notna().any(axis=None))


def trimmed(layout: Layout, rows: pd.DataFrame) -> Layout:
    """A table of metrics of one's choice, without those that no row has; the paper's tables as they are."""
    if layout.paper:
        return layout
    kept = [(s, m) for s, m in zip(layout.sides, layout.measures, strict=True) if rows[m].notna().any()]
    return replace(layout, sides=tuple(side for side, _ in kept), measures=tuple(measure for _, measure in kept))


def columns_of(layout: Layout) -> list[str]:
    """Of the leaderboard."""
    return [COMPARED.get(measure, measure) for measure in layout.measures]


def in_order(names: Iterable[str], order: Sequence[str]) -> list[str]:
    """Distinct names, those of the paper first and in its order."""
    known = {name: place for place, name in enumerate(order)}
    return sorted(set(names), key=lambda name: (known.get(name, len(known)), name))
