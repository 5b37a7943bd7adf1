"""Tables 2 and 3 in the paper's layout, ours beside the paper's, and Table F, the field's: a column for each method."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import pandas as pd

from benchmarks.common.errors import UserError, nearest
from benchmarks.store import paper
from benchmarks.store.columns import METRICS, rows_of, spread_of
from benchmarks.store.leaderboard import COMPARED, has_the_papers_images
from benchmarks.store.record import EXTERNAL

Status = Literal["done", "failed", "missing", "not_applicable", "not_published"]
Show = Literal["interval", "counts", "std", "none"]
MEAN = "mean"


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

    categories: int
    values: tuple[Value | None, ...]


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


@dataclass(frozen=True)
class Absences:
    """What a leaderboard cannot tell, as it has only cells with results."""

    failed: Collection[tuple[str, str]] = ()
    """(method, category) of which every run failed."""
    kinds: Mapping[str, str] | None = None
    """Kind of each category that has runs, failed ones too."""
    inputs: Mapping[str, Collection[str]] | None = None
    """Kinds that a method takes."""
    categories: Mapping[str, Collection[str]] | None = None
    """Categories that a method is kept to, where it is."""


def paper_table(
    layout: Layout, rows: pd.DataFrame, absences: Absences | None = None, show: Show = "interval"
) -> PaperTable:
    """Lay out the rows of one dataset and budget, reference rows included.

    Raises:
        ValueError: the rows are of several datasets or budgets, which must not stand in one table.
    """
    if len(rows[["dataset", "budget"]].drop_duplicates()) != 1:
        raise ValueError("a table is made of one dataset and one budget")
    absences = absences or Absences()
    show = show if layout.paper else "std"
    rows = _with_numbers(layout, rows)
    found = {(row["method"], row["category"]): row for row in rows_of(rows)}
    headings = _headings(rows, [method for method, _ in absences.failed])
    kinds = {**(absences.kinds or {}), **dict(zip(rows["category"], rows["kind"], strict=True))}
    categories = in_order(kinds, list(paper.table2()["category"].unique()))
    categories.sort(key=lambda category: kinds[category] != "texture")
    lines = []
    for category in categories:
        entries = [
            _entry(
                layout,
                found.get((heading.method, category)),
                _absence(heading, category, kinds[category], rows, absences),
                found.get((heading.reference_for, category)),
            )
            for heading in headings
        ]
        lines.append(Line(kinds[category], category, _mark_best(headings, entries)))
    means = _means(lines, layout)
    kinds_here = {line.kind for line in lines}
    parts = (
        ()
        if layout.paper or kinds_here != {"texture", "object"}
        else tuple(
            (f"{kind}s", _means([line for line in lines if line.kind == kind], layout))
            for kind in ("texture", "object")
        )
    )
    compared = any(v is not None and v.paper is not None for line in lines for e in line.entries for v in e.values)
    dataset, budget = str(rows.iloc[0]["dataset"]), str(rows.iloc[0]["budget"])
    captions = _caption(layout, rows, compared, show), _caption(layout, rows, False, "none")
    return PaperTable(layout, dataset, budget, *captions, headings, tuple(lines), means, compared, show, parts)


def has_values(layout: Layout, rows: pd.DataFrame) -> bool:
    """Whether a table of these rows would hold any number."""
    return bool(rows[_columns(layout)].notna().any(axis=None))


def trimmed(layout: Layout, rows: pd.DataFrame) -> Layout:
    """A table of metrics of one's choice, without those that no row has; the paper's tables as they are."""
    if layout.paper:
        return layout
    kept = [(s, m) for s, m in zip(layout.sides, layout.measures, strict=True) if rows[m].notna().any()]
    return replace(layout, sides=tuple(side for side, _ in kept), measures=tuple(measure for _, measure in kept))


def _columns(layout: Layout) -> list[str]:
    return [COMPARED.get(measure, measure) for measure in layout.measures]


def _with_numbers(layout: Layout, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows without those of published methods that have none of the table's numbers anywhere; the paper's tables need all."""
    published = rows[rows["source"] != ""]
    known = published[_columns(layout)].notna()
    numbers = (known.all(axis=1) if layout.paper else known.any(axis=1)).groupby(published["method"]).any()
    return rows[(rows["source"] == "") | rows["method"].isin(numbers.index[numbers.astype(bool)])]


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


