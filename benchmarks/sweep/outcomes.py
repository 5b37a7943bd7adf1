"""The jobs of a sweep: what each asked for, and how it ended. They tell it through files, so that it reaches across processes
and machines, and no job that dies takes the others' results with it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.table import Table

from benchmarks.common.files import write_text

if TYPE_CHECKING:
    from benchmarks.sweep.plan import PlannedCell

Status = Literal["finished", "failed", "busy", "died"]

DIED = "the process died: killed, or out of memory"


@dataclass(frozen=True)
class Job:
    """One cell to run."""

    wanted: "PlannedCell"
    overrides: tuple[str, ...]
    expected_seconds: float | None
    """None where no such cell was ever measured."""


@dataclass(frozen=True)
class Outcome:
    """How a job ended: "busy" if another process was running its cell, "died" if its own did."""

    status: Status
    words: str
    seconds: float


OUTCOME = "outcome.json"


def report_end(folder: Path, number: int, outcome: Outcome) -> None:
    """Say how job `number` of the sweep with this folder ended. That it has begun shows in its own folder being there."""
    write_text(folder / str(number) / OUTCOME, json.dumps(asdict(outcome)))


def started(folder: Path) -> set[int]:
    """Numbers of the jobs that have begun."""
    return {int(path.name) for path in folder.iterdir() if path.is_dir() and path.name.isdigit()}


def outcomes(folder: Path) -> dict[int, Outcome]:
    """How the jobs that have ended did, by their numbers."""
    ended = folder.glob(f"*/{OUTCOME}")
    return {int(path.parent.name): Outcome(**json.loads(path.read_text(encoding="utf-8"))) for path in ended}


def failures_table(jobs: Sequence[Job], ended: dict[int, Outcome]) -> Table:
    """One row for each job that failed or died, with the folder that says more."""
    shown = Table(title="Failed", title_justify="left")
    for name in ("cell", "why", "more in"):
        shown.add_column(name, overflow="fold")
    for number, outcome in sorted(ended.items()):
        if outcome.status in {"failed", "died"}:
            wanted = jobs[number].wanted
            place = wanted.results / "runs" / wanted.cell.method / wanted.cell.category / f"seed={wanted.cell.seed}"
            reason = outcome.words.splitlines()[0] if outcome.words else ""
            shown.add_row(str(wanted.cell), reason, str(place) if outcome.status == "failed" else "-")
    return shown
