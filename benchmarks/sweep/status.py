"""How the runs of a store stand today: finished, failed, stale, missing. Needs torch only for runs that a look-up cannot answer."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from hydra.errors import HydraException
from rich.progress import track
from rich.table import Table

from benchmarks.common.errors import UserError
from benchmarks.config import belongs, options
from benchmarks.protocol.decision import Share
from benchmarks.store.lookup import Lookup
from benchmarks.store.progress import Progress
from benchmarks.store.record import EXTERNAL, Cell, Record
from benchmarks.store.runs import RunStore

State = Literal["finished", "failed", "stale", "unchecked"]


@dataclass(frozen=True)
class RunStatus:
    """One stored run, and what is to be said of it."""

    record: Record
    state: State
    """Stale: asked for again, it would run again. Unchecked: its data or settings are not here to compare with."""
    reason: str = ""


def run_statuses(results: Path) -> list[RunStatus]:
    """The state of each stored run, in the order of their folders.

    Raises:
        UserError: a folder holds no readable record.
    """
    requests = Lookup(results)
    known = [(record, _known(record, requests)) for record in RunStore(results).records()]
    open_ = [record for record, status in known if status is None]
    compared = {
        record.cell: _compared(record) for record in track(open_, "comparing", transient=True, disable=not open_)
    }
    return [status or compared[record.cell] for record, status in known]


def _known(record: Record, requests: Lookup) -> RunStatus | None:
    """What can be told without composing the run's configuration."""
    if record.status == "failed":
        return RunStatus(record, "failed", record.error)
    if record.budget == EXTERNAL or requests.answer(record.overrides) == record:
        return RunStatus(record, "finished")
    return None


def _compared(record: Record) -> RunStatus:
    from benchmarks.run.cell import changes_since

    try:
        changes = changes_since(record)
    except (UserError, HydraException, OSError) as error:
        return RunStatus(record, "unchecked", str(error))
    return RunStatus(record, "stale", "; ".join(changes)) if changes else RunStatus(record, "finished")


def grids(statuses: Iterable[RunStatus]) -> list[Table]:
    """For each dataset and budget a table of categories by methods: how many runs of each state, how many are missing."""
    sections: dict[tuple[str, str], list[RunStatus]] = {}
    for status in statuses:
        sections.setdefault((status.record.dataset, status.record.budget), []).append(status)
    return [_grid(f"{dataset}, budget {budget}", found) for (dataset, budget), found in sorted(sections.items())]


def _grid(title: str, statuses: list[RunStatus]) -> Table:
    kinds = {status.record.category: status.record.kind for status in statuses}
    methods = sorted({status.record.method for status in statuses})
    seeds = {status.record.seed for status in statuses}
    by_cell = {status.record.cell: status for status in statuses}
    shown = Table(title=title, title_justify="left")
    for name in ("category", *methods):
        shown.add_column(name)
    for category, kind in sorted(kinds.items()):
        texts = [_cell(method, category, kind, seeds, by_cell) for method in methods]
        shown.add_row(category, *texts)
    return shown


def _cell(method: str, category: str, kind: str, seeds: set[int], by_cell: Mapping[Cell, RunStatus]) -> str:
    found = [by_cell[cell] for seed in sorted(seeds) if (cell := Cell(method, category, seed)) in by_cell]
    known = options("method").get(method)
    if not found and (known is None or not belongs(known, category, kind)):
        return "-"
    counts = Counter(status.state for status in found)
    parts = [f"{count} {state}" for state, count in counts.items()]
    missing = len(seeds) - len(found)
    return ", ".join([*parts, *([f"{missing} missing"] if missing else [])])


def runs_table(statuses: Iterable[RunStatus]) -> Table:
    """One row for each stored run."""
    shown = Table()
    for name in ("run", "data, budget", "status", "good", "defective", "AUROC", "why"):
        shown.add_column(name)
    for status in statuses:
        record = status.record
        reason = status.reason.splitlines()[0] if status.reason else ""
        shown.add_row(str(record.cell), f"{record.dataset}, {record.budget}", status.state, *_outcome(record), reason)
    return shown


def progress_table(cells: Iterable[tuple[Cell, Progress]]) -> Table:
    """One row for each cell that is being run, or was cut off and will go on when asked for again."""
    shown = Table(title="in progress, or interrupted (re-run the same command to resume)", title_justify="left")
    for name in ("run", "budget", "epoch", "training left"):
        shown.add_column(name)
    for cell, progress in cells:
        left = progress.seconds_left
        epoch = f"{progress.epoch}/{progress.epochs}" if progress.epochs else "-"
        shown.add_row(str(cell), progress.budget, epoch, "-" if left is None else str(timedelta(seconds=round(left))))
    return shown


def _outcome(record: Record) -> tuple[str, str, str]:
    result = record.result
    if result is None:
        return "", "", ""
    auroc = "-" if result.image is None else f"{result.image.auroc:.3f}"
    return _count(result.good), _count(result.defective), auroc


def _count(share: Share | None) -> str:
    return f"{share.correct}/{share.total}" if share else "-"
