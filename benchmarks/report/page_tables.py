"""The tables as the page shows them: each cell with its colour, its marks and what a screen reader says."""

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.report.cells import Cell
from benchmarks.report.formats import NO_NUMBER, beside, signed
from benchmarks.report.layouts import TABLE2
from benchmarks.report.ranks import Ranks
from benchmarks.report.table_parts import Entry, Heading, Line, Mean, PaperTable, Value

ABSENT = {
    "failed": "failed",
    "missing": "not run",
    "not_applicable": "does not apply",
    "not_published": "not published",
}
STEPS = (0.15, 0.30)  # differences to the paper from which the colour deepens
SLIGHT = 0.05  # where there is no interval, a difference below this has the palest colour


@dataclass(frozen=True)
class Number:
    """The upper or the lower number of a cell, as it is shown."""

    side: str
    value: Value
    beside: str
    inside: bool
    """Whether the paper's number lies within our interval."""

    @property
    def mark(self) -> str:
        """`+0.28`; after `≈` where the interval explains it."""
        return ("≈" if self.inside else "") + signed(self.value.difference, self.value.digits)

    @property
    def colour(self) -> str:
        """The class that colours the difference to the paper; the palest for one that the interval explains."""
        difference = self.value.difference
        if difference is None or abs(difference) < 0.005:
            return ""
        slight = self.inside or (self.value.low is None and abs(difference) < SLIGHT)
        step = 1 if slight else 2 + sum(abs(difference) >= step for step in STEPS)
        return f"{'above' if difference > 0 else 'below'}-{step}"

    @property
    def words(self) -> str:
        text = f"{self.side} {self.value.text}{self.beside}"
        return text if self.value.paper is None else f"{text}, paper {self.value.paper:.2f}, difference {self.mark}"


@dataclass(frozen=True)
class Shown:
    """One cell of a table, as it is shown."""

    key: str
    title: str
    status: str
    """done, or a key of `ABSENT`."""
    numbers: tuple[Number | None, ...] = ()
    """One for each row of the table, so that it stands beside its label; empty without any."""
    best: bool = False
    """Bold, by the table's rule."""
    starred: bool = False
    """The best of its category by a paired bootstrap."""
    note: str = ""
    has_details: bool = True

    @property
    def known(self) -> list[Number]:
        """Its numbers, without gaps."""
        return [number for number in self.numbers if number is not None]

    @property
    def absence(self) -> str:
        """Why there is no number."""
        return ABSENT.get(self.status, NO_NUMBER)

    @property
    def label(self) -> str:
        """What a screen reader says."""
        said = "; ".join(number.words for number in self.known) or self.absence
        best = ["best of its category"] if self.starred else []
        return "; ".join([f"{self.title}: {said}", *best, *([self.note] if self.note else [])])

    @property
    def orders(self) -> dict[str, str]:
        """By what the cell can be sorted."""
        values = [number.value.ours for number in self.known]
        differences = [number.value.difference for number in self.known if number.value.difference is not None]
        orders = {f"row{place}": number.value.ours for place, number in enumerate(self.numbers) if number is not None}
        orders |= {
            name: sum(part) / len(part) for name, part in (("mean", values), ("difference", differences)) if part
        }
        return {name: f"{value:.6f}" for name, value in orders.items()}


@dataclass(frozen=True)
class Row:
    """One category of a table."""

    category: str
    kind: str
    labels: tuple[str, ...]
    """What its numbers are, with the number of images: `good 20`, `defective 63`."""
    cells: tuple[Shown, ...]


@dataclass(frozen=True)
class Matrix:
    """One of the paper's tables."""

    key: str
    table: PaperTable
    rows: list[Row]
    averages: list[tuple[str, list[list[Number | None]]]]
    """Lines below the categories: name, and the means of each column, one for each row of the table."""


def key_of(table: PaperTable, method: str, category: str) -> str:
    """Of a cell, for all tables of its dataset and budget; stands in the page's address."""
    return f"{table.dataset}/{table.budget}/{method}/{category}"


def matrix(table: PaperTable, cells: Mapping[tuple[str, str], Cell], ranked: Ranks) -> Matrix:
    """One table.

    Args:
        cells: those with runs, by method and category.
        ranked: tells which have a star.
    """
    rows = [
        Row(
            line.category,
            line.kind,
            _labels(table, line),
            tuple(
                _shown(
                    table,
                    heading,
                    line.category,
                    entry,
                    cells.get((heading.method, line.category)),
                    starred=table.layout is TABLE2 and ranked.best.get(line.category) == heading.method,
                )
                for heading, entry in zip(table.headings, line.entries, strict=True)
            ),
        )
        for line in table.lines
    ]
    averages = [(title, [_mean(table, mean) for mean in means]) for title, means in table.averages]
    return Matrix(f"{table.layout.name}/{table.dataset}/{table.budget}", table, rows, averages)


def _labels(table: PaperTable, line: Line) -> tuple[str, ...]:
    totals = [
        next((value.total for entry in line.entries if (value := entry.values[side]) and value.total), None)
        for side in range(len(table.layout.sides))
    ]
    return tuple(
        name if total is None else f"{name} {total}" for name, total in zip(table.layout.sides, totals, strict=True)
    )


def _shown(
    table: PaperTable, heading: Heading, category: str, entry: Entry, cell: Cell | None, *, starred: bool
) -> Shown:
    row = cell.row if cell and cell.row else {}
    numbers = tuple(
        None
        if value is None
        else Number(side, value, beside(value, table.show), row.get(f"paper_{measure}_inside") is True)
        for side, measure, value in zip(table.layout.sides, table.layout.measures, entry.values, strict=True)
    )
    numbers = numbers if any(numbers) else ()
    status = entry.status if numbers or entry.status != "done" else "no_number"
    notes = _notes(cell) if cell and status == "done" else []
    return Shown(
        key_of(table, heading.method, category),
        f"{heading.title} on {category}",
        status,
        numbers,
        entry.best,
        starred,
        "; ".join(notes),
        has_details=cell is not None,
    )


def _notes(cell: Cell) -> list[str]:
    """What a reader should know before using the cell's numbers: seeds that failed, and warnings of the method."""
    failed = [f"{len(cell.failed)} of {len(cell.failed) + len(cell.runs)} seeds failed"] if cell.failed else []
    data = sorted({text for run in cell.runs for text in run.record.warnings})
    warned = [run for run in cell.runs if "warning" in run.result.facts]
    return [*failed, *data, *(f"seed {run.record.seed}: {run.result.facts['warning']}" for run in warned)]


def _mean(table: PaperTable, mean: Mean) -> list[Number | None]:
    sides = zip(table.layout.sides, mean.values, strict=True)
    return [
        None if value is None else Number(side, value, beside(value, "none"), inside=False) for side, value in sides
    ]