def in_order(names: Iterable[str], order: Sequence[str]) -> list[str]:
    """Distinct names, those of the paper first and in its order."""
    known = {name: place for place, name in enumerate(order)}
    return sorted(set(names), key=lambda name: (known.get(name, len(known)), name))


def _headings(rows: pd.DataFrame, failed: list[str]) -> tuple[Heading, ...]:
    """Our methods in the paper's order, then the published ones."""
    sources: dict[str, list[str]] = {}
    for row in rows_of(rows):
        if row["source"]:
            sources.setdefault(row["method"], []).append(row["source"])
    ours = in_order([*rows.loc[rows["source"] == "", "method"], *failed], paper.METHODS)
    random = set(rows.loc[rows["weights"] == "random", "method"])
    external = set(rows.loc[rows["device"] == EXTERNAL, "method"])
    headings = [Heading(method, method in random, "", external=method in external) for method in ours]
    published = sorted(sources.items())
    of = dict(zip(rows["method"], rows["reference_for"], strict=True))
    return (*headings, *(Heading(name, False, "; ".join(dict.fromkeys(w)), of[name] or "") for name, w in published))


def _entry(layout: Layout, row: Mapping[str, Any] | None, absence: Status, ours: Mapping[str, Any] | None) -> Entry:
    if row is None:
        return Entry(absence, (None,) * len(layout.measures))
    values = tuple(_value(row, measure, layout, ours) for measure in layout.measures)
    return Entry("not_published" if row["source"] else "done", values)


def _value(row: Mapping[str, Any], measure: str, layout: Layout, same_method: Mapping[str, Any] | None) -> Value | None:
    column = COMPARED.get(measure, measure)
    ours = row[column]
    if pd.isna(ours):
        return None
    std = row[spread_of(column)]
    run = None if same_method is None else _or_none(same_method[column])
    counts, total = row.get(f"{measure}_counts"), row.get(f"{measure}_total")
    return Value(
        float(ours),
        _or_none(row.get(f"paper_{measure}")) if layout.paper else None,
        _or_none(row.get(f"{measure}_low")),
        _or_none(row.get(f"{measure}_high")),
        _or_none(std),
        counts if isinstance(counts, str) else "",
        None if total is None or pd.isna(total) else int(total),
        layout.digits,
        None if run is None else run - float(ours),
    )


def _or_none(number: Any) -> float | None:
    return None if number is None or pd.isna(number) else float(number)


def _absence(heading: Heading, category: str, kind: str, rows: pd.DataFrame, absences: Absences) -> Status:
    """Why a cell has no row."""
    method = heading.method
    if (method, category) in absences.failed:
        return "failed"
    meant_for = (absences.inputs or {}).get(method) or {kind}
    kept_to = (absences.categories or {}).get(method) or {category}
    dash = (
        rows.iloc[0]["dataset"] == paper.MVTEC_AD
        and method in paper.METHODS
        and category in paper.image_counts()
        and (method, category) not in paper.values()
    )
    if heading.source or kind not in meant_for or category not in kept_to or dash:
        return "not_applicable"
    return "missing"


