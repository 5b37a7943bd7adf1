"""What a sweep will cost before it is started: wall time on several workers, device time, disk. Needs no torch.

Costs are those of measured cells, from a store of runs or from `results/speed/cell_cost.csv`; nothing is guessed where neither
has a cell of the method at that budget.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd
from rich.table import Table

from benchmarks.errors import UserError
from benchmarks.files import write_text
from benchmarks.store.identity import PROJECT
from benchmarks.store.record import Record
from benchmarks.store.runs import RunStore
from benchmarks.wanted import Wanted, distinct

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


@dataclass(frozen=True)
class Estimate:
    """What is left of a sweep, on a number of workers."""

    cells: int
    left_out: int
    """Cells to which their method does not apply."""
    finished: int
    """Cells that the results folder already has, of the same dataset and budget."""
    workers: int
    wall_seconds: float
    device_seconds: float
    runs_mib: float
    cache_mib: float | None
    """None where the images are not known without their files."""
    methods: pd.DataFrame
    """One row for each method and budget: cells left, seconds per cell, seconds, source, device."""

    @property
    def unknown(self) -> pd.DataFrame:
        """Methods and budgets for which there is no figure; their cells count as nothing."""
        return self.methods[self.methods["seconds"].isna()]


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
            "device": _distinct(record.device for record in records),
            "threads": _distinct(str(record.threads) for record in records),
            "settings": _distinct(_settings(record) for record in records),
            "revision": _distinct(record.revision for record in records),
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
    )
    return " ".join(text for text in record.overrides if not text.startswith(told) and ".weights=" not in text)


def _distinct(texts: Iterable[str]) -> str:
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
                return Cost(part["seconds"].mean(), part["mib"].mean(), source, _distinct(part["device"]))
    return None


def longest_first(seconds: Iterable[float], workers: int) -> float:
    """Wall time if each worker takes the longest job that is left as soon as it is free."""
    free_at = [0.0] * workers
    for duration in sorted(seconds, reverse=True):
        heapq.heapreplace(free_at, free_at[0] + duration)
    return max(free_at)


def estimate(cells: Sequence[Wanted], left_out: int, workers: int, stored: pd.DataFrame) -> Estimate:
    """What the cells that are not finished yet will cost.

    Args:
        cells: what is wanted, from `wanted_cells`.
        left_out: how many more do not apply.
        workers: how many cells run side by side, each on a device of its own.
        stored: figures of the user's own, from `measured`.

    Raises:
        UserError: there is no worker.
    """
    if workers < 1:
        raise UserError(f"gpus={workers}: at least one is needed.")
    known = {key: cost_of(cell, stored) for cell in cells for key in [_key(cell)]}
    waiting = [cell for cell in cells if not _is_finished(cell)]
    costs = [cost for cell in waiting if (cost := known[_key(cell)]) is not None]
    return Estimate(
        cells=len(cells),
        left_out=left_out,
        finished=len(cells) - len(waiting),
        workers=workers,
        wall_seconds=longest_first([cost.seconds for cost in costs], workers),
        device_seconds=sum(cost.seconds for cost in costs),
        runs_mib=sum(cost.mib for cost in costs),
        cache_mib=_cache_mib(waiting),
        methods=_by_method(waiting, known),
    )


def _key(cell: Wanted) -> tuple[str, str, str, str, str]:
    return cell.dataset, cell.budget, cell.cell.method, cell.cell.category, cell.kind


def _is_finished(cell: Wanted) -> bool:
    found = RunStore(cell.results).find(cell.cell)
    place = (cell.dataset, cell.budget)
    return found is not None and found.status == "finished" and (found.dataset, found.budget) == place


def _cache_mib(cells: Sequence[Wanted]) -> float | None:
    return None if any(cell.cache is None for cell in cells) else sum(images.mib for images in distinct(cells))


def _by_method(cells: Sequence[Wanted], known: dict[tuple[str, str, str, str, str], Cost | None]) -> pd.DataFrame:
    groups: dict[tuple[str, str], list[Cost | None]] = defaultdict(list)
    for cell in cells:
        groups[cell.cell.method, cell.budget].append(known[_key(cell)])
    rows = []
    for (method, budget), costs in groups.items():
        found = [cost for cost in costs if cost is not None]
        row: dict[str, Any] = {"method": method, "budget": budget, "cells": len(costs)}
        if found:
            row["per_cell"] = fmean(cost.seconds for cost in found)
            row["seconds"] = sum(cost.seconds for cost in found)
            sources = Counter(cost.source for cost in found)
            row["source"] = ", ".join(f"{count} {source}" for source, count in sources.items())
            row["device"] = _distinct(cost.device for cost in found)
        rows.append(row)
    return pd.DataFrame(rows, columns=["method", "budget", "cells", "per_cell", "seconds", "source", "device"])


def methods_table(found: Estimate) -> Table:
    """One row for each method and budget."""
    shown = Table()
    for name in ("method", "budget", "cells", "per cell", "in all", "figures from"):
        shown.add_column(name, justify="right" if name in {"cells", "per cell", "in all"} else "left")
    for row in found.methods.to_dict("records"):
        known = not pd.isna(row["seconds"])
        times = (_time(row["per_cell"]), _time(row["seconds"]), row["source"]) if known else ("-", "-", "no figure")
        shown.add_row(row["method"], row["budget"], str(row["cells"]), *times)
    return shown


def in_words(found: Estimate) -> list[str]:
    """The totals, and what they leave out."""
    side_by_side = "one after the other" if found.workers == 1 else f"on {found.workers} workers, longest first"
    lines = [
        f"{found.cells} cells, of which {found.finished} are finished already; {found.left_out} more do not apply.",
        f"Wall time {_time(found.wall_seconds)} {side_by_side}; device time {found.device_seconds / 3600:.2f} h; "
        f"runs {_size(found.runs_mib)}"
        + (" (cache not counted)." if found.cache_mib is None else f", cache {_size(found.cache_mib)}."),
    ]
    lines += [
        f"No figure for {row.method} at budget {row.budget}: its {row.cells} cells are not counted, so the totals are too low. "
        "Run one of them, then estimate again."
        for row in found.unknown.itertuples()
    ]
    devices = _distinct(found.methods["device"].dropna())
    if devices:
        lines.append(
            f"Figures were measured on {devices}; on another device the times are others. "
            "Starting the program takes some seconds more."
        )
    return lines


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{seconds / 60:.1f} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min"


def _size(mib: float) -> str:
    return f"{mib:.1f} MiB" if mib < 1024 else f"{mib / 1024:.1f} GiB"
