"""Two ways to the same values, timed in turn.

A stage is first run once by each way and the values compared; only ways that agree are timed. Rounds alternate, ours first, so that
what else the machine does meets both; a round's ratio is alternative / ours, and the median over the rounds is reported.
"""

import csv
import gc
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rich.table import Table

ROUNDS = (2, 9)  # at least, at most
SECONDS_PER_PAIR = 30.0  # that the rounds of one pair may take together; the least number is made whatever it takes
LEAST_SECONDS = 0.05  # of one timing: what takes less is repeated

PEAK_SIDE = 2048  # of the matrices whose product is the processor's peak

DIFFER = "values differ"

Call = Callable[[], Any]


@dataclass(frozen=True)
class Setting:
    """On what the stages run."""

    quick: bool = False
    """Small inputs, for a first look and for tests."""
    device: str = "cpu"
    weights: str = "random"
    """Of the ResNet-18: `random`, `imagenet`, or a path."""
    folder: Path = Path()
    """For the files that a stage needs."""
    seconds: float = SECONDS_PER_PAIR
    """For the rounds of one pair."""

    def size(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    def aim(self, cpu: float | None, gpu: float | None = None) -> float | None:
        return cpu if self.device == "cpu" else gpu


@dataclass(frozen=True)
class Alternative:
    """Another way to a stage's values."""

    run: Call
    share: float = 1.0
    """Of the whole work that `run` does, where all of it would take too long; its time is divided by it."""
    compare: Callable[[Any, Any], float] | None = None
    """As the stage's, which holds where this is None."""


def largest_difference(ours: Any, theirs: Any) -> float:
    """Largest absolute difference, as a share of the largest absolute value of the alternative."""
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if ours.shape != theirs.shape:
        raise ValueError(f"ours has shape {ours.shape}, the alternative {theirs.shape}")
    return float(abs(ours - theirs).max() / max(abs(theirs).max(), np.finfo(np.float64).tiny))


@dataclass(frozen=True)
class Stage:
    """One row or several of the table."""

    name: str
    ours: Call
    alternatives: Mapping[str, Alternative] = field(default_factory=dict)
    """By name. Without any, the time alone is measured."""
    missing: Sequence[str] = ()
    """Alternatives that are not installed."""
    tolerance: float = 0.0
    compare: Callable[[Any, Any], float] = largest_difference
    """Difference of our value and an alternative's."""
    aim: float | None = None
    """Least ratio alternative / ours."""
    limit_s: float | None = None
    """Most seconds that ours may take."""
    arithmetic: bool = False
    """Whether it is all convolutions and matrix products, so that no way to its values can pass the processor's peak."""


@dataclass(frozen=True)
class Row:
    """What was measured of one pair."""

    stage: str
    alternative: str
    ours_s: float | None = None
    alternative_s: float | None = None
    ratio: float | None = None
    """Median over the rounds of alternative / ours."""
    ratio_low: float | None = None
    ratio_high: float | None = None
    rounds: int = 0
    difference: float | None = None
    tolerance: float | None = None
    aim: float | None = None
    limit_s: float | None = None
    outcome: str = ""
    """"met", "short", DIFFER, "missing", or "-" without an aim."""
    gflop_per_s: float | None = None
    """That our convolutions and matrix products come to."""
    peak_gflop_per_s: float | None = None
    """Of one large matrix product in float32, beside it."""


def measure(stages: Iterable[Stage], setting: Setting = Setting()) -> Iterator[Row]:
    """Rows as they are measured."""
    for stage in stages:
        yield from _rows(stage, setting)
        gc.collect()


def _rows(stage: Stage, setting: Setting) -> Iterator[Row]:
    aims: dict[str, Any] = {"aim": stage.aim, "limit_s": stage.limit_s}
    for name in stage.missing:
        yield Row(stage.name, name, outcome="missing", **aims)
    if not stage.alternatives:
        seconds = [_timed(stage.ours, setting.device)[1] for _ in range(ROUNDS[0] + 1)][1:]  # the first warms up
        yield Row(
            stage.name, "", median(seconds), rounds=len(seconds), outcome=_outcome(stage, median(seconds)), **aims
        )
    for name, alternative in stage.alternatives.items():
        yield _pair(stage, name, alternative, setting, aims)


def _pair(stage: Stage, name: str, alternative: Alternative, setting: Setting, aims: dict[str, Any]) -> Row:
    device = setting.device
    ours, ours_s = _timed(stage.ours, device)
    theirs, theirs_s = _timed(alternative.run, device)
    difference = (alternative.compare or stage.compare)(ours, theirs)
    values: dict[str, Any] = {"difference": difference, "tolerance": stage.tolerance}
    if not difference <= stage.tolerance:  # nan differs, too
        return Row(stage.name, name, outcome=DIFFER, **values, **aims)
    del ours, theirs
    rounds = int(np.clip(setting.seconds / (ours_s + theirs_s), *ROUNDS))
    ours_times, their_times = _repeats(stage.ours, ours_s, device), _repeats(alternative.run, theirs_s, device)
    pairs = [
        (_mean_time(stage.ours, ours_times, device), _mean_time(alternative.run, their_times, device))
        for _ in range(rounds)
    ]
    ours_R, theirs_R = np.array(pairs).T
    theirs_R /= alternative.share
    ratios_R = theirs_R / ours_R
    return Row(
        stage.name,
        name,
        median(ours_R.tolist()),
        median(theirs_R.tolist()),
        median(ratios_R.tolist()),
        float(ratios_R.min()),
        float(ratios_R.max()),
        rounds,
        outcome=_outcome(stage, median(ours_R.tolist()), median(ratios_R.tolist())),
        **(_arithmetic(stage.ours, median(ours_R.tolist())) if stage.arithmetic and device == "cpu" else {}),
        **values,
        **aims,
    )


def _arithmetic(ours: Call, ours_s: float) -> dict[str, float]:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        ours()
    matrix = torch.ones(PEAK_SIDE, PEAK_SIDE)
    peak_s = min(_timed(lambda: matrix @ matrix, "cpu")[1] for _ in range(10))
    return {
        "gflop_per_s": counter.get_total_flops() / ours_s / 1e9,
        "peak_gflop_per_s": 2 * PEAK_SIDE**3 / peak_s / 1e9,
    }


def _outcome(stage: Stage, ours_s: float, ratio: float = np.inf) -> str:
    if stage.aim is None and stage.limit_s is None:
        return "-"
    return "met" if ratio >= (stage.aim or 0) and ours_s <= (stage.limit_s or np.inf) else "short"


def _timed(call: Call, device: str) -> tuple[Any, float]:
    _synchronise(device)
    start = time.perf_counter()
    value = call()
    _synchronise(device)
    return value, time.perf_counter() - start


def _repeats(call: Call, first_s: float, device: str) -> int:
    """How often to call for one timing. A first call may compile: only a slow one says how long the others take."""
    seconds = first_s if first_s > 1 else _timed(call, device)[1]
    return max(1, math.ceil(LEAST_SECONDS / seconds))


def _mean_time(call: Call, times: int, device: str) -> float:
    return _timed(lambda: [call() for _ in range(times)], device)[1] / times


def _synchronise(device: str) -> None:
    if device == "cuda":
        import torch

        torch.cuda.synchronize()


def installed(*modules: str) -> bool:
    """Whether all of these can be imported."""
    return all(find_spec(module) for module in modules)


def table(rows: Iterable[Row]) -> Table:
    """The rows for the terminal."""
    shown = Table()
    for name in ("stage", "alternative"):
        shown.add_column(name, overflow="fold")
    for name in ("ours s", "alternative s", "ratio", "aim", "outcome", "of peak"):
        shown.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        shown.add_row(
            row.stage,
            row.alternative,
            _figure(row.ours_s),
            _figure(row.alternative_s),
            _ratio(row),
            _aim(row),
            row.outcome,
            f"{row.gflop_per_s / row.peak_gflop_per_s:.0%}" if row.gflop_per_s and row.peak_gflop_per_s else "",
        )
    return shown


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _ratio(row: Row) -> str:
    if row.ratio is None:
        return ""
    return f"{row.ratio:.3g} [{_figure(row.ratio_low)}, {_figure(row.ratio_high)}]"


def _aim(row: Row) -> str:
    if row.limit_s is not None:
        return f"up to {row.limit_s:g} s"
    return "" if row.aim is None else f"{row.aim:.3g}"


ALTERNATIVES = ("adeval", "opencv-python", "pytorch-msssim", "scikit-image", "torchmetrics")
"""Packages that only alternatives need."""


def circumstances(device: str) -> dict[str, str]:
    """Where, with what and when it is measured: further columns of the CSV files."""
    import torch

    from benchmarks.common.project import revision
    from benchmarks.common.provenance import processor, versions

    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else processor(),
        "cores": str(os.cpu_count()),
        "threads": str(torch.get_num_threads()),
        "load": f"{os.getloadavg()[0]:.1f}",  # of the minute before: how busy the machine was with other things
        "versions": " ".join(f"{name}={number}" for name, number in (versions() | _versions(ALTERNATIVES)).items()),
        "revision": revision(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def _versions(packages: Iterable[str]) -> dict[str, str]:
    found = {}
    for package in packages:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def write_csv(path: Path, rows: Sequence[Any], further: Mapping[str, str]) -> None:
    """Write dataclasses as CSV, figures with four digits, each with the further columns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*(entry.name for entry in fields(rows[0])), *further])
        for row in rows:
            writer.writerow([*(_cell(value) for value in asdict(row).values()), *further.values()])


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
