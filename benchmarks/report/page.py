"""`report.html`: the tables, and for each cell its plots, pictures and provenance, in one file that needs no network."""

import shlex
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from benchmarks.common.files import write_text
from benchmarks.report import ranks
from benchmarks.report.answer import answer
from benchmarks.report.build import Report, Section, file_name
from benchmarks.report.cells import Cell, Run, cells_of
from benchmarks.report.formats import NO_NUMBER, beside, signed
from benchmarks.report.pairs import TITLE
from benchmarks.report.plots import PLOTS, style, write_paper_figures
from benchmarks.report.ranks import Ranks
from benchmarks.report.tables import TABLE2, Entry, Heading, Mean, PaperTable, Value
from benchmarks.report.tables import Line as TableLine
from benchmarks.store.columns import COLUMNS, Column, rows_of
from benchmarks.store.record import Record
from benchmarks.store.runs import RunStore

if TYPE_CHECKING:
    from benchmarks.report.pictures import Picture

PAGE = "report.html"
TEMPLATES = Path(__file__).parent / "templates"
ABSENT = {
    "failed": "failed",
    "missing": "not run",
    "not_applicable": "does not apply",
    "not_published": "not published",
}
STEPS = (0.15, 0.30)  # differences to the paper from which the colour deepens
SLIGHT = 0.05  # where there is no interval, a difference below this has the palest colour
NUMBERS = {name: column for name, column in COLUMNS.items() if column.title}
"""Columns of the leaderboard that the table of all numbers shows."""
LICENCE_REASON = (
    "Pictures are left out unless asked for: they show images of the dataset, and most licences, MVTec AD's among them, "
    "do not allow to pass those on. For your own use, defectbench report --images embeds them, from runs with save_maps=true."
)
NO_MAPS_REASON = "No pictures: no seed of this cell kept its anomaly maps (save_maps=true)."
OF_THE_MACHINE = (
    "data.cache_dir=",
    "results.dir=",
    "progress=",
)  # decide no number, and a command is right without them


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
    numbers: tuple[Number, ...] = ()
    best: bool = False
    """Bold, by the table's rule."""
    starred: bool = False
    """The best of its category by a paired bootstrap."""
    note: str = ""
    has_details: bool = True

    @property
    def absence(self) -> str:
        """Why there is no number."""
        return ABSENT.get(self.status, NO_NUMBER)

    @property
    def label(self) -> str:
        """What a screen reader says."""
        said = "; ".join(number.words for number in self.numbers) or self.absence
        best = ["best of its category"] if self.starred else []
        return "; ".join([f"{self.title}: {said}", *best, *([self.note] if self.note else [])])

    @property
    def orders(self) -> dict[str, str]:
        """By what the cell can be sorted."""
        values = [number.value.ours for number in self.numbers]
        differences = [number.value.difference for number in self.numbers if number.value.difference is not None]
        orders = {f"row{place}": value for place, value in enumerate(values)}
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
    averages: list[tuple[str, list[list[Number]]]]
    """Lines below the categories: name, and the means of each column."""


@dataclass(frozen=True)
class Figure:
    """A plot or a picture with its title and its words."""

    title: str
    words: str
    svg: str = ""
    image: str = ""


@dataclass(frozen=True)
class Details:
    """What the dialog of a cell shows."""

    shown: Shown
    numbers: list[Number]
    """Of all tables."""
    cell: Cell
    figures: list[Figure]
    pictures: list[Figure]
    no_pictures: str
    config: str
    provenance: dict[str, str]
    errors: list[tuple[int, str, str]]
    """Seed, message and traceback of each failed run."""

    @property
    def seeds(self) -> list[list[str]]:
        """A row of text for each finished seed: seed, counts, AUROC, threshold, costs; a dash for what it does not have."""
        return [_seed(run) for run in self.cell.runs]

    def counts(self, side: str) -> str:
        """`19, 20, 18 of 20 images`: one count for each seed; empty for what is not counted."""
        shares = [share for run in self.cell.runs if (share := getattr(run.result, side, None))]
        if not shares:
            return ""
        counts = f"{', '.join(str(share.correct) for share in shares)} of {shares[0].total} images"
        rate = 1 - sum(share.ratio for share in shares) / len(shares)
        return f"{counts}; {'false-alarm rate' if side == 'good' else 'missed'} {rate:.0%}"


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
    details: list[Details]
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
    groups = [
        _group(section, cells, rows, store, images, dataset_root) for section, cells, rows in _parts(report, store)
    ]
    titles = {"pairs_title": TITLE, "ranks_title": ranks.TITLE}
    write_text(
        out / PAGE,
        _template().render(groups=groups, unreadable=report.unreadable, steps=STEPS, slight=SLIGHT, **titles),
    )
    written = [out / PAGE]
    for group in groups:
        if group.ranks.found:
            written.append(out / f"ranks_{file_name(group.dataset)}_{file_name(group.budget)}.csv")
            write_text(written[-1], ranks.table(group.ranks).to_csv(index=False, float_format="%.4g"))
    return written


