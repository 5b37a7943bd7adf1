"""Tables 2 and 3 in the paper's layout, ours beside the paper's, and Table F, the field's: a column for each method."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from benchmarks.report.captions import caption
from benchmarks.report.layouts import Layout, Show, columns_of, in_order
from benchmarks.report.table_parts import Entry, Heading, Line, Mean, PaperTable, Status, Value
from benchmarks.store import paper
from benchmarks.store.columns import is_empty, rows_of, spread_of
from benchmarks.store.leaderboard import COMPARED
from benchmarks.store.record import EXTERNAL


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
    dataset, budget = str(rows.iloc[0]["dataset"]), str(rows.iloc[0]["budget"])
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
                _absence(heading, category, kinds[category], dataset, absences),
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
    captions = caption(layout, rows, compared, show), caption(layout, rows, False, "none")
    return PaperTable(layout, dataset, budget, *captions, headings, tuple(lines), means, compared, show, parts)


def _with_numbers(layout: Layout, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows without those of published methods that have none of the table's numbers anywhere; the paper's tables need all."""
    published = rows[rows["source"] != ""]
    known = published[columns_of(layout)].notna()
    numbers = (known.all(axis=1) if layout.paper else known.any(axis=1)).groupby(published["method"]).any()
    return rows[(rows["source"] == "") | rows["method"].isin(numbers.index[numbers.astype(bool)])]


def _headings(rows: pd.DataFrame, failed: list[str]) -> tuple[Heading, ...]:
    """Our methods in the paper's order, then the published ones."""
    sources: dict[str, list[str]] = {}
    for method, source in zip(rows["method"], rows["source"], strict=True):
        if source:
            sources.setdefault(method, []).append(source)
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
    if is_empty(ours):
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
        None if total is None or is_empty(total) else int(total),
        layout.digits,
        None if run is None else run - float(ours),
    )


def _or_none(number: Any) -> float | None:
    return None if is_empty(number) else float(number)


def _absence(heading: Heading, category: str, kind: str, dataset: str, absences: Absences) -> Status:
    """Why a cell has no row."""
    method = heading.method
    if (method, category) in absences.failed:
        return "failed"
    meant_for = (absences.inputs or {}).get(method) or {kind}
    kept_to = (absences.categories or {}).get(method) or {category}
    dash = (
        dataset == paper.MVTEC_AD
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
    sides = [[value for entry in entries if (value := entry.values[side])] for side in range(len(layout.measures))]
    return Mean(tuple(map(len, sides)), tuple(map(_mean_value, sides)))


def _mean_value(present: Sequence[Value]) -> Value | None:
    if not present:
        return None
    papers = [value.paper for value in present if value.paper is not None]
    mean = sum(value.ours for value in present) / len(present)
    published = sum(papers) / len(papers) if len(papers) == len(present) else None
    ahead = [value.ahead for value in present if value.ahead is not None]
    ours_ahead = sum(ahead) / len(ahead) if len(ahead) == len(present) else None
    return Value(mean, published, None, None, None, "", None, present[0].digits, ours_ahead)
