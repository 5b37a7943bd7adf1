"""`report.html`: the tables, and for each cell its plots, pictures and provenance, in one file that needs no network."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.files import write_text
from benchmarks.report.cells import SIDES, Cell, Run, applies, cells_of, dicts, title_of
from benchmarks.report.pictures import Picture, pictures, run_with_maps
from benchmarks.report.plots import PLOTS, style, svg, write_paper_figures
from benchmarks.store import paper
from benchmarks.store.record import Record
from benchmarks.store.runs import RunStore

PAGE = "report.html"
TEMPLATES = Path(__file__).parent / "templates"
MINUS = "\N{MINUS SIGN}"
LICENCE_REASON = (
    "Pictures are left out unless asked for: they show images of the dataset, and most licences, MVTec AD's among them, "
    "do not allow to pass those on. For your own use, defectbench report --images embeds them, from runs with save_maps=true."
)
NO_MAPS_REASON = "No pictures: no seed of this cell kept its anomaly maps (save_maps=true)."
WHERE_THINGS_LIE = ("data.root=", "data.cache_dir=", "results.dir=", "progress=")  # decide no number
ABSENT = {
    "failed": "failed",
    "missing": "not run",
    "not_applicable": "does not apply",
}
STEPS = (0.15, 0.30)  # differences to the paper from which the colour deepens


@dataclass(frozen=True)
class Line:
    """Good or defective images in one cell of the table."""

    side: str
    value: float
    low: float
    high: float
    published: float | None
    inside: bool

    @property
    def difference(self) -> float | None:
        return None if self.published is None else self.value - self.published

    @property
    def mark(self) -> str:
        """`+0.28`, after `≈` where the paper's value lies within our interval."""
        return "" if self.difference is None else f"{'≈' if self.inside else ''}{signed(self.difference)}"

    @property
    def colour(self) -> str:
        """The class that colours the difference; the palest for one that the interval explains."""
        if self.difference is None or abs(self.difference) < 0.005:
            return ""
        step = 1 if self.inside else 2 + sum(abs(self.difference) >= step for step in STEPS)
        return f"{'above' if self.difference > 0 else 'below'}-{step}"

    @property
    def words(self) -> str:
        text = f"{self.side} {self.value:.2f}, interval {self.low:.2f} to {self.high:.2f}"
        return text if self.published is None else f"{text}, paper {self.published:.2f}, difference {self.mark}"


@dataclass(frozen=True)
class Shown:
    """One cell of the table as it is shown."""

    status: str
    """done, or a key of `ABSENT`."""
    key: str
    title: str
    lines: tuple[Line, ...] = ()
    note: str = ""
    has_details: bool = True

    @property
    def label(self) -> str:
        """What a screen reader says."""
        said = "; ".join(line.words for line in self.lines) or ABSENT[self.status]
        return f"{self.title}: {said}{'; ' + self.note if self.note else ''}"

    @property
    def orders(self) -> dict[str, str]:
        """By what the cell can be sorted."""
        values = {line.side: line.value for line in self.lines}
        differences = [line.difference for line in self.lines if line.difference is not None]
        orders = {**values, "balanced": sum(values.values()) / len(values) if values else None}
        orders["difference"] = sum(differences) / len(differences) if differences else None
        return {name: f"{value:.6f}" for name, value in orders.items() if value is not None}


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
    cell: Cell
    figures: list[Figure]
    pictures: list[Figure]
    no_pictures: str
    config: str
    provenance: dict[str, str]
    errors: list[tuple[str, str, str]]
    """Seed, message and traceback of each failed run."""

    @property
    def seeds(self) -> list[list[str]]:
        """A row of text for each finished seed: seed, counts, AUROC, threshold, costs; a dash for what it does not have."""
        return [_seed(run) for run in self.cell.runs]

    def counts(self, side: str) -> str:
        """`19, 20, 18 of 20`: one count for each seed."""
        shares = [share for run in self.cell.runs if (share := getattr(run.result, side))]
        return f"{', '.join(str(share.correct) for share in shares)} of {shares[0].total} images"


@dataclass(frozen=True)
class Column:
    """A column of the table of all numbers."""

    title: str
    name: str
    form: str = "{}"
    help: str = ""