def _mark_best(headings: Sequence[Heading], entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """The paper's rule for bold: the highest mean of a cell's numbers. Random weights and published numbers do not compete."""
    means = [
        None if heading.random_weights or heading.source else _mean_of(entry)
        for heading, entry in zip(headings, entries, strict=True)
    ]
    competing = [mean for mean in means if mean is not None]
    best = max(competing) if len(competing) > 1 else None
    return tuple(
        replace(entry, best=best is not None and mean is not None and mean > best - 1e-9)
        for entry, mean in zip(entries, means, strict=True)
    )


def _mean_of(entry: Entry) -> float | None:
    numbers = [value.ours for value in entry.values if value is not None]
    return sum(numbers) / len(numbers) if len(numbers) == len(entry.values) else None


def _means(lines: Sequence[Line], layout: Layout) -> tuple[Mean, ...]:
    """Of each column."""
    return tuple(_mean(entries, layout) for entries in zip(*(line.entries for line in lines), strict=True))


def _mean(entries: Sequence[Entry], layout: Layout) -> Mean:
    done = [entry for entry in entries if any(entry.values)]
    sides = range(len(layout.measures))
    return Mean(len(done), tuple(_mean_value([entry.values[side] for entry in done]) for side in sides))


def _mean_value(values: Sequence[Value | None]) -> Value | None:
    present = [value for value in values if value is not None]
    if not present:
        return None
    papers = [value.paper for value in present if value.paper is not None]
    mean = sum(value.ours for value in present) / len(present)
    published = sum(papers) / len(papers) if len(papers) == len(present) else None
    ahead = [value.ahead for value in present if value.ahead is not None]
    ours_ahead = sum(ahead) / len(ahead) if len(ahead) == len(present) else None
    return Value(mean, published, None, None, None, "", None, present[0].digits, ours_ahead)


def _caption(layout: Layout, rows: pd.DataFrame, compared: bool, show: Show) -> str:
    ours = rows[rows["source"] == ""]
    first = rows.iloc[0]
    dataset = "synthetic: not MVTec AD" if first["dataset"] == "synthetic" else f"dataset {first['dataset']}"
    parts = [layout.title, f"{dataset}, budget {first['budget']}{_settings(ours)}"]
    if "aupro" in layout.measures:
        limits = sorted(set(ours["aupro_limit"].dropna()))
        parts += (
            [f"AU-PRO up to a false-positive rate of {' or '.join(f'{limit:g}' for limit in limits)}"] if limits else []
        )
    parts += _shown(layout, ours, show)
    if compared:
        parts.append("beside ours the paper's value and the difference, ours minus the paper's")
    parts.append(
        "bold: highest mean of the two rows, the paper's rule" if layout.paper else "bold: highest mean of the rows"
    )
    if rows["reference_for"].astype(bool).any() and not layout.paper:
        parts.append("in brackets behind a published number ours minus it")
    parts += _reservations(layout, rows, ours)
    return "; ".join(parts) + "."


def _settings(ours: pd.DataFrame) -> str:
    """Seeds, areas and samples of the rows, each in full where they differ."""
    seeds = sorted({len(text.split()) for text in ours["seeds"]})
    words = f", {' or '.join(map(str, seeds))} seed{'' if seeds == [1] else 's'}" if seeds else ""
    areas = sorted(set(ours["minimum_area"].dropna()))
    if areas:
        words += (
            f", minimum defect area {' or '.join(f'{area:.4g} %' for area in [100 * a for a in areas])} of the image"
        )
    samples = ours.dropna(subset="training_samples")[["training_samples", "method"]].drop_duplicates()
    methods: dict[int, list[str]] = {}
    for row in rows_of(samples):
        methods.setdefault(int(row["training_samples"]), []).append(row["method"])
    trained = [f"{count:,} ({', '.join(names)})" for count, names in sorted(methods.items())]
    return words + (f", samples seen in training {', '.join(trained)}" if trained else "")


def _shown(layout: Layout, ours: pd.DataFrame, show: Show) -> list[str]:
    """What stands beside our value."""
    if show == "std":
        several = ours["seeds"].str.contains(" ").any()
        return ["after ± the standard deviation over the seeds"] if several else []
    if layout is not TABLE2 or show == "none":
        return []
    if show == "counts":
        return ["in brackets the count of each seed and the number of images"]
    names = {
        "wilson": "Wilson's 95 % interval of one seed's count",
        "bootstrap": "the 95 % interval of a bootstrap over images",
    }
    return [f"in brackets {names[kind]}" for kind in sorted(set(ours["interval"].dropna()))]


def _reservations(layout: Layout, rows: pd.DataFrame, ours: pd.DataFrame) -> list[str]:
    """What a reader could be misled by."""
    parts = []
    fewer = ours[ours["failed_seeds"] != ""]
    if len(fewer):
        cells = [f"{row['method']} / {row['category']}: {row['failed_seeds']}" for row in rows_of(fewer)]
        parts.append(f"without seeds that failed ({', '.join(cells)})")
    if (ours["dataset"] == paper.MVTEC_AD).any():
        other = sorted({row["category"] for row in rows_of(ours) if not has_the_papers_images(row)})
        if other:
            parts.append(f"not compared, as the test set is not the paper's: {', '.join(other)}")
    if (ours["weights"] == "random").any():
        parts.append("random weights: numbers that mean nothing")
    without = sorted(ours.loc[ours["minimum_area"].notna() & (ours["masks"] == False), "category"].unique())  # noqa: E712
    if without:
        parts.append(f"without masks, so without pixel metrics: {', '.join(without)}")
    sources = rows[rows["source"] != ""].groupby("method")["source"].unique()
    parts += [f"{method}: published, {', '.join(where)}" for method, where in sources.items()]
    return parts
