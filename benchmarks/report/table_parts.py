"""What a table is made of: a column for each method, a line for each category, in each cell the numbers of its layout."""

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from benchmarks.report.layouts import Layout, Show
from benchmarks.store import paper

Status = Literal["done", "failed", "missing", "not_applicable", "not_published"]
MEAN = "mean"


@dataclass(frozen=True)
class Value:
    """One number of a cell, with what may be shown beside it; None or empty where there is no such thing."""

    ours: float
    paper: float | None
    low: float | None
    high: float | None
    std: float | None
    counts: str
    total: int | None
    digits: int = 2
    ahead: float | None = None
    """Of a published number: ours of the same method, minus it."""

    @property
    def text(self) -> str:
        return f"{self.ours:.{self.digits}f}"

    @property
    def difference(self) -> float | None:
        return None if self.paper is None else self.ours - self.paper


@dataclass(frozen=True)
class Entry:
    """One method on one category: its numbers, and whether it is the best of its category."""

    status: Status
    values: tuple[Value | None, ...]
    best: bool = False


@dataclass(frozen=True)
class Heading:
    """A column: its method, and what a reader must know of it."""

    method: str
    random_weights: bool
    source: str
    """Where the column's numbers were published, if they are not of our own runs."""
    reference_for: str = ""
    """The method that a published column is of."""
    external: bool = False
    """Whether another program made its maps."""

    @property
    def title(self) -> str:
        """The paper's heading, or the method's own name."""
        return paper.TITLES.get(self.method, self.method)

    @property
    def mark(self) -> str:
        if self.external:
            return " (maps of another program)"
        return " (random weights)" if self.random_weights else " (published)" if self.source else ""


@dataclass(frozen=True)
class Line:
    """One category: an entry for each heading."""

    kind: str
    category: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Mean:
    """A method's mean over the categories that it was run on, ours and, over the same ones, the paper's."""

    counts: tuple[int, ...]
    """Over how many categories each of its values is."""
    values: tuple[Value | None, ...]

    @property
    def categories(self) -> str:
        """`15`, or `13, 15` where its values are over different numbers of categories."""
        distinct = {count for count in self.counts if count}
        return ", ".join(map(str, self.counts)) if len(distinct) > 1 else str(max(self.counts))


@dataclass(frozen=True)
class PaperTable:
    """One dataset's table at one budget."""

    layout: Layout
    dataset: str
    budget: str
    caption: str
    short_caption: str
    """Of our numbers alone."""
    headings: tuple[Heading, ...]
    lines: tuple[Line, ...]
    means: tuple[Mean, ...]
    compared: bool
    """Whether any cell stands beside a value of the paper."""
    show: Show
    parts: tuple[tuple[str, tuple[Mean, ...]], ...] = ()
    """Means over the textures and over the objects alone, by their names; the paper's tables have none."""

    @property
    def averages(self) -> tuple[tuple[str, tuple[Mean, ...]], ...]:
        """The lines below the categories."""
        return (*self.parts, (MEAN, self.means))


def tidy(table: PaperTable) -> pd.DataFrame:
    """The table as numbers, a row for each category, side and method, those without numbers too."""
    parts = []
    for line in table.lines:
        for side, name in enumerate(table.layout.sides):
            for heading, entry in zip(table.headings, line.entries, strict=True):
                value = entry.values[side]
                parts.append(
                    {
                        "category": line.category,
                        "row": name,
                        "method": heading.method,
                        "status": entry.status,
                        "ours": value and value.ours,
                        "low": value and value.low,
                        "high": value and value.high,
                        "std": value and value.std,
                        "counts": value and value.counts,
                        "total": value and value.total,
                        "paper": value and value.paper,
                        "difference": value and value.difference,
                        "best": entry.best,
                        "random_weights": heading.random_weights,
                        "source": heading.source,
                    }
                )
    return pd.DataFrame(parts).astype({"total": "Int64"})
