"""`defectbench report`: from a store of runs to leaderboard and tables, as files and on the terminal. Needs no torch."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from benchmarks.common.errors import UserError
from benchmarks.common.files import write_text
from benchmarks.report import formats
from benchmarks.report.layouts import FIELD_METRICS, TABLE2, TABLE3, Layout, Show, has_values, table_f, trimmed
from benchmarks.report.learning_curves import learning_curves
from benchmarks.report.pairs import method_pairs, pairs_markdown
from benchmarks.report.table_parts import PaperTable, tidy
from benchmarks.report.tables import Absences, paper_table
from benchmarks.store.columns import COLUMNS, validate
from benchmarks.store.leaderboard import leaderboard
from benchmarks.store.record import EXTERNAL, Record
from benchmarks.store.references import read_published, shipped, with_references
from benchmarks.store.runs import Contents, RunStore, Unreadable, check_is_there
from benchmarks.store.scores import decisions

Interval = Literal["wilson", "bootstrap"]
_FORMULA = re.compile(r"[=@]|[+-](?![\d.])")
KEY = ("dataset", "budget", "method", "category")


@dataclass(frozen=True)
class Section:
    """What is said of one dataset at one budget."""

    records: list[Record]
    """Those of maps that other programs made of the same images, too."""
    rows: pd.DataFrame
    """Of the leaderboard, with the reference rows that stand beside them."""
    tables: list[PaperTable]
    pairs: pd.DataFrame

    @property
    def own(self) -> pd.DataFrame:
        """The rows of its own runs."""
        return self.rows[self.rows["source"] == ""]


@dataclass(frozen=True)
class Report:
    """What was made, and where it was written."""

    leaderboard: pd.DataFrame
    sections: list[Section]
    records: list[Record]
    """What all of it was made from: a store may be written to meanwhile."""
    unreadable: list[Unreadable]
    files: list[Path] = field(default_factory=list)


def build(
    results: Path,
    out: Path,
    show: Show = "interval",
    interval: Interval = "wilson",
    published: Sequence[Path] = (),
    metrics: Sequence[str] = FIELD_METRICS,
    references: bool = False,
) -> Report:
    """Write `leaderboard.csv` and, for each dataset and budget, Tables 2, 3 and F as CSV, Markdown and LaTeX.

    Runs that were scored on their way also give `learning_curves.csv`.
    The same store and options give the same files, byte for byte.

    Args:
        show: what stands beside our numbers.
        interval: Wilson's, or a bootstrap over images, for which every `scores.csv` is read.
        published: CSV files of numbers from elsewhere (`benchmarks/store/references.py`).
        metrics: of Table F.
        references: add the project's reference numbers of the methods that were run.

    Raises:
        UserError: no finished run, runs that cannot stand together, or files that cannot be understood.
    """
    store = RunStore(results)
    contents = read_contents(results)
    records = contents.records
    runs = leaderboard(
        records, (lambda record: decisions(store.where(record), record)) if interval == "bootstrap" else None
    )
    if runs.empty:
        contents.complain()
        failures = f" ({len(records)} failed; `defectbench list runs` names them)" if records else ""
        raise UserError(f"No finished run in {results / 'runs'}{failures}. Make some with `defectbench run`.")
    layouts = (TABLE2, TABLE3, table_f(metrics))
    elsewhere = _published(published, runs, references)
    rows = pd.concat([runs, elsewhere.astype(object)], ignore_index=True) if len(elsewhere) else runs
    validate(rows)
    files = [_write_csv(out / "leaderboard.csv", _typed(rows))]
    sections = []
    for here in _in_tables(records):
        part = _rows_of(runs, here)
        section = _section(with_references(part, elsewhere), here, show, layouts)
        sections.append(section)
        files += _write_section(out, section)
    on_the_way = learning_curves(records, store)  # last: the tables do without what may be unreadable here
    if len(on_the_way):
        files.append(_write_csv(out / "learning_curves.csv", on_the_way))
    return Report(rows, sections, records, contents.unreadable, files)


def _in_tables(records: Sequence[Record]) -> list[list[Record]]:
    """The records of each dataset and budget, in their order, and with them the maps that other programs made of the same images.

    Such maps make a table of their own where there is no table with their images, or one that has their method already.
    """
    own: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        own.setdefault((record.dataset, record.budget), []).append(record)
    maps = {key: own.pop(key) for key in list(own) if key[1] == EXTERNAL}
    for key, found in maps.items():
        joined = [_join(found, tables) for tables in own.values() if tables[0].dataset == key[0]]
        if left := [record for record in found if not any(record in others for others in joined)]:
            own[key] = left
    return [own[key] for key in sorted(own) if any(record.result for record in own[key])]


def _join(maps: Sequence[Record], table: list[Record]) -> list[Record]:
    """Add to a table's records those of maps of the same images; returns them."""
    images = {record.category: record.test_data for record in table if record.result is not None}
    methods = {record.method for record in table}
    same = [m for m in maps if m.method not in methods and images.get(m.category) == m.test_data]
    table += same
    return same


