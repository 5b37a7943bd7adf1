"""Numbers that others published, from a CSV file, as reference rows of the leaderboard."""

import csv
import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.common.errors import UserError, nearest
from benchmarks.common.project import project_file
from benchmarks.common.table1 import table1
from benchmarks.config.catalogue import options
from benchmarks.store import paper
from benchmarks.store.columns import COLUMNS, METRICS

log = logging.getLogger(__name__)

BUDGET = "published"
REQUIRED = ("method", "category", "source")
OPTIONAL = ("dataset", "reference_for", *METRICS)


def read_published(path: Path, runs: pd.DataFrame) -> pd.DataFrame:
    """Rows of a CSV file as rows of a leaderboard, with budget `published` and their `source`.

    Args:
        path: columns method, category, source; optional: dataset (else mvtec_ad), reference_for (our method that it is a number
            of) and any of `METRICS`, such as image_auroc. A number may be empty where the source has none.
        runs: the leaderboard of our own runs, whose methods and categories are known.

    Raises:
        UserError: names file, row and column.
    """
    rows = list(_rows(path, runs))
    if not rows:
        raise UserError(f"{path} holds no rows below its header.")
    here = set(runs["dataset"])
    for dataset, count in Counter(row["dataset"] for row in rows if row["dataset"] not in here).items():
        log.warning(
            "%s: %d of its rows are of dataset %s, of which nothing was run here (%s): they stand in leaderboard.csv alone.",
            path,
            count,
            dataset,
            ", ".join(sorted(here)),
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def shipped(runs: pd.DataFrame) -> list[pd.DataFrame]:
    """The project's reference rows of each dataset, method and category that was run, from the file that the dataset's YAML names.

    Raises:
        UserError: names file, row and column.
    """
    here = set(runs["dataset"])
    data = [config for config in options("data").values() if config.get("references") and config.name in here]
    return [_of_runs(read_published(project_file(*config.references.split("/")), runs), runs) for config in data]


def _of_runs(references: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    cells = set(zip(runs["dataset"], runs["method"], runs["category"], strict=True))
    of = zip(references["dataset"], references["reference_for"], references["category"], strict=True)
    return references.loc[[cell in cells for cell in of]]


def with_references(rows: pd.DataFrame, references: pd.DataFrame) -> pd.DataFrame:
    """Rows of one dataset and budget, and below them the reference rows of that dataset, as one table shows them."""
    dataset, budget = rows.iloc[0]["dataset"], rows.iloc[0]["budget"]
    here = references[references["dataset"] == dataset].assign(budget=budget)
    return pd.concat([rows, here.astype(object)], ignore_index=True) if len(here) else rows


def _rows(path: Path, runs: pd.DataFrame) -> Iterator[dict[str, Any]]:
    kinds = {category: facts.kind for category, facts in table1().items()}
    kinds |= dict(zip(runs["category"], runs["kind"], strict=True))
    seen: dict[tuple[str, ...], int] = {}
    for line, raw in _lines(path):
        row = {key: (value or "").strip() for key, value in raw.items()}
        row["dataset"] = row.get("dataset") or paper.MVTEC_AD
        for name in ("method", "category", "source"):
            if not row[name]:
                raise UserError(f"{path}, row {line}, column {name}: it is empty; say which {name} the numbers are of.")
        if row["category"] not in kinds and row["dataset"] == paper.MVTEC_AD:  # whose categories are known
            raise UserError(
                f"{path}, row {line}, column category: there is no {row['category']!r}. {nearest(row['category'], kinds)}"
            )
        if row["method"] in set(runs["method"]):
            raise UserError(
                f"{path}, row {line}, column method: {row['method']!r} has runs of its own here; give the published "
                "one another name, such as by its authors and year."
            )
        key = row["dataset"], row["method"], row["category"]
        if key in seen:
            raise UserError(f"{path}, row {line}: {row['method']} on {row['category']} is in row {seen[key]} already.")
        seen[key] = line
        yield _reference(path, line, row, kinds.get(row["category"], "object"))


def _lines(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows by their line in the file, as a spreadsheet numbers them."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # spreadsheets write a byte order mark
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as UTF-8 text: {error}.") from error
    reader = csv.DictReader(text.splitlines())
    names = reader.fieldnames or []
    absent = [name for name in REQUIRED if name not in names]
    unknown = [name for name in names if name not in REQUIRED + OPTIONAL]
    if absent or unknown:
        complaint = f"lacks the column {absent[0]}" if absent else f"has an unknown column {unknown[0]!r}"
        raise UserError(
            f"{path}, row 1 {complaint}. Comma-separated: {', '.join(REQUIRED)}; optional: {', '.join(OPTIONAL)}."
        )
    for raw in reader:
        if None in raw or None in raw.values():
            raise UserError(f"{path}, row {reader.line_num}: it does not have the {len(names)} cells of the header.")
        yield reader.line_num, raw


def _reference(path: Path, line: int, row: dict[str, str], kind: str) -> dict[str, Any]:
    numbers = {name: _number(path, line, name, row[name]) for name in METRICS if row.get(name)}
    if not numbers:
        raise UserError(f"{path}, row {line}: it has no number.")
    if {"normal_accuracy", "anomalous_accuracy"} <= numbers.keys():
        numbers["balanced_accuracy"] = (numbers["normal_accuracy"] + numbers["anomalous_accuracy"]) / 2
    names = {name: row[name] for name in ("dataset", "method", "category", "source")}
    names["reference_for"] = row.get("reference_for", "")
    return {**names, "budget": BUDGET, "kind": kind, **numbers}


def _number(path: Path, line: int, name: str, text: str) -> float:
    if complaint := COLUMNS[name].complaint(text):
        raise UserError(f"{path}, row {line}, column {name}: {complaint}.")
    return float(text)
