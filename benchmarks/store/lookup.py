"""Requests that were answered: what a job asked for, word by word, and which run answered it.

To compose a job's configuration takes a tenth of a second, to tell that its images are those of a finished run as long again. A
request that is asked again in the same words, of the same code, settings, versions and files, needs neither: it is looked up.
Whatever differs, the long way decides (`benchmarks.run.cell`); a request is never taken for another.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
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
        """The cell whose finished run answers a request; None if it was never asked like this, or its run or files have changed,
        or what it was told to keep is gone."""
        try:
            found = json.loads(self._file(overrides).read_bytes())
            cell = Cell(*found["cell"])
            folder = self.store.folder(cell)
            own = {folder / name: known for name, known in found["own"].items()}
            files = own | {Path(path): known for path, known in found["files"].items()}
            there = all(is_kept(folder / name) for name in found["kept"])
            return cell if there and all(self._stamp(path) == known for path, known in files.items()) else None
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

    def asked(self, overrides: Iterable[str], files: Iterable[Path]) -> "Request":
        """A request, with the code and the files as they are before anything is made of them: training takes hours."""
        return Request(self._file(overrides), {str(path.absolute()): stamp(path) for path in files})

    def keep(self, request: "Request", record: Record, asked_for: Iterable[str] = ()) -> None:
        """Note that a finished run answers a request, as long as its own files stay as they are, and those it was made from.

        Args:
            asked_for: names of files and folders that the run was told to keep, such as `maps`, wherever in its folder they lie.
        """
        folder = self.store.folder(record.cell)
        answer = {
            "cell": [record.method, record.category, record.seed],
            "own": {name: stamp(folder / name) for name in (RECORD, SCORES) if (folder / name).is_file()},
            "kept": [str(path.relative_to(folder)) for name in asked_for for path in sorted(folder.rglob(name))],
            "files": request.files,
        }
        write_text(request.file, json.dumps(answer, indent=1) + "\n")

    def _file(self, overrides: Iterable[str]) -> Path:
        words = sorted(text for text in overrides if not text.startswith(SILENT))
        asked = [words, str(Path.cwd()), project_stamp()]
        return self.folder / f"{hashlib.blake2b(json.dumps(asked).encode(), digest_size=12).hexdigest()}.json"


@dataclass(frozen=True)
class Request:
    """What was asked for, and what it is made from."""

    file: Path
    """Where its answer is noted; the name says the words, the code and the settings."""
    files: dict[str, str]
    """Stamps of the files that it is made from, by path."""


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
    """Names, inodes, sizes and times of a file, or of all files of a folder, also behind links."""
    files = sorted(_files(path)) if path.is_dir() else [path]
    seen = [(str(file.relative_to(path)), *_status(file)) for file in files]
    return hashlib.blake2b(repr(seen).encode(), digest_size=12).hexdigest()


def is_kept(path: Path) -> bool:
    """Whether a file, or a folder with something in it, is there."""
    return any(path.iterdir()) if path.is_dir() else path.is_file()


def _files(folder: Path) -> Iterator[Path]:
    entered = set()  # a link may lead back to a folder above it
    for place, folders, names in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(place)) in entered:
            folders.clear()
            continue
        entered.add(real)
        yield from (file for name in names if (file := Path(place, name)).is_file())


def _status(file: Path) -> tuple[int, int, int, int]:
    status = file.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
