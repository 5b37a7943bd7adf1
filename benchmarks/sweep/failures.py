"""The table at the end of a sweep in which something failed."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.table import Table

from benchmarks.sweep.outcomes import FAILED, Outcome
from benchmarks.sweep.plan import PlannedCell


def failures_table(planned: Sequence[PlannedCell], ended: Mapping[int, Outcome]) -> Table:
    """One row for each job that failed or was lost, with the folder or file that says more, if there is one."""
    shown = Table(title="Failed", title_justify="left")
    for name in ("cell", "why", "more in"):
        shown.add_column(name, overflow="fold")
    for number, outcome in sorted(ended.items()):
        if outcome.status in FAILED:
            cell = planned[number].cell
            reason, _, more = outcome.words.partition("\nMore in ")
            place = Path(more.rstrip(".\n"))
            reason = reason.removeprefix(f"{cell} failed: ").removeprefix(f"{cell} ")
            shown.add_row(str(cell), reason, str(place.parent) if more and place.exists() else "-")
    return shown
