"""Requests that were answered: what a job asked for, word by word, and which run answered it.

To compose a job's configuration takes a tenth of a second, to tell that its images are those of a finished run as long again. A
request that is asked again in the same words, of the same code, settings, versions and files, needs neither: it is looked up.
Whatever differs, the long way decides (`benchmarks.run.cell`); a request is never taken for another.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from benchmarks.common import provenance
from benchmarks.common.errors import UserError
from benchmarks.common.files import write_text
from benchmarks.common.project import project_file
from benchmarks.store.identity import PACKAGES, PROJECT
from benchmarks.store.record import RECORD, SCORES, Cell, Record, read_record
from benchmarks.store.runs import RunStore

SILENT = ("hydra", "force=", "progress=", "results.dir=", "logger=", "threads=")  # decide nothing that a run stands for


class Lookup:
    """The answered requests of one results folder."""

    def __init__(self, results: Path) -> None:
        self.store, self.folder = RunStore(results), results / "requests"
        self._stamp = cache(stamp)  # cells of a sweep share their files

    def answered(self, overrides: Iterable[str]) -> Cell | None:
        """The cell whose finished run answers a request; None if it was never asked like this, or its run or files have changed."""
        try:
            found = json.loads(self._file(overrides).read_bytes())
            unchanged = all(self._stamp(Path(path)) == known for path, known in found["files"].items())
            return Cell(*found["cell"]) if unchanged else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, UserError):
            return None

    def answer(self, overrides: Iterable[str]) -> Record | None:
        """The same run's record."""
        cell = self.answered(overrides)
        try:
            record = None if cell is None else read_record(self.store.folder(cell) / RECORD)
        except UserError:
            return None
        return record if record is not None and record.status == "finished" else None

    def keep(self, overrides: Iterable[str], record: Record, files: Sequence[Path]) -> None:
        """Note that a finished run answers a request, as long as its own files and those it was made from are as they are now."""
        folder = self.store.folder(record.cell)
        own = [folder / name for name in (RECORD, SCORES) if (folder / name).is_file()]
        answer = {
            "cell": [record.method, record.category, record.seed],
            "files": {str(path.absolute()): stamp(path) for path in [*own, *files]},
        }
        write_text(self._file(overrides), json.dumps(answer, indent=1) + "\n")

    def _file(self, overrides: Iterable[str]) -> Path:
        words = sorted(text for text in overrides if not text.startswith(SILENT))
        asked = [words, str(Path.cwd()), project_stamp()]
        return self.folder / f"{hashlib.blake2b(json.dumps(asked).encode(), digest_size=12).hexdigest()}.json"


@cache
def project_stamp() -> str:
    """A hash over all code and settings of the project and the versions of the packages that compute."""
    total = hashlib.blake2b(json.dumps(provenance.versions()).encode(), digest_size=16)
    for folder, pattern in (*((PROJECT / package, "*.py") for package in PACKAGES), (project_file("conf"), "*.yaml")):
        for path in sorted(folder.rglob(pattern)):
            total.update(str(path).encode())
            total.update(path.read_bytes())
    return total.hexdigest()


def stamp(path: Path) -> str:
    """Names, inodes, sizes and times of a file, or of all files of a folder."""
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    seen = [(str(file.relative_to(path)), *_status(file)) for file in files]
    return hashlib.blake2b(repr(seen).encode(), digest_size=12).hexdigest()


def _status(file: Path) -> tuple[int, int, int, int]:
    status = file.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
