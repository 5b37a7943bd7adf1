"""A report on the terminal: the tables as far as they fit, and what the cells cost."""

from collections.abc import Callable, Sequence
from functools import partial

import pandas as pd
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.common.words import number_of
from benchmarks.report.build import Report
from benchmarks.report.formats import mean_text, plain_cell, sides_of
from benchmarks.report.pairs import TITLE, pairs_terminal
from benchmarks.report.table_parts import Entry, PaperTable, Value
from benchmarks.store.columns import is_empty, rows_of
from benchmarks.store.runs import Unreadable

LINES = 100
"""What is longer is in the files alone: nobody reads it here, and to lay it out takes longer than all else."""
NARROWEST = 5  # of a column whose heading is folded

CellText = Callable[[Value | None, Entry], str]
Line = tuple[list[str | Text], bool]
"""The texts of a line of a table, and whether a rule is drawn below it."""


def show(report: Report, console: Console) -> None:
    """Print the tables, what each cell cost, and the paths of what was written."""
    for section in report.sections:
        for table in section.tables:
            shown, left = fitting(table, console.width)
            note = f" Too wide for this terminal, so only {left}; the rest is in the files." if left else ""
            console.print(table.caption + note, shown, sep="\n", markup=False)
        if section.pairs["p"].notna().any():
            _list(console, TITLE, len(section.pairs), partial(pairs_terminal, section.pairs))
    ours = report.leaderboard[report.leaderboard["source"] == ""]
    _list(console, "What the cells cost, and image AUROC of the same scores", len(ours), partial(_costs, ours))
    if report.unreadable:
        console.print("Left out:", _unreadable(report.unreadable), sep="\n")
    for file in report.files:
        console.print(f"wrote {file}", soft_wrap=True)


def _list(console: Console, title: str, lines: int, table: Callable[[], Table]) -> None:
    if lines > LINES:
        console.print(f"{title}: {number_of(lines, 'line')}, in the files.")
    else:
        console.print(f"{title}:", table(), sep="\n")


def fitting(table: PaperTable, width: int) -> tuple[Table, str]:
    """As much of a table as a terminal takes, and what that is if it is not all: headings are folded, numbers never."""
    headings = ["category", "row", *(heading.method + heading.mark for heading in table.headings)]
    whole = _lines(table, partial(plain_cell, show=table.show))
    if _width(_widths([*whole, ([*headings], False)])) <= width:
        return _laid_out(headings, whole, width), ""
    shorter = [(_with_the_papers, "our numbers (the paper's)")] if table.compared else []
    for cell, left in (*shorter, (_alone, "our numbers")):
        lines = _lines(table, cell)
        if _width(_widths(lines)) <= width:
            return _laid_out(headings, lines, width), left
    return _means(table), "the means over the categories"


def _lines(table: PaperTable, cell: CellText) -> list[Line]:
    sides, lines = table.layout.sides, list[Line]()
    for _, category, side, entries in sides_of(table):
        texts = [Text(cell(*pair), style="bold" if pair[1].best else "") for pair in entries]
        lines.append(([category if side == 0 else "", sides[side], *texts], side == len(sides) - 1))
    for title, averages in table.averages:
        for side, name in enumerate(sides):
            means = [Entry("done", mean.values) for mean in averages]
            texts = [Text("" if mean.values[side] is None else cell(mean.values[side], mean)) for mean in means]
            lines.append(([title if side == 0 else "", name, *texts], False))
    lines.append((["", "categories", *(mean.categories for mean in table.means)], False))
    return lines


def _widths(lines: Sequence[Line]) -> list[int]:
    """Of each column's longest text."""
    columns = zip(*(texts for texts, _ in lines), strict=True)
    return [max(NARROWEST, *(cell_len(str(text)) for text in column)) for column in columns]


def _width(widths: Sequence[int]) -> int:
    """Of a table with such columns, its frame included."""
    return 1 + sum(width + 3 for width in widths)


def _laid_out(headings: Sequence[str], lines: Sequence[Line], width: int) -> Table:
    """What is left beside the numbers goes to the headings."""
    widths = _widths(lines)
    while folded := [place for place, name in enumerate(headings) if widths[place] < cell_len(name)]:
        if _width(widths) + len(folded) > width:
            break
        for place in folded:
            widths[place] += 1
    shown = Table()
    for place, name in enumerate(headings):
        shown.add_column(name, justify="left" if place < 2 else "right", overflow="fold", width=widths[place])
    for texts, ends in lines:
        shown.add_row(*texts, end_section=ends)
    return shown


def _with_the_papers(value: Value | None, entry: Entry) -> str:
    """`0.95 (0.70)`."""
    if value is None or value.paper is None:
        return _alone(value, entry)
    return f"{value.ours:.2f} ({value.paper:.2f})"


def _alone(value: Value | None, entry: Entry) -> str:
    return plain_cell(value, entry, "none") if value is None else value.text


def _means(table: PaperTable) -> Table:
    """A line for each method."""
    shown = Table()
    shown.add_column("method", overflow="fold")
    for name in (*table.layout.sides, "categories"):
        shown.add_column(name, justify="right", no_wrap=True)
    for heading, mean in zip(table.headings, table.means, strict=True):
        texts = [mean_text(mean, side) for side in range(len(table.layout.sides))]
        shown.add_row(heading.method + heading.mark, *texts, str(mean.categories))
    return shown


def _unreadable(found: Sequence[Unreadable]) -> Table:
    shown = Table()
    for name in ("folder", "why"):
        shown.add_column(name, overflow="fold")
    for run in found:
        shown.add_row(str(run.folder), run.reason)
    return shown


def _costs(rows: pd.DataFrame) -> Table:
    shown = Table()
    for name in ("method", "category", "seeds", "AUROC", "fit", "per image", "memory"):
        shown.add_column(name, justify="left" if name in {"method", "category", "seeds"} else "right")
    for row in rows_of(rows):
        spread = "" if is_empty(row["image_auroc_std"]) else f" ± {row['image_auroc_std']:.3f}"
        auroc = "-" if is_empty(row["image_auroc"]) else f"{row['image_auroc']:.3f}{spread}"
        units = {"fit_seconds": "{:.1f} s", "ms_per_image": "{:.0f} ms", "peak_memory_mib": "{:.0f} MiB"}
        cost = ["-" if is_empty(row[name]) else unit.format(row[name]) for name, unit in units.items()]
        shown.add_row(row["method"], row["category"], row["seeds"], auroc, *cost)
    return shown
