"""`defectbench report`: from a store of runs to leaderboard and tables, as files and on the terminal. Needs no torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks.errors import UserError
from benchmarks.files import write_text
from benchmarks.report.table2 import Table2, table2
from benchmarks.store.leaderboard import leaderboard
from benchmarks.store.record import Record
from benchmarks.store.runs import RunStore


@dataclass(frozen=True)
class Report:
    """What was made, and where it was written."""

    leaderboard: pd.DataFrame
    tables: list[Table2]
    files: list[Path]


def build(results: Path, out: Path) -> Report:
    """Write `leaderboard.csv` and, for each dataset and budget, Table 2 as CSV and Markdown.

    Raises:
        UserError: no finished run, or runs that cannot stand together.
    """
    records = RunStore(results).records()
    rows = leaderboard(records)
    if rows.empty:
        failures = f" ({len(records)} failed; `defectbench list runs` names them)" if records else ""
        raise UserError(f"No finished run in {results / 'runs'}{failures}. Make some with `defectbench run`.")
    files = [_write_csv(out / "leaderboard.csv", rows)]
    tables = []
    for (dataset, budget), part in rows.groupby(["dataset", "budget"], sort=True):
        table = table2(part, _failed_only(records, str(dataset), str(budget)))
        tables.append(table)
        stem = f"table2_{dataset}_{budget}"
        files += [_write_csv(out / f"{stem}.csv", table.values), _write_markdown(out / f"{stem}.md", table)]
    return Report(rows, tables, files)


def _failed_only(records: Sequence[Record], dataset: str, budget: str) -> set[tuple[str, str]]:
    """(method, category) of which every run failed."""
    here = [record for record in records if (record.dataset, record.budget) == (dataset, budget)]
    finished = {(record.method, record.category) for record in here if record.status == "finished"}
    return {(record.method, record.category) for record in here} - finished


def _write_csv(path: Path, frame: pd.DataFrame) -> Path:
    write_text(path, frame.to_csv(index=False, float_format="%.6g"))
    return path


def _write_markdown(path: Path, table: Table2) -> Path:
    cells = table.cells.reset_index()
    cells["category"] = cells["category"].where(cells["images"] == "good", "")
    write_text(path, f"{table.caption}\n\n{cells.drop(columns='kind').to_markdown(index=False)}\n")
    return path


def show(report: Report, console: Console) -> None:
    """Print the tables, what each cell cost, and the paths of what was written."""
    for table in report.tables:
        console.print(table.caption, _rich_table2(table), sep="\n")
    console.print("What the cells cost, and image AUROC of the same scores:", _rich_costs(report.leaderboard), sep="\n")
    for file in report.files:
        console.print(f"wrote {file}", soft_wrap=True)


def _rich_table2(table: Table2) -> Table:
    shown = Table()
    shown.add_column("category")
    shown.add_column("images")
    for method in table.cells.columns:
        shown.add_column(method, justify="right")
    for (_, category, images), texts in zip(table.cells.index, table.cells.to_numpy(), strict=True):
        good = images == "good"
        shown.add_row(category if good else "", images, *texts, end_section=not good)
    return shown


def _rich_costs(rows: pd.DataFrame) -> Table:
    shown = Table()
    for name in ("method", "category", "seeds", "AUROC", "fit", "per image", "memory"):
        shown.add_column(name, justify="left" if name in {"method", "category", "seeds"} else "right")
    for row in rows.to_dict("records"):
        auroc = "-" if pd.isna(row["image_auroc"]) else f"{row['image_auroc']:.3f} ± {row['image_auroc_std']:.3f}"
        cost = f"{row['fit_seconds']:.1f} s", f"{row['ms_per_image']:.0f} ms", f"{row['peak_memory_mib']:.0f} MiB"
        if pd.isna(row["fit_seconds"]):  # maps that another program made
            cost = "-", "-", "-"
        shown.add_row(row["method"], row["category"], row["seeds"], auroc, *cost)
    return shown
