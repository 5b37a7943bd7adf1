"""`report.html`: the tables, and for each cell its plots, pictures and provenance, in one file that needs no network."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.common.files import write_text
from benchmarks.report import ranks
from benchmarks.report.answer import answer
from benchmarks.report.build import Report, Section, file_name
from benchmarks.report.cells import Cell, cells_of
from benchmarks.report.formats import signed
from benchmarks.report.html import template
from benchmarks.report.page_details import details_html
from benchmarks.report.page_tables import SLIGHT, STEPS, Matrix, Number, Shown, key_of, matrix
from benchmarks.report.pairs import TITLE
from benchmarks.report.ranks import Ranks
from benchmarks.report.rendered import Rendered
from benchmarks.report.table_parts import PaperTable
from benchmarks.store.columns import COLUMNS, Column, rows_of
from benchmarks.store.runs import RunStore

PAGE = "report.html"
NUMBERS = {name: column for name, column in COLUMNS.items() if column.title}
"""Columns of the leaderboard that the table of all numbers shows."""
DetailsOf = Callable[[str, str, list[Number], Cell], str]


@dataclass(frozen=True)
class Group:
    """One dataset at one budget: its tables and cells."""

    dataset: str
    budget: str
    answer: str
    """To the page's question, in a sentence or two."""
    verdict: str
    matrices: list[Matrix]
    columns: list[tuple[str, Column]]
    """Of the table of all numbers."""
    numbers: list[tuple[Shown, dict[str, Any]]]
    pairs: list[dict[str, Any]]
    """Rows of `method_pairs`."""
    details: list[str]
    """Of each cell, as HTML."""
    ranks: Ranks

    @property
    def rank_picture(self) -> str:
        return ranks.picture(self.ranks) if self.ranks.found else ""

    @property
    def rank_rows(self) -> list[dict[str, Any]]:
        return rows_of(ranks.table(self.ranks))

    @property
    def key(self) -> str:
        return f"{self.dataset}/{self.budget}"


def write_page(
    report: Report, store: RunStore, out: Path, images: bool = False, dataset_root: Path | None = None
) -> list[Path]:
    """Write `report.html` and, for each dataset and budget with several methods, `ranks_<dataset>_<budget>.csv`.

    Args:
        report: tables and leaderboard of the store's runs.
        images: embed pictures of the dataset's images, where runs kept their maps.
        dataset_root: the folder of the categories, if it is not the one that the runs used.

    Raises:
        UserError: what lies beside a record cannot be read, or pictures are wanted and their images are not found.
    """
    rendered = Rendered(store, out)

    def details(key: str, title: str, numbers: list[Number], cell: Cell) -> str:
        if images:  # of files that may change
            return details_html(key, title, numbers, cell, store, images, dataset_root)
        return rendered.details(key, title, numbers, cell)

    groups = [_group(section, store, details) for section in report.sections]
    if not images:
        rendered.keep()
    titles = {"pairs_title": TITLE, "ranks_title": ranks.TITLE}
    write_text(
        out / PAGE,
        template("page.html").render(groups=groups, unreadable=report.unreadable, steps=STEPS, slight=SLIGHT, **titles),
    )
    written = [out / PAGE]
    for group in groups:
        if group.ranks.found:
            written.append(out / f"ranks_{file_name(group.dataset)}_{file_name(group.budget)}.csv")
            write_text(written[-1], ranks.table(group.ranks).to_csv(index=False, float_format="%.4g"))
    return written


def _group(section: Section, store: RunStore, details: DetailsOf) -> Group:
    table, rows = section.tables[0], section.own
    cells = cells_of(section.records, rows, store)
    meaningless = ranks.meaningless(rows)
    ranked = ranks.ranks(cells, meaningless, _not_applicable(table))
    told = rows[~rows["method"].isin(meaningless)]
    matrices = [matrix(one, cells, ranked) for one in section.tables]
    shown = {cell.key: cell for row in matrices[0].rows for cell in row.cells if cell.has_details}
    numbers: dict[str, list[Number]] = {}
    for cell in (cell for one in matrices for row in one.rows for cell in row.cells):
        numbers.setdefault(cell.key, []).extend(cell.known)
    of_key = {key_of(table, *place): cell for place, cell in cells.items()}
    return Group(
        table.dataset,
        table.budget,
        answer(told, ranked),
        _verdict(told),
        matrices,
        [(name, column) for name, column in NUMBERS.items() if rows[name].notna().any()],
        [(shown[key_of(table, row["method"], row["category"])], row) for row in rows_of(rows)],
        rows_of(section.pairs),
        [details(key, one.title, numbers[key], of_key[key]) for key, one in shown.items()],
        ranked,
    )


def _not_applicable(table: PaperTable) -> set[tuple[str, str]]:
    return {
        (heading.method, line.category)
        for line in table.lines
        for heading, entry in zip(table.headings, line.entries, strict=True)
        if entry.status == "not_applicable"
    }


def _verdict(rows: pd.DataFrame) -> str:
    """How the table stands to the paper, in two sentences; nothing for other datasets."""
    compared = rows.dropna(subset=["paper_normal_inside", "paper_anomalous_inside"])
    if compared.empty:
        return ""
    inside = int(compared[["paper_normal_inside", "paper_anomalous_inside"]].astype(bool).sum().sum())
    good, defective = compared["difference_normal"].mean(), compared["difference_anomalous"].mean()
    return (
        f"The paper's value lies within our 95 % interval in {inside} of {2 * len(compared)} numbers. Mean difference to the "
        f"paper: {signed(good)} for good images, {signed(defective)} for defective ones."
    )