def write_figures(report: Report, store: RunStore, out: Path) -> list[Path]:
    """Write the page's plots as `figures/<dataset>_<budget>/<method>_<category>_<plot>.png` and `.pdf`."""
    written = []
    with style():
        for section, cells, _ in _parts(report, store):
            table = section.tables[0]
            folder = out / "figures" / file_name(f"{table.dataset}_{table.budget}")
            ranked = ranks.ranks(cells, _meaningless(section.rows))
            if ranked.found:
                written += write_paper_figures(ranks.figure(ranked), folder / "ranks")
            for cell in cells.values():
                for plot in PLOTS:
                    if plot.is_possible(cell):
                        stem = folder / file_name(f"{cell.method}_{cell.category}_{plot.name}")
                        written += write_paper_figures(plot.figure(cell), stem)
    return written


def _parts(report: Report, store: RunStore) -> Iterable[tuple[Section, dict[tuple[str, str], Cell], pd.DataFrame]]:
    """Each section with its cells and its rows of the leaderboard."""
    for section in report.sections:
        rows = section.rows[section.rows["source"] == ""]
        yield section, cells_of(section.records, rows, store), rows


def _group(
    section: Section,
    cells: dict[tuple[str, str], Cell],
    rows: pd.DataFrame,
    store: RunStore,
    images: bool,
    dataset_root: Path | None,
) -> Group:
    ranked = ranks.ranks(cells, _meaningless(rows), _not_applicable(section.tables[0]))
    matrices = [_matrix(table, cells, ranked) for table in section.tables]
    shown = {cell.key: cell for row in matrices[0].rows for cell in row.cells if cell.has_details}
    numbers: dict[str, list[Number]] = {}
    for cell in (cell for matrix in matrices for row in matrix.rows for cell in row.cells):
        numbers.setdefault(cell.key, []).extend(cell.numbers)
    of_key = {_key(matrices[0].table, *place): cell for place, cell in cells.items()}
    return Group(
        matrices[0].table.dataset,
        matrices[0].table.budget,
        answer(rows, ranked),
        _verdict(rows),
        matrices,
        [(name, column) for name, column in NUMBERS.items() if rows[name].notna().any()],
        [(shown[_key(matrices[0].table, row["method"], row["category"])], row) for row in rows_of(rows)],
        rows_of(section.pairs),
        [_details(one, numbers[key], of_key[key], store, images, dataset_root) for key, one in shown.items()],
        ranked,
    )


def _not_applicable(table: PaperTable) -> set[tuple[str, str]]:
    return {
        (heading.method, line.category)
        for line in table.lines
        for heading, entry in zip(table.headings, line.entries, strict=True)
        if entry.status == "not_applicable"
    }


def _meaningless(rows: pd.DataFrame) -> set[str]:
    return set(rows.loc[rows["weights"] == "random", "method"])


def _matrix(table: PaperTable, cells: dict[tuple[str, str], Cell], ranked: Ranks) -> Matrix:
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