COLUMNS = (
    Column("good", "normal_accuracy", "{:.3f}", "share of good test images classified correctly, mean over the seeds"),
    Column("± seeds", "normal_std", "{:.3f}", "standard deviation over the seeds"),
    Column("defective", "anomalous_accuracy", "{:.3f}", "share of defective test images classified correctly"),
    Column("± seeds", "anomalous_std", "{:.3f}", "standard deviation over the seeds"),
    Column("balanced", "balanced_accuracy", "{:.3f}", "mean of good and defective"),
    Column("AUROC", "image_auroc", "{:.3f}", "of the images' scores, without a threshold"),
    Column("AP", "image_average_precision", "{:.3f}", "average precision of the images' scores"),
    Column("pixel AUROC", "pixel_auroc", "{:.3f}", "over all pixels of the category"),
    Column("AU-PRO", "aupro", "{:.3f}", "area under the per-region-overlap curve"),
    Column("overlap", "region_overlap", "{:.3f}", "mean covered share of each defect region at the threshold"),
    Column("fit, s", "fit_seconds", "{:.1f}", "seconds to fit, mean over the seeds"),
    Column("ms/image", "ms_per_image", "{:.1f}", "milliseconds for one anomaly map, mean over the seeds"),
    Column("MiB", "peak_memory_mib", "{:.0f}", "largest resident memory"),
    Column("device", "device", "{}", "on what it ran"),
)


@dataclass
class Group:
    """One dataset at one budget: its tables and cells."""

    dataset: str
    budget: str
    caption: str
    verdict: str
    compared: bool
    methods: list[tuple[str, str, str]]
    """Name, title and warning of each column."""
    body: list[tuple[str, str, dict[str, int], list[Shown]]]
    """Category, kind, number of images by side, and a cell for each method."""
    means: list[list[tuple[str, str, str]]]
    """For each method: side, our mean, the difference to the paper's."""
    columns: list[Column]
    numbers: list[tuple[Shown, dict[str, Any]]]
    details: list[Details] = field(default_factory=list)

    @property
    def anchor(self) -> str:
        return f"{self.dataset}/{self.budget}"


def write_page(
    records: Sequence[Record],
    leaderboard: pd.DataFrame,
    store: RunStore,
    out: Path,
    images: bool = False,
    dataset_root: Path | None = None,
) -> list[Path]:
    """Write `report.html`.

    Args:
        records: all runs of the store, failed ones too.
        leaderboard: their rows, and rows of results from elsewhere.
        images: embed pictures of the dataset's images, where runs kept their maps.
        dataset_root: the folder of the categories, if not the one that the runs used.

    Raises:
        UserError: what lies beside a record cannot be read, or pictures are wanted and their images are not found.
    """
    groups = []
    with style():
        for cells, rows, here in _groups(records, leaderboard, store):
            group = _group(here, cells, rows)
            shown = {cell.key: cell for _, _, _, line in group.body for cell in line}
            group.details = [
                _details(shown[f"{group.anchor}/{cell.key}"], cell, store, images, dataset_root)
                for cell in _in_table_order(cells, group)
            ]
            groups.append(group)
    write_text(out / PAGE, _template().render(groups=groups, absent=ABSENT, steps=STEPS))
    return [out / PAGE]


def write_figures(records: Sequence[Record], leaderboard: pd.DataFrame, store: RunStore, out: Path) -> list[Path]:
    """Write the page's plots as `figures/<dataset>_<budget>/<method>_<category>_<plot>.png` and `.pdf`."""
    written = []
    with style():
        for cells, _, here in _groups(records, leaderboard, store):
            folder = out / "figures" / f"{here[0].dataset}_{here[0].budget}"
            for cell in cells.values():
                for plot in PLOTS:
                    if plot.is_possible(cell):
                        stem = folder / f"{cell.method}_{cell.category}_{plot.name}"
                        written += write_paper_figures(plot.figure(cell), stem)
    return written


def signed(value: float) -> str:
    """`+0.28`, with a real minus sign; ±0.00 where it rounds to nothing."""
    text = f"{value:+.2f}"
    return "±0.00" if text[1:] == "0.00" else text.replace("-", MINUS)


def _groups(
    records: Sequence[Record], leaderboard: pd.DataFrame, store: RunStore
) -> Iterable[tuple[dict[tuple[str, str], Cell], pd.DataFrame, list[Record]]]:
    """Cells, rows and records of each dataset and budget that has runs."""
    for dataset, budget in sorted({(record.dataset, record.budget) for record in records}):
        here = [record for record in records if (record.dataset, record.budget) == (dataset, budget)]
        rows = leaderboard[(leaderboard["dataset"] == dataset) & (leaderboard["budget"] == budget)]
        yield cells_of(here, rows, store), rows, here


