"""What cells cost: time and disk of those that were measured, in a store of runs or in `results/speed/cell_cost.csv`.

A cell of another budget or size tells of the wanted one by their work: the time of training grows with what is trained on, the rest
with what is scored. Nothing is guessed where neither has a cell of the method.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd

from benchmarks.common.files import write_text
from benchmarks.common.project import project_file
from benchmarks.store.record import Record
from benchmarks.store.runs import RunStore
from benchmarks.sweep.plan import PlannedCell
from benchmarks.sweep.work import Work, fits_of, work_of

REFERENCE = project_file("results", "speed", "cell_cost.csv")
COLUMNS = {
    "dataset": "name of the dataset",
    "budget": "name of the budget",
    "method": "name of the method",
    "category": "name of the category",
    "kind": "texture or object",
    "cells": "number of measured cells that the means are of",
    "seconds": "mean time of a whole cell: decoding, fitting, scoring",
    "fit_seconds": "mean time of fitting",
    "training": "work of training (benchmarks/sweep/work.py)",
    "scoring": "work of scoring",
    "mib": "mean size of a run's folder",
    "device": "on what it was measured",
    "threads": "CPU threads that it was given",
    "settings": "what was overridden, apart from what the other columns say",
    "revision": "git revisions of the code",
}
FIGURES = ("cells", "seconds", "fit_seconds", "training", "scoring", "mib")


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
            "fit_seconds": fmean(record.result.fit_seconds or 0 for record in records if record.result),
            **asdict(_work(records[0])),
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


def _work(record: Record) -> Work:
    """Of a finished run; nothing is known of maps that another program made."""
    method, result = record.identity.get("config", {}).get("method"), record.result
    if method is None or result is None or result.map_size is None or result.good is None or result.defective is None:
        return Work(None, None)
    fits = fits_of(record.identity["config"].get("protocol", {}))
    images = result.validation_images + fits * (result.good.total + result.defective.total)
    return work_of(method, record.kind, math.sqrt(math.prod(result.map_size)), images, fits)


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
    texts = [name for name in COLUMNS if name not in FIGURES]
    return pd.read_csv(REFERENCE, dtype=dict.fromkeys(texts, str)).fillna(dict.fromkeys(texts, ""))


def cost_of(wanted: PlannedCell, stored: pd.DataFrame) -> Cost | None:
    """From the nearest cells that were measured; None if neither the store nor the reference knows the method.

    Figures of the wanted kind of device go before others, textures before objects for a texture (they are tiled) and the other way
    round, the store before the reference.
    """
    places = {"measured": stored, "reference": reference()}
    for here in (True, False):
        found = {place: cells[_fits(cells, wanted, here)] for place, cells in places.items()}
        for near in (_of_its_kind, _of_any_kind):
            for place, cells in found.items():
                for part, source in near(cells, wanted):
                    if len(part):
                        return _mean_cost(part, wanted.work, source.format(place=place))
    return None


def _fits(cells: pd.DataFrame, wanted: PlannedCell, on_its_device: bool) -> "pd.Series[bool]":
    same = cells["method"] == wanted.cell.method
    return same & (cells["device"].str.startswith("NVIDIA") == wanted.on_gpu) if on_its_device else same


Parts = Iterator[tuple[pd.DataFrame, str]]


def _of_its_kind(cells: pd.DataFrame, wanted: PlannedCell) -> Parts:
    """The category itself, others of its kind at the same budget, and at another budget."""
    kind, same = cells["kind"] == wanted.kind, _same_budget(cells, wanted)
    yield cells[same & (cells["category"] == wanted.cell.category)], "{place}"
    yield cells[same & kind], f"by the mean of {{place}} {wanted.kind}s"
    yield from _other_budget(cells[kind])


def _of_any_kind(cells: pd.DataFrame, wanted: PlannedCell) -> Parts:
    yield cells[_same_budget(cells, wanted)], "by the mean of {place} categories"
    yield from _other_budget(cells)


def _same_budget(cells: pd.DataFrame, wanted: PlannedCell) -> "pd.Series[bool]":
    return (cells["dataset"] == wanted.dataset) & (cells["budget"] == wanted.budget)


def _other_budget(cells: pd.DataFrame) -> Parts:
    """The longest trainings, in which starting up counts least."""
    scalable = cells[cells["scoring"].notna()]
    training_C = scalable["training"].fillna(0)
    longest = scalable[training_C == training_C.max()]
    yield longest, f"scaled from {{place}} {distinct_texts(longest['budget'])}"


def _mean_cost(cells: pd.DataFrame, work: Work, source: str) -> Cost:
    """Of cells whose work is known, scaled to the wanted work; fitting in closed form is taken as it was measured."""
    fit_C = cells["fit_seconds"].fillna(0)
    seconds_C = fit_C * _ratio(work.training, cells["training"]) + (cells["seconds"] - fit_C) * _ratio(
        work.scoring, cells["scoring"]
    )
    return Cost(seconds_C.mean(), cells["mib"].mean(), source, distinct_texts(cells["device"]))


def _ratio(wanted: float | None, known_C: "pd.Series[float]") -> "pd.Series[float]":
    """1 where either is not known."""
    return ((math.nan if wanted is None else wanted) / known_C.astype(float)).fillna(1.0)