def _labels(table: PaperTable, line: TableLine) -> tuple[str, ...]:
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
        Number(side, value, beside(value, table.show), row.get(f"paper_{measure}_inside") is True)
        for side, measure, value in zip(table.layout.sides, table.layout.measures, entry.values, strict=True)
        if value is not None
    )
    status = entry.status if numbers or entry.status != "done" else "no_number"
    notes = _notes(cell) if cell and status == "done" else []
    return Shown(
        _key(table, heading.method, category),
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


def _key(table: PaperTable, method: str, category: str) -> str:
    return f"{table.dataset}/{table.budget}/{method}/{category}"


def _mean(table: PaperTable, mean: Mean) -> list[Number]:
    sides = zip(table.layout.sides, mean.values, strict=True)
    return [Number(side, value, beside(value, "none"), inside=False) for side, value in sides if value is not None]


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


def _details(
    shown: Shown, numbers: list[Number], cell: Cell, store: RunStore, images: bool, dataset_root: Path | None
) -> Details:
    drawn = [Figure(plot.title, plot.words(cell), svg=plot.svg(cell)) for plot in PLOTS if plot.is_possible(cell)]
    found, reason = _pictures(cell, images, dataset_root)
    first = cell.runs[0].record if cell.runs else cell.failed[0]
    return Details(
        shown,
        numbers,
        cell,
        drawn,
        [Figure(picture.choice.title, picture.words, image=picture.data_uri()) for picture in found],
        reason,
        _config(first),
        _provenance(cell),
        [(record.seed, record.error, _traceback(store, record)) for record in cell.failed],
    )


def _pictures(cell: Cell, images: bool, dataset_root: Path | None) -> "tuple[list[Picture], str]":
    """Pictures, or why there are none."""
    if not images:
        return [], LICENCE_REASON
    from benchmarks.report.pictures import pictures, run_with_maps  # numba, which takes seconds

    run = run_with_maps(cell)
    found = [] if run is None else pictures(run, dataset_root)
    return found, "" if found else NO_MAPS_REASON


def _seed(run: Run) -> list[str]:
    result = run.result
    counts = [f"{share.correct}/{share.total}" if share else "–" for share in (result.good, result.defective)]
    auroc = None if result.image is None else result.image.auroc
    numbers = ((auroc, ".3f"), (result.threshold, ".4g"), (result.fit_seconds, ".1f"), (result.ms_per_image, ".1f"))
    costs = ["–" if value is None else format(value, form) for value, form in (*numbers, (run.record.seconds, ".1f"))]
    return [str(run.record.seed), *counts, *costs]


def _config(record: Record) -> str:
    """What decided the numbers, resolved; where things lie is no part of it."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # ten times as fast, where PyYAML was built with it
    text: str = yaml.dump(record.identity.get("config", {}), Dumper=dumper, sort_keys=False, allow_unicode=True)
    return text


def _provenance(cell: Cell) -> dict[str, str]:
    """Facts that the runs share, or all their values."""
    records = [*[run.record for run in cell.runs], *cell.failed]
    results = [run.result for run in cell.runs]
    versions = [" ".join(f"{k} {v}" for k, v in record.identity.get("versions", {}).items()) for record in records]
    found = {
        "command": _distinct(_command(record) for record in records[:1]),
        "standing": _distinct(record.standing for record in records),
        "revision": _distinct(record.revision for record in records),
        "code": _distinct(_code(record.identity.get("code", "")) for record in records),
        "versions": _distinct(versions),
        "training data": _distinct(record.identity.get("train_data", "") for record in records),
        "test data": _distinct(record.test_data for record in records),
        "device": _distinct(f"{record.device}, CPU threads: {record.threads}" for record in records),
        "visible GPUs": _distinct(record.visible_gpus for record in records),
        "the method says": _distinct(" ".join(f"{k}={v}" for k, v in result.facts.items()) for result in results),
        "map size": _distinct(f"{w} × {h} px" for result in results if result.map_size for h, w in [result.map_size]),
        "minimum area": _distinct(f"{r.minimum_area_px} px of the map" for r in results if r.minimum_area_px),
        "validation images": _distinct(str(result.validation_images) for result in results),
    }
    return {name: value for name, value in found.items() if value}


def _code(hashes: Any) -> str:
    """One hash for the page, of those of all modules."""
    return hashes if isinstance(hashes, str) else f"{zlib.crc32(repr(sorted(hashes.items())).encode()):08x}"


def _command(record: Record) -> str:
    kept = [text for text in record.overrides if not text.startswith(OF_THE_MACHINE)]
    return shlex.join(["defectbench", "run", *kept]) if kept else ""


def _traceback(store: RunStore, record: Record) -> str:
    path = store.where(record) / "error.txt"
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _distinct(values: Iterable[str]) -> str:
    return "; ".join(value for value in dict.fromkeys(values) if value)


def _template() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("page.html")