def _group(records: list[Record], cells: dict[tuple[str, str], Cell], rows: pd.DataFrame) -> Group:
    dataset, budget = records[0].dataset, records[0].budget
    by_method: dict[str, list[Record]] = {}
    for record in records:
        by_method.setdefault(record.method, []).append(record)
    methods = _in_order([*by_method, *rows["method"]], paper.METHODS)
    kinds = {record.category: record.kind for record in records} | dict(
        zip(rows["category"], rows["kind"], strict=True)
    )
    categories = _in_order(kinds, list(paper.table2()["category"].unique()))
    categories.sort(key=lambda category: kinds[category] != "texture")
    row_of = {(row["method"], row["category"]): row for row in dicts(rows)}
    table = {
        (method, category): _shown(
            (dataset, budget, method, category),
            kinds[category],
            cells.get((method, category)),
            row_of.get((method, category)),
            by_method.get(method, []),
        )
        for method in methods
        for category in categories
    }
    titles = {method: title_of(by_method[method]) if method in by_method else method for method in methods}
    return Group(
        dataset,
        budget,
        _caption(records, rows),
        _verdict(rows),
        bool(rows["paper_normal"].notna().any()),
        [(method, titles[method], _warning(rows, method)) for method in methods],
        [
            (category, kinds[category], _totals(rows, category), [table[method, category] for method in methods])
            for category in categories
        ],
        [_means(rows[rows["method"] == method]) for method in methods],
        [column for column in COLUMNS if column.name in rows and rows[column.name].notna().any()],
        [(table[row["method"], row["category"]], row) for row in dicts(rows)],
    )


def _shown(
    place: tuple[str, str, str, str], kind: str, cell: Cell | None, row: dict[str, Any] | None, method: Sequence[Record]
) -> Shown:
    dataset, _, name, category = place
    key = "/".join(place)
    title = f"{title_of(method) if method else name} on {category}"
    if row is not None:
        failed = len(cell.failed) if cell else 0
        note = f"{failed} of {failed + len(cell.runs)} seeds failed" if cell and failed else ""
        return Shown("done", key, title, tuple(_lines(row)), note, has_details=cell is not None)
    if cell is not None:
        return Shown("failed", key, title)
    status = "missing" if applies(method, dataset, kind, category) else "not_applicable"
    return Shown(status, key, title, has_details=False)


def _lines(row: dict[str, Any]) -> Iterable[Line]:
    for side, name in SIDES.items():
        if not pd.isna(row[f"{name}_accuracy"]):
            published = None if pd.isna(row[f"paper_{name}"]) else row[f"paper_{name}"]
            low, high = row[f"{name}_low"], row[f"{name}_high"]
            inside = published is not None and bool(row[f"paper_{name}_inside"])
            yield Line(side, row[f"{name}_accuracy"], low, high, published, inside)


def _warning(rows: pd.DataFrame, method: str) -> str:
    """A mark for numbers that mean nothing."""
    facts = rows.loc[rows["method"] == method, "facts"].astype(str)
    return "random weights" if facts.str.contains("weights=random").any() else ""


def _totals(rows: pd.DataFrame, category: str) -> dict[str, int]:
    here = rows[rows["category"] == category]
    totals = {side: here[f"{name}_total"].dropna() for side, name in SIDES.items()}
    return {side: int(total.iloc[0]) for side, total in totals.items() if len(total)}


