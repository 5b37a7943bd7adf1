"""`defectbench study area`: from a store of runs to the minimum-area study, as files and on the terminal. Needs no torch."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks.common.errors import UserError
from benchmarks.common.files import write_texts
from benchmarks.report.formats import plain
from benchmarks.store import paper
from benchmarks.store.leaderboard import leaderboard
from benchmarks.store.runs import Contents, RunStore, Unreadable, check_is_there
from benchmarks.study.area import AreaStudy, area_study
from benchmarks.study.curves import SECTION
from benchmarks.study.grid import read_grids
from benchmarks.study.page import TABLES, Section, category, page
from benchmarks.study.summary import CAPTION, Findings, category_findings, methods_in_order, overview


@dataclass(frozen=True)
class Built:
    """What was found, and where it was written."""

    findings: list[Findings]
    files: list[Path]
    unreadable: list[Unreadable]
    """Runs that were left out."""


def build(results: Path, out: Path) -> Built:
    """Write the tables, the page and the summary.

    Raises:
        UserError: no finished run, seeds that cannot stand together, or scores that cannot be read.
    """
    check_is_there(results)
    contents = RunStore(results).contents()
    records = contents.records
    if not any(record.result for record in records):
        contents.complain()
        failures = f" ({len(records)} failed; `defectbench list runs` names them)" if records else ""
        raise UserError(f"No finished run in {results / 'runs'}{failures}. Make some with `defectbench run`.")
    rows = leaderboard(records)  # refuses seeds that differ in more than the seed
    rows = rows[rows["minimum_area"].notna()]
    if rows.empty:
        raise UserError(f"No finished run in {results / 'runs'} has anomaly maps, so there is no area to study.")
    study = area_study(read_grids(results, records))
    sections = [
        _section(study, str(dataset), str(budget), _on_random_weights(part))
        for (dataset, budget), part in rows.groupby(SECTION, sort=True)
    ]
    findings = [part for section in sections for part in (section.overview, *(c.findings for c in section.categories))]
    frames = (study.curves, study.subsets, study.cells, study.categories, study.ranks)
    texts = {
        **{name: frame.to_csv(index=False, float_format="%.6g") for name, frame in zip(TABLES, frames, strict=True)},
        "area_study.md": _markdown(findings),
        "area_study.html": page(sections),
    }
    return Built(findings, write_texts(out, texts), contents.unreadable)


def _on_random_weights(rows: pd.DataFrame) -> list[str]:
    return sorted(rows.loc[rows["facts"].str.contains("weights=random"), "method"].unique())


def _section(study: AreaStudy, dataset: str, budget: str, random: list[str]) -> Section:
    here = study.cells[(study.cells["dataset"] == dataset) & (study.cells["budget"] == budget)]
    categories = []
    rank = {name: place for place, name in enumerate(paper.table2()["category"].unique())}
    for name in sorted(here["category"].unique(), key=lambda name: (rank.get(name, len(rank)), name)):
        cells = methods_in_order(here[here["category"] == name])
        categories.append(category(study, category_findings(study, dataset, budget, name), cells))
    whole = overview(study, dataset, budget)
    if random:
        whole.sentences.append(f"On random weights, so that its numbers mean nothing: {', '.join(random)}.")
    return Section(whole, categories)


def _markdown(findings: list[Findings]) -> str:
    parts = ["# Which minimum defect area?"]
    for found in findings:
        level = "##" if found.heading.startswith("Dataset ") else "###"
        parts.append(f"{level} {found.heading}")
        parts += found.sentences
        if len(found.table):
            parts += [CAPTION, found.table.map(plain).to_markdown(disable_numparse=True)]
    return "\n\n".join(parts) + "\n"


def _terminal(table: pd.DataFrame) -> Table:
    """Methods side by side, since a terminal is narrow: a row for each of the table's columns."""
    shown = Table("good / defective", *table.index)
    for name, column in table.items():
        shown.add_row(str(name), *column)
    return shown


def show(built: Built, console: Console) -> None:
    """Print the findings and the paths of what was written.

    Raises:
        UserError: some runs were left out; names them.
    """
    for found in built.findings:
        console.print()
        console.print(found.heading, style="bold")
        for sentence in found.sentences:
            console.print(sentence)
        if len(found.table):
            console.print(_terminal(found.table))
    for file in built.files:
        console.print(f"wrote {file}", soft_wrap=True)
    Contents([], built.unreadable).complain()
