"""Tables 2 and 3 in the paper's layout: two rows for each category, one column for each method, ours beside the paper's."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from benchmarks.store import paper
from benchmarks.store.columns import rows_of
from benchmarks.store.leaderboard import COMPARED, has_the_papers_images

Status = Literal["done", "failed", "missing", "not_applicable"]
Show = Literal["interval", "counts", "std", "none"]
MEAN = "mean"


@dataclass(frozen=True)
class Layout:
    """Which two numbers a table prints."""

    name: str
    title: str
    sides: tuple[str, str]
    """What the upper and the lower row are called."""
    measures: tuple[str, str]
    """Their short names in the leaderboard (`COMPARED`)."""


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

    @property
    def difference(self) -> float | None:
        return None if self.paper is None else self.ours - self.paper


@dataclass(frozen=True)
class Entry:
    """One method on one category: the upper and the lower number, and whether it is the best of its category."""

    status: Status
    values: tuple[Value | None, Value | None] = (None, None)
    best: bool = False


@dataclass(frozen=True)
class Heading:
    """A column: its method, and what a reader must know of it."""

    method: str
    random_weights: bool
    source: str
    """Where the column's numbers were published, if they are not of our own runs."""

    @property
    def title(self) -> str:
        """The paper's heading, or the method's own name."""
        return paper.TITLES.get(self.method, self.method)

    @property
    def mark(self) -> str:
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
    values: tuple[Value | None, Value | None]


@dataclass(frozen=True)
class PaperTable:
    """One dataset's table at one budget."""

    layout: Layout
    dataset: str
    budget: str
    caption: str
    headings: tuple[Heading, ...]
    lines: tuple[Line, ...]
    means: tuple[Mean, ...]
    compared: bool
    """Whether any cell stands beside a value of the paper."""
    show: Show


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
            )
            for heading in headings
        ]
        lines.append(Line(kinds[category], category, _mark_best(headings, entries)))
    means = tuple(_mean([line.entries[column] for line in lines]) for column in range(len(headings)))
    compared = any(v is not None and v.paper is not None for line in lines for e in line.entries for v in e.values)
    dataset, budget = str(rows.iloc[0]["dataset"]), str(rows.iloc[0]["budget"])
    caption = _caption(layout, rows, compared, show)
    return PaperTable(layout, dataset, budget, caption, headings, tuple(lines), means, compared, show)


def has_values(layout: Layout, rows: pd.DataFrame) -> bool:
    """Whether a table of these rows would hold any number."""
    return bool(rows[[COMPARED[measure] for measure in layout.measures]].notna().any(axis=None))


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
    headings = [Heading(method, method in random, "") for method in ours]
    published = sorted(sources.items())
    return (*headings, *(Heading(name, False, "; ".join(dict.fromkeys(where))) for name, where in published))


def _entry(layout: Layout, row: Mapping[str, Any] | None, absence: Status) -> Entry:
    if row is None:
        return Entry(absence)
    upper, lower = (_value(row, measure) for measure in layout.measures)
    return Entry("done", (upper, lower))


def _value(row: Mapping[str, Any], measure: str) -> Value | None:
    ours = row[COMPARED[measure]]
    if pd.isna(ours):
        return None
    std = row[f"{measure}_std"]
    counts, total = row.get(f"{measure}_counts"), row.get(f"{measure}_total")
    return Value(
        float(ours),
        _or_none(row[f"paper_{measure}"]),
        _or_none(row.get(f"{measure}_low")),
        _or_none(row.get(f"{measure}_high")),
        _or_none(std),
        counts if isinstance(counts, str) else "",
        None if total is None or pd.isna(total) else int(total),
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
    """The paper's rule for bold: the highest mean of the two numbers. Random weights and published numbers do not compete."""
    means = [
        None if heading.random_weights or heading.source else _mean_of_two(entry)
        for heading, entry in zip(headings, entries, strict=True)
    ]
    competing = [mean for mean in means if mean is not None]
    best = max(competing) if len(competing) > 1 else None
    return tuple(
        Entry(entry.status, entry.values, best is not None and mean is not None and mean > best - 1e-9)
        for entry, mean in zip(entries, means, strict=True)
    )


def _mean_of_two(entry: Entry) -> float | None:
    upper, lower = entry.values
    return None if upper is None or lower is None else (upper.ours + lower.ours) / 2


def _mean(entries: Sequence[Entry]) -> Mean:
    done = [entry for entry in entries if any(entry.values)]
    upper, lower = (_mean_value([entry.values[side] for entry in done]) for side in (0, 1))
    return Mean(len(done), (upper, lower))


def _mean_value(values: Sequence[Value | None]) -> Value | None:
    present = [value for value in values if value is not None]
    if not present:
        return None
    papers = [value.paper for value in present if value.paper is not None]
    mean = sum(value.ours for value in present) / len(present)
    published = sum(papers) / len(papers) if len(papers) == len(present) else None
    return Value(mean, published, None, None, None, "", None)


def _caption(layout: Layout, rows: pd.DataFrame, compared: bool, show: Show) -> str:
    ours = rows[rows["source"] == ""]
    first = rows.iloc[0]
    dataset = "synthetic: not MVTec AD" if first["dataset"] == "synthetic" else f"dataset {first['dataset']}"
    parts = [layout.title, f"{dataset}, budget {first['budget']}{_settings(ours)}"]
    parts += _shown(layout, ours, show)
    if compared:
        parts.append("beside ours the paper's value and the difference, ours minus the paper's")
    parts.append("bold: highest mean of the two rows, the paper's rule")
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
        return ["after ± the standard deviation over the seeds"]
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
