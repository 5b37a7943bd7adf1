"""Cells that took their sweep with them: out of memory, killed, the machine switched off.

A sweep that ended by itself leaves no folder. What another has left tells in which cells it died; those are tried last, and after a
second death not at all until they are asked for once more: else the cell that does not fit is the first of every sweep. A cell that
kept more than it began with only lost its machine: it resumes there.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from benchmarks.common.files import write_text
from benchmarks.sweep.folders import LOCK, sweep_folders
from benchmarks.sweep.outcomes import Outcomes, begun, has_advanced
from benchmarks.sweep.queued import Queued, remove_if_over

DEATHS = "deaths.json"
LIMIT = 2


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Mark the folder of a sweep as in use, as long as this process lives; removed at its end, unless jobs stay queued."""
    folder.mkdir(parents=True)
    with FileLock(folder / LOCK):
        try:
            yield
        finally:
            if Queued.read(folder) is None:
                shutil.rmtree(folder, ignore_errors=True)


class Deaths:
    """How often each cell took its sweep with it; kept in `<results>/sweeps/deaths.json`."""

    def __init__(self, sweeps: Path) -> None:
        self.path = sweeps / DEATHS
        self.of = self._read()

    def collect(self) -> None:
        """Count what killed sweeps have left, and remove it; jobs in a queue did not die with them."""
        for folder in sweep_folders(self.path.parent):
            try:
                with FileLock(folder / LOCK, timeout=0):
                    if (queued := Queued.read(folder)) is not None:
                        remove_if_over(queued)
                        continue
                    for cell in _died_in(folder):
                        self.of[cell] = self.of.get(cell, 0) + 1
                    self._write()
                    shutil.rmtree(folder, ignore_errors=True)
            except (Timeout, OSError):
                continue  # it runs, or is not ours

    def forget(self, cell: str) -> None:
        """It has ended, or has been told as a failure."""
        if self.of.pop(cell, None) is not None:
            self._write()

    def _read(self) -> dict[str, int]:
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return (
            {cell: count for cell, count in found.items() if isinstance(count, int)} if isinstance(found, dict) else {}
        )

    def _write(self) -> None:
        if self.of:
            write_text(self.path, json.dumps(self.of, indent=1) + "\n")
        else:
            self.path.unlink(missing_ok=True)


def _died_in(folder: Path) -> list[str]:
    ended = Outcomes(folder).now()
    died = {number: cell for number, cell in begun(folder).items() if number not in ended}
    return [cell for number, cell in died.items() if not has_advanced(folder, number)]
