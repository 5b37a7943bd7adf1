"""What a sweep will cost before it is started: wall time on several workers, device time, disk. Needs no torch."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

import pandas as pd
from omegaconf import DictConfig
from rich.table import Table

from benchmarks.common.errors import UserError
from benchmarks.common.words import number_of
from benchmarks.config.overrides import is_on
from benchmarks.store.identity import Identity
from benchmarks.store.progress import Progress, state_folder
from benchmarks.store.runs import RunStore
from benchmarks.sweep.costs import Cost, cost_of, distinct_texts
from benchmarks.sweep.plan import PlannedCell, distinct


@dataclass(frozen=True)
class Estimate:
    """What is left of a sweep, on a number of workers."""

    cells: int
    left_out: int
    """Cells to which their method does not apply."""
    finished: int
    """Cells that the results folder already has, of the same dataset, settings, code and versions; their images are not read."""
    workers: int
    wall_seconds: float
    device_seconds: float
    runs_mib: float
    cache_mib: float | None
    """None where the images are not known without their files."""
    methods: pd.DataFrame
    """One row for each method and budget: cells left, seconds per cell, seconds, source, device."""
    begun: int = 0
    """Cells in progress or cut off, of which only what is left is counted."""

    @property
    def unknown(self) -> pd.DataFrame:
        """Methods and budgets for which there is no figure; their cells count as nothing."""
        return self.methods[self.methods["seconds"].isna()]


def longest_first(seconds: Iterable[float], workers: int) -> float:
    """Wall time if each worker takes the longest job that is left as soon as it is free."""
    free_at = [0.0] * workers
    for duration in sorted(seconds, reverse=True):
        heapq.heapreplace(free_at, free_at[0] + duration)
    return max(free_at)


def estimate(cells: Sequence[PlannedCell], left_out: int, workers: int, stored: pd.DataFrame) -> Estimate:
    """What the cells that are not finished yet will cost.

    Args:
        cells: what is wanted, from `planned_cells`.
        left_out: how many more do not apply.
        workers: how many cells run side by side, each on a device of its own.
        stored: figures of the user's own, from `measured`.

    Raises:
        UserError: there is no worker.
    """
    if workers < 1:
        raise UserError(f"gpus={workers}: at least one is needed.")
    known = {key: cost_of(cell, stored) for cell in cells for key in [_key(cell)]}
    stands = _Finished()
    waiting = [cell for cell in cells if not stands(cell)]
    left = [_left(cell, known[_key(cell)]) for cell in waiting]
    costs = [cost for cost in left if cost is not None]
    return Estimate(
        cells=len(cells),
        left_out=left_out,
        finished=len(cells) - len(waiting),
        workers=workers,
        wall_seconds=longest_first([cost.seconds for cost in costs], workers),
        device_seconds=sum(cost.seconds for cost in costs),
        runs_mib=sum(cost.mib for cost in costs),
        cache_mib=_cache_mib(waiting),
        methods=_by_method(waiting, left),
        begun=sum(_progress(cell) is not None for cell in waiting),
    )


def _key(cell: PlannedCell) -> tuple[str, str, str, str, str]:
    return cell.dataset, cell.budget, cell.cell.method, cell.cell.category, cell.kind


def _progress(cell: PlannedCell) -> Progress | None:
    """How far the cell is that was cut off or is being run, if it has kept an epoch of this budget."""
    found = Progress.read(state_folder(RunStore(cell.results).folder(cell.cell)))
    return found if found is not None and found.epoch and found.budget == cell.budget else None


def _left(cell: PlannedCell, whole: Cost | None) -> Cost | None:
    """What a cell still costs: of one in progress, the epochs that are done are paid for."""
    progress = _progress(cell)
    if progress is None or progress.seconds_left is None:
        return whole
    if whole is None:
        return Cost(progress.seconds_left, 0.0, "its own pace", "this machine")
    return replace(whole, seconds=whole.seconds * (1 - progress.epoch / progress.epochs))


class _Finished:
    """Whether `run` would skip a cell, as far as can be told without its images."""

    def __init__(self) -> None:
        self._wanted: dict[int, Identity] = {}

    def __call__(self, cell: PlannedCell) -> bool:
        found, config = RunStore(cell.results).find(cell.cell), cell.config
        if found is None or found.status != "finished" or found.dataset != cell.dataset:
            return False
        if config is None or is_on("force", config.force):
            return False
        return not self._identity(config, cell.cell.seed).changes(found.identity | {"train_data": ""})

    def _identity(self, config: DictConfig, seed: int) -> Identity:
        """Of a wanted run; made once for all seeds."""
        from benchmarks.run.standing import identity_without_images  # a second, which a new folder need not wait

        if id(config) not in self._wanted:
            self._wanted[id(config)] = identity_without_images(config)
        wanted = self._wanted[id(config)]
        return replace(wanted, config=wanted.config | {"seed": seed})


def _cache_mib(cells: Sequence[PlannedCell]) -> float | None:
    return None if any(cell.cache is None for cell in cells) else sum(images.mib for images in distinct(cells))


def _by_method(cells: Sequence[PlannedCell], left: Sequence[Cost | None]) -> pd.DataFrame:
    groups: dict[tuple[str, str], list[Cost | None]] = defaultdict(list)
    for cell, cost in zip(cells, left, strict=True):
        groups[cell.cell.method, cell.budget].append(cost)
    rows = []
    for (method, budget), costs in groups.items():
        found = [cost for cost in costs if cost is not None]
        row: dict[str, Any] = {"method": method, "budget": budget, "cells": len(costs)}
        if found:
            row["per_cell"] = fmean(cost.seconds for cost in found)
            row["seconds"] = sum(cost.seconds for cost in found)
            sources = Counter(cost.source for cost in found)
            row["source"] = ", ".join(f"{count} {source}" for source, count in sources.items())
            row["device"] = distinct_texts(cost.device for cost in found)
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
        f"{number_of(found.cells, 'cell')}, {found.finished} finished already; {found.left_out} more do not apply."
        + (f" {found.begun} begun, of which only what is left is counted." if found.begun else ""),
        f"Wall time {_time(found.wall_seconds)} {side_by_side}; device time {found.device_seconds / 3600:.2f} h; "
        f"runs {_size(found.runs_mib)}"
        + (" (cache not counted)." if found.cache_mib is None else f", cache {_size(found.cache_mib)}."),
    ]
    lines += [
        f"No figure for {row['method']} at budget {row['budget']}: {number_of(row['cells'], 'cell')} left out, so the totals are "
        "too low. Run one, then estimate again."
        for row in found.unknown.to_dict("records")
    ]
    devices = distinct_texts(found.methods["device"].dropna())
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