def _rows_of(runs: pd.DataFrame, records: Sequence[Record]) -> pd.DataFrame:
    """The rows of a table's records, all with the table's budget."""
    cells = {(record.dataset, record.budget, record.method, record.category) for record in records}
    here = [key in cells for key in zip(*(runs[name] for name in KEY), strict=True)]
    return runs.loc[here].assign(budget=records[0].budget)


def read_contents(results: Path) -> Contents:
    """All runs below a results folder.

    Raises:
        UserError: there is no such folder, or it is not the one that holds `runs/`.
    """
    check_is_there(results)
    if not (results / "runs").is_dir():
        inside = results.name == "runs" or any(results.glob("*/*/seed=*"))
        hint = f"Did you mean {results.parent}?" if inside else "Make some runs with `defectbench run`."
        raise UserError(f"No finished run in {results}: it holds no folder runs/. {hint}")
    return RunStore(results).contents()


def _published(paths: Sequence[Path], runs: pd.DataFrame, references: bool) -> pd.DataFrame:
    """Numbers from elsewhere; where a file that the user gives has a cell of the project's, the user's."""
    parts = [read_published(path, runs) for path in paths]
    given = {cell for part in parts for cell in _cells(part)}
    if sum(map(len, parts)) > len(given):
        first = next(cell for part in parts for cell in _cells(part) if sum(cell in _cells(p) for p in parts) > 1)
        raise UserError(f"{first[1]} on {first[2]} is in two of {', '.join(map(str, paths))}.")
    if references:
        parts += [found.loc[[cell not in given for cell in _cells(found)]] for found in shipped(runs)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))


def _cells(rows: pd.DataFrame) -> list[tuple[str, str, str]]:
    return list(zip(rows["dataset"], rows["method"], rows["category"], strict=True))


def _data_warnings(records: Sequence[Record]) -> str:
    """What a caption says of images that were left out, or that flatter the numbers; the page has the words."""
    warned = sorted({record.category for record in records if record.warnings})
    return f" Data with warnings (see the report page): {', '.join(warned)}." if warned else ""


def _section(rows: pd.DataFrame, records: Sequence[Record], show: Show, layouts: Sequence[Layout]) -> Section:
    absences = _absences(records)
    possible = [trimmed(layout, rows) for layout in layouts]
    tables = [paper_table(layout, rows, absences, show) for layout in possible if has_values(layout, rows)]
    standing = "".join(f" {each[:1].upper()}{each[1:]}." for each in sorted({r.standing for r in records} - {""}))
    tables = [_noted(table, standing + _data_warnings(records)) for table in tables]
    return Section(list(records), rows, tables, method_pairs(rows))


def _noted(table: PaperTable, note: str) -> PaperTable:
    return replace(table, caption=table.caption + note, short_caption=table.short_caption + note)


def _absences(records: Sequence[Record]) -> Absences:
    """What the records of one dataset and budget say of cells that have no row."""
    finished = {(record.method, record.category) for record in records if record.result is not None}
    methods = {record.method: record.identity.get("config", {}).get("method", {}) for record in records}
    return Absences(
        failed={(record.method, record.category) for record in records} - finished,
        kinds={record.category: record.kind for record in records},
        inputs={name: set(config.get("inputs") or ()) for name, config in methods.items()},
        categories={name: set(config.get("table_categories") or ()) for name, config in methods.items()},
    )


def _write_section(out: Path, section: Section) -> list[Path]:
    files = []
    for table in section.tables:
        stem = f"{table.layout.name}_{file_name(table.dataset)}_{file_name(table.budget)}"
        files.append(_write_csv(out / f"{stem}.csv", tidy(table)))
        text = formats.markdown(table)
        if table.layout is TABLE2 and len(section.pairs):
            text += "\n" + pairs_markdown(section.pairs)
        texs = {".tex": formats.latex(table), "_compact.tex": formats.latex(table, compact=True)}
        for suffix, content in ({".md": text} | texs).items():
            write_text(out / f"{stem}{suffix}", content)
            files.append(out / f"{stem}{suffix}")
    if len(section.pairs):
        first = section.tables[0]
        name = f"pairs_{file_name(first.dataset)}_{file_name(first.budget)}.csv"
        files.append(_write_csv(out / name, section.pairs))
    return files


def file_name(name: str) -> str:
    """A dataset's or budget's name, safe in a file's."""
    return re.sub(r"[^\w.-]", "_", name)


def _typed(rows: pd.DataFrame) -> pd.DataFrame:
    """Whole numbers and truth values as such, also beside empty cells."""
    types = {"integer": "Int64", "boolean": "boolean", "number": "float64"}
    return rows.astype({name: types[column.kind] for name, column in COLUMNS.items() if column.kind in types})


def _write_csv(path: Path, frame: pd.DataFrame) -> Path:
    words = frame.select_dtypes(include=["object", "string"]).columns
    frame = frame.assign(**{name: frame[name].map(_harmless) for name in words})
    write_text(path, frame.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
    return path


def _harmless(value: Any) -> Any:
    """Text that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value
