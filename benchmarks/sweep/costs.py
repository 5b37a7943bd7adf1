"""What cells cost: time and disk of those that were measured, in a store of runs or in `results/speed/cell_cost.csv`.

Nothing is guessed where neither has a cell of the method at that budget.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd

from benchmarks.files import write_text
from benchmarks.store.identity import PROJECT
from benchmarks.store.record import Record
from benchmarks.store.runs import RunStore
from benchmarks.sweep.wanted import Wanted

REFERENCE = PROJECT / "results" / "speed" / "cell_cost.csv"
COLUMNS = {
    "dataset": "name of the dataset",
    "budget": "name of the budget",
    "method": "name of the method",
    "category": "name of the category",
    "kind": "texture or object",
    "cells": "number of measured cells that the means are of",
    "seconds": "mean time of a whole cell: decoding, fitting, scoring",
    "mib": "mean size of a run's folder",
    "device": "on what it was measured",
    "threads": "CPU threads that it was given",
    "settings": "what was overridden, apart from what the other columns say",
    "revision": "git revisions of the code",
}


@dataclass(frozen=True)
class Cost:
    """Of one cell, and where the figure comes from."""

    seconds: float
    mib: float
    source: str
    device: str


def measured(results: Path) -> pd.DataFrame:
    """Mean costs of the finished cells in a store, with the columns of `COLUMNS`."""
    store = RunStore(results)
    groups: dict[tuple[str, ...], list[Record]] = defaultdict(list)
    for record in store.records():
        if record.result is not None:
            groups[record.dataset, record.budget, record.method, record.category, record.kind].append(record)
    rows = []
    for key, records in sorted(groups.items()):
        row: dict[str, Any] = dict(zip(("dataset", "budget", "method", "category", "kind"), key, strict=True))
        row |= {
            "cells": len(records),
            "seconds": fmean(record.seconds for record in records),
            "mib": fmean(_mib(store.folder(record.cell)) for record in records),
            "device": distinct_texts(record.device for record in records),
            "threads": distinct_texts(str(record.threads) for record in records),
            "settings": distinct_texts(_settings(record) for record in records),
            "revision": distinct_texts(record.revision for record in records),
        }
        rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def write_figures(path: Path, figures: pd.DataFrame) -> None:
    """Keep measured figures in the form of `REFERENCE`."""
    write_text(path, figures.to_csv(index=False, float_format="%.4g"))


def _mib(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20


def _settings(record: Record) -> str:
    """Overrides that change what is run, not what the other columns say or where things lie."""
    told = (
        "method=",
        "category=",
        "seed=",
        "budget=",
        "data=",
        "data.",
        "results.",
        "progress=",
        "force=",
        "experiment=",
        "threads=",
    )
    return " ".join(text for text in record.overrides if not text.startswith(told) and ".weights=" not in text)


def distinct_texts(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(texts))


def reference() -> pd.DataFrame:
    """The figures that come with the project."""
    if not REFERENCE.exists():
        return pd.DataFrame(columns=list(COLUMNS))
    return pd.read_csv(REFERENCE, keep_default_na=False, dtype={"threads": str})


def cost_of(wanted: Wanted, stored: pd.DataFrame) -> Cost | None:
    """From the nearest cells that were measured; the store goes before the reference, None if neither knows the method.

    Where the category was not measured, the mean over the method's categories of the same kind stands for it, since textures are
    tiled and objects are not, and where there is none, the mean over all.
    """
    for place, known in (("measured", stored), ("reference", reference())):
        same = known[
            (known["dataset"] == wanted.dataset)
            & (known["budget"] == wanted.budget)
            & (known["method"] == wanted.cell.method)
        ]
        for part, source in (
            (same[same["category"] == wanted.cell.category], place),
            (same[same["kind"] == wanted.kind], f"by the mean of {place} {wanted.kind}s"),
            (same, f"by the mean of {place} categories"),
        ):
            if len(part):
                return Cost(part["seconds"].mean(), part["mib"].mean(), source, distinct_texts(part["device"]))
    return None
