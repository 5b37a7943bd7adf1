"""Results in words, for the terminal."""

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from benchmarks.protocol.decision import Share
from benchmarks.store.record import Record

if TYPE_CHECKING:
    from benchmarks.sweep.status import RunStatus

FILE_WIDTH = 140


def console() -> Console:
    """The terminal; a file or a pipe gets lines wide enough for a table."""
    return Console() if sys.stdout.isatty() else Console(width=FILE_WIDTH)


def run_in_words(record: Record) -> str:
    """One finished run in one line."""
    assert record.result is not None
    result = record.result
    auroc = "-" if result.image is None else f"{result.image.auroc:.3f}"
    costs = ""  # not known of maps that another program made
    if result.fit_seconds is not None and result.ms_per_image is not None:
        costs = f"; fitted in {result.fit_seconds:.1f} s, {result.ms_per_image:.0f} ms per image"
    return (
        f"{record.cell} ({record.dataset}, budget {record.budget}): good {share_in_words(result.good)}, "
        f"defective {share_in_words(result.defective)}, image AUROC {auroc}{costs}"
    )


def share_in_words(share: Share | None) -> str:
    """`19/20 = 0.95 [0.76, 0.99]`, or a dash."""
    if share is None:
        return "-"
    low, high = share.interval
    return f"{share.correct}/{share.total} = {share.ratio:.2f} [{low:.2f}, {high:.2f}]"


def runs_table(statuses: "Iterable[RunStatus]") -> Table:
    """One row for each stored run."""
    shown = Table()
    for name in ("run", "data, budget", "status", "good", "defective", "AUROC", "why"):
        shown.add_column(name)
    for status in statuses:
        record = status.record
        reason = status.reason.splitlines()[0] if status.reason else ""
        shown.add_row(str(record.cell), f"{record.dataset}, {record.budget}", status.state, *_outcome(record), reason)
    return shown


def _outcome(record: Record) -> tuple[str, str, str]:
    result = record.result
    if result is None:
        return "", "", ""
    auroc = "-" if result.image is None else f"{result.image.auroc:.3f}"
    return _count(result.good), _count(result.defective), auroc


def _count(share: Share | None) -> str:
    return f"{share.correct}/{share.total}" if share else "-"