def _means(rows: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Means over the categories that the method was run on, and how they differ from the paper's over the same ones."""
    means = []
    for side, name in SIDES.items():
        ours = rows.dropna(subset=f"{name}_accuracy")
        if len(ours):
            published = ours[f"paper_{name}"]
            mean = ours[f"{name}_accuracy"].mean()
            means.append((side, f"{mean:.2f}", "" if published.isna().any() else signed(mean - published.mean())))
    return means


def _caption(records: Sequence[Record], rows: pd.DataFrame) -> str:
    seeds = sorted({len(str(text).split()) for text in rows["seeds"]}) or [len({record.seed for record in records})]
    areas = sorted(set(rows["minimum_area"].dropna()))
    area = f", minimum defect area {' or '.join(f'{value:.2%}' for value in areas)} of the image" if areas else ""
    count = " or ".join(map(str, seeds))
    return f"{count} seed{'' if count == '1' else 's'} for each cell{area}"


def _verdict(rows: pd.DataFrame) -> str:
    """How the table stands to the paper, in one sentence; nothing for other datasets."""
    compared = rows.dropna(subset=["paper_normal", "paper_anomalous", "normal_accuracy", "anomalous_accuracy"])
    if compared.empty:
        return ""
    inside = int(compared[["paper_normal_inside", "paper_anomalous_inside"]].astype(bool).sum().sum())
    good, defective = compared["difference_normal"].mean(), compared["difference_anomalous"].mean()
    return (
        f"The paper's value lies within our 95 % interval in {inside} of {2 * len(compared)} numbers. Mean difference to the "
        f"paper: {signed(good)} for good images, {signed(defective)} for defective ones."
    )


def _in_table_order(cells: dict[tuple[str, str], Cell], group: Group) -> list[Cell]:
    places = [(method, category) for category, *_ in group.body for method, *_ in group.methods]
    return [cells[place] for place in places if place in cells]


def _details(shown: Shown, cell: Cell, store: RunStore, images: bool, dataset_root: Path | None) -> Details:
    drawn = [
        Figure(plot.title, plot.words(cell), svg=svg(plot.figure(cell), plot.name))
        for plot in PLOTS
        if plot.is_possible(cell)
    ]
    found, reason = _pictures(cell, images, dataset_root)
    first = cell.runs[0].record if cell.runs else cell.failed[0]
    return Details(
        shown,
        cell,
        drawn,
        [Figure(picture.choice.title, picture.words, image=picture.data_uri()) for picture in found],
        reason,
        _config(first),
        _provenance(cell),
        [(str(record.seed), record.error, _traceback(store, record)) for record in cell.failed],
    )


def _seed(run: Run) -> list[str]:
    result = run.result
    counts = [f"{share.correct}/{share.total}" if share else "–" for share in (result.good, result.defective)]
    auroc = None if result.image is None else result.image.auroc
    numbers = ((auroc, ".3f"), (result.threshold, ".4g"), (result.fit_seconds, ".1f"), (result.ms_per_image, ".1f"))
    costs = ["–" if value is None else format(value, form) for value, form in (*numbers, (run.record.seconds, ".1f"))]
    return [str(run.record.seed), *counts, *costs]


def _pictures(cell: Cell, images: bool, dataset_root: Path | None) -> tuple[list[Picture], str]:
    """Pictures, or why there are none."""
    if not images:
        return [], LICENCE_REASON
    run = run_with_maps(cell)
    return ([], NO_MAPS_REASON) if run is None else (pictures(run, dataset_root), "")


def _config(record: Record) -> str:
    """What decided the numbers, resolved; where things lie is no part of it."""
    from omegaconf import OmegaConf

    return OmegaConf.to_yaml(OmegaConf.create(record.identity.get("config", {})))


def _provenance(cell: Cell) -> dict[str, str]:
    """Facts that the runs share, or all their values."""
    records = [*[run.record for run in cell.runs], *cell.failed]
    versions = [" ".join(f"{k} {v}" for k, v in record.identity.get("versions", {}).items()) for record in records]
    facts = [" ".join(f"{k}={v}" for k, v in run.result.facts.items()) for run in cell.runs]
    found = {
        "command": _distinct(_command(record) for record in records[:1]),
        "revision": _distinct(record.revision for record in records),
        "code": _distinct(record.identity.get("code", "") for record in records),
        "versions": _distinct(versions),
        "training data": _distinct(record.identity.get("train_data", "") for record in records),
        "test data": _distinct(record.test_data for record in records),
        "device": _distinct(f"{record.device}, CPU threads: {record.threads}" for record in records),
        "visible GPUs": _distinct(record.visible_gpus for record in records),
        "the method says": _distinct(facts),
        "map size": _distinct(
            f"{w} × {h} px" for run in cell.runs if run.result.map_size for h, w in [run.result.map_size]
        ),
        "minimum area": _distinct(
            f"{run.result.minimum_area_px} px of the map" for run in cell.runs if run.result.minimum_area_px
        ),
        "validation images": _distinct(str(run.result.validation_images) for run in cell.runs),
    }
    return {name: value for name, value in found.items() if value}


def _command(record: Record) -> str:
    kept = [text for text in record.overrides if not text.startswith(WHERE_THINGS_LIE)]
    return f"defectbench run {' '.join(kept)}" if kept else ""


def _traceback(store: RunStore, record: Record) -> str:
    path = store.folder(record.cell) / "error.txt"
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _distinct(values: Iterable[str]) -> str:
    return "; ".join(value for value in dict.fromkeys(values) if value)


def _in_order(names: Iterable[str], order: Sequence[str]) -> list[str]:
    """Distinct names, those of the paper first and in its order."""
    known = {name: place for place, name in enumerate(order)}
    return sorted(set(names), key=lambda name: (known.get(name, len(known)), name))


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
