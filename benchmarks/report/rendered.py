"""The cells' details as HTML, kept from one report to the next: after one new run, only its cell is drawn."""

import hashlib
import json
from pathlib import Path

from benchmarks.common.files import read_file, write_text
from benchmarks.report.cells import LOSSES, Cell
from benchmarks.report.html import TEMPLATES
from benchmarks.report.page_details import DETAILS, details_html
from benchmarks.report.page_tables import Number
from benchmarks.store.columns import is_empty
from benchmarks.store.lookup import project_stamp
from benchmarks.store.record import PRO_CURVE, SCORES
from benchmarks.store.runs import ERROR, RunStore

KEPT = ".cells.json"


class Rendered:
    """What the last report into a folder drew; what this one does not use goes.

    Each is kept under a hash over all that it is made from, content and code, so nothing outdated is ever found. The file may be
    removed.
    """

    def __init__(self, store: RunStore, folder: Path) -> None:
        self._store, self._path = store, folder / KEPT
        self._kept = _read(self._path)
        self._used: dict[str, str] = {}

    def details(self, key: str, title: str, numbers: list[Number], cell: Cell) -> str:
        """The details of a cell without pictures, drawn if they are not kept.

        Raises:
            UserError: as `details_html`.
        """
        name = self._name(key, title, numbers, cell)
        known = self._kept.get(name)
        self._used[name] = details_html(key, title, numbers, cell, self._store) if known is None else known
        return self._used[name]

    def keep(self) -> None:
        """Write down what was used, at once or not at all."""
        if self._used.keys() != self._kept.keys():
            write_text(self._path, json.dumps(self._used, ensure_ascii=False))

    def _name(self, key: str, title: str, numbers: list[Number], cell: Cell) -> str:
        hashed = hashlib.blake2b((TEMPLATES / DETAILS).read_bytes(), digest_size=16)
        hashed.update(
            repr((project_stamp(), key, title, numbers, _row(cell), [run.learning_curve for run in cell.runs])).encode()
        )
        runs = [(run.record, run.folder) for run in cell.runs]
        for record, folder in (*runs, *((record, self._store.where(record)) for record in cell.failed)):
            hashed.update(repr(record).encode())
            for name in (LOSSES, PRO_CURVE, ERROR) if record.scores_hash else (SCORES, LOSSES, PRO_CURVE, ERROR):
                hashed.update(_content(folder / name))
        return hashed.hexdigest()


def _row(cell: Cell) -> dict[str, str | float | None]:
    """Its row of the leaderboard, whatever types the other rows give the columns."""
    row = cell.row or {}
    return {
        n: value if isinstance(value, str) else None if is_empty(value) else float(value) for n, value in row.items()
    }


def _content(path: Path) -> bytes:
    """With its length, which tells where the next one begins; `-` if there is no such file."""
    try:
        content = read_file(path)
    except OSError:
        return b"-"
    return b"%d:%b" % (len(content), content)


def _read(path: Path) -> dict[str, str]:
    try:
        kept = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) and all(isinstance(text, str) for text in kept.values()) else {}
