"""How the runs of a store stand today: finished, failed, stale, missing. Needs no torch, but for digits and tables."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Literal

from hydra.errors import HydraException
from rich.table import Table
from tqdm import tqdm

from benchmarks.common.errors import UserError, nearest
from benchmarks.config.catalogue import belongs, options
from benchmarks.config.overrides import quoted
from benchmarks.protocol.decision import Share
from benchmarks.store.lookup import Lookup
from benchmarks.store.progress import Progress
from benchmarks.store.record import EXTERNAL, Cell, Record
from benchmarks.store.runs import ERROR, RunStore, Unreadable

State = Literal["finished", "failed", "stale", "unchecked"]


@dataclass(frozen=True)
class RunStatus:
    """One stored run, and what is to be said of it."""

    record: Record
    state: State
    """Stale: asked for again, it would run again. Unchecked: its data or settings are not here to compare with."""
    reason: str = ""
    changes: tuple[str, ...] = ()


def run_statuses(results: Path, records: Iterable[Record], data_root: Path | None = None) -> list[RunStatus]:
    """The state of each run of a store, in their order.

    Args:
        data_root: the folder of the categories, if it is not the one that the runs used.
    """
    requests = Lookup(results)
    known = [(record, _known(record, requests, data_root)) for record in records]
    open_ = [record for record, status in known if status is None]
    compared = {
        record.cell: _compared(record, data_root) for record in tqdm(open_, "comparing", leave=False, disable=None)
    }
    return [status or compared[record.cell] for record, status in known]


def _known(record: Record, requests: Lookup, data_root: Path | None) -> RunStatus | None:
    """What can be told without composing the run's configuration; requests were answered from the images that the runs used."""
    if record.status == "failed":
        return RunStatus(record, "failed", record.error)
    if record.budget == EXTERNAL or (data_root is None and requests.answered(record.overrides) == record.cell):
        return RunStatus(record, "finished")
    return None


def _compared(record: Record, data_root: Path | None = None) -> RunStatus:
    from benchmarks.run.standing import changes_since

    asked = record
    if data_root is not None:
        kept = [text for text in record.overrides if not text.startswith("data.root=")]
        asked = replace(record, overrides=(*kept, quoted("data.root", str(data_root))))
    try:
        changes = changes_since(asked)
    except (UserError, HydraException, OSError) as error:
        return RunStatus(record, "unchecked", str(error))
    return RunStatus(record, "stale", "; ".join(changes), tuple(changes)) if changes else RunStatus(record, "finished")


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


def why(results: Path, records: Iterable[Record], cell: str, data_root: Path | None = None) -> list[str]:
    """What has changed since a cell's runs, a line for each setting, module or part of the data: old and new value.

    Args:
        cell: `method/category` or `method/category/seed`, also as tables print it: `method / category / seed=0`.

    Raises:
        UserError: no run is of this cell.
    """
    records = list(records)
    asked = [part.strip().removeprefix("seed=") for part in cell.split("/")]
    names = {record.cell: [record.method, record.category, str(record.seed)] for record in records}
    chosen = [record for record in records if asked == names[record.cell][: len(asked)] and len(asked) > 1]
    if not chosen:
        raise UserError(
            f"No run of {cell} in {results / 'runs'}. {nearest(cell, ['/'.join(parts) for parts in names.values()])}"
        )
    return [line for record in chosen for line in _why(RunStore(results), record, data_root)]


def _why(store: RunStore, record: Record, data_root: Path | None) -> Iterator[str]:
    status = _known(record, Lookup(store.results), data_root) or _compared(record, data_root)
    yield f"{record.cell}: {status.state}"
    yield from (f"  {change}" for change in status.changes or ([status.reason] if status.reason else []))
    if (failed := store.failed_folder(record.cell)).is_dir():
        yield f"  an attempt to run it again failed: {failed / ERROR}"


def runs_table(statuses: Iterable[RunStatus], unreadable: Iterable[Unreadable] = ()) -> Table:
    """One row for each stored run, and for each folder that is none; a reason stands in full once."""
    shown, told = Table(), set[str]()
    for name in ("run", "data, budget", "status", "good", "defective", "AUROC", "why"):
        shown.add_column(name)
    for status in statuses:
        record = status.record
        reason = status.reason.splitlines()[0] if status.reason else ""
        said = "as above" if reason and reason in told else reason
        told.add(reason)
        shown.add_row(str(record.cell), f"{record.dataset}, {record.budget}", status.state, *_outcome(record), said)
    for found in unreadable:
        shown.add_row(str(found.folder), "", "unreadable", "", "", "", found.reason)
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
