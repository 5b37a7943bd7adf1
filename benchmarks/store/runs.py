"""The store of runs: `<results>/runs/<method>/<category>/seed=<k>/`, each folder whole or absent. No run is ever deleted.

A run that another one replaces is moved to `<results>/replaced`. An attempt that failed lies at the run's place, or, where a run
lies there already, beside it as `failed-seed=<k>`. Only attempts that measured nothing are removed.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from filelock import FileLock, Timeout

from benchmarks.common.errors import UserError
from benchmarks.common.files import move_folder, write_text
from benchmarks.store.folders import cell_folders
from benchmarks.store.record import RECORD, SCORES, Cell, Record, read_record
from benchmarks.store.scores import check_scores

ERROR = "error.txt"


class Busy(UserError):
    """Another process is running the cell."""


@dataclass(frozen=True)
class Unreadable:
    """A folder among the runs that no table is made from."""

    folder: Path
    reason: str


@dataclass(frozen=True)
class Contents:
    """All runs of a store as they were at one time."""

    records: list[Record]
    unreadable: list[Unreadable]

    def complain(self) -> None:
        """Raise what could not be read, for those who have shown the rest.

        Raises:
            UserError: names each folder.
        """
        if self.unreadable:
            reasons = "\n".join(f"  {found.reason}" for found in self.unreadable)
            raise UserError(f"{len(self.unreadable)} of the runs cannot be read and are left out:\n{reasons}")


def check_is_there(results: Path) -> None:
    """Tell a folder of results that is not there from one without runs.

    Raises:
        UserError: it is not there.
    """
    if not results.is_dir():
        raise UserError(
            f"There is no folder {results}. Name the one that holds runs/ (results.dir of `defectbench run`)."
        )


class RunStore:
    """Runs below one results folder. Several processes may write to it at once."""

    def __init__(self, results: Path) -> None:
        self.results = results
        self.root = results / "runs"
        self.replaced = results / "replaced"

    def folder(self, cell: Cell) -> Path:
        return self.root / cell.method / cell.category / f"seed={cell.seed}"

    def failed_folder(self, cell: Cell) -> Path:
        """Where an attempt lies that failed while the cell has a run."""
        return self.folder(cell).with_name(f"failed-seed={cell.seed}")

    # -- reading ------------------------------------------------------------------------------------------------------------------

    def find(self, cell: Cell) -> Record | None:
        """The record of a cell, whatever its status; None if it never ended or cannot be believed (it is then run again)."""
        try:
            return self._believed(self.folder(cell))
        except UserError:
            return None

    def contents(self) -> Contents:
        """All runs, in the order of their folders."""
        records, unreadable = [], []
        for folder in cell_folders(self.root, "seed="):
            try:
                records.append(self._believed(folder))
            except UserError as error:
                unreadable.append(Unreadable(folder, str(error)))
        return Contents(records, unreadable)

    def records(self) -> list[Record]:
        """All records that can be read, in the order of their folders."""
        return self.contents().records

    def where(self, record: Record) -> Path:
        """The folder of a run, also of one that was read earlier and has been replaced since."""
        folder = self.folder(record.cell)
        for place in (folder, self.failed_folder(record.cell)):
            if _record_in(place) == record:
                return place
        return next((old for old, found in self.replaced_runs(record.cell) if found == record), folder)

    def replaced_runs(self, cell: Cell) -> list[tuple[Path, Record]]:
        """The finished runs of a cell that others have replaced, the latest first."""
        found = [
            (folder, record)
            for folder in (self.replaced / cell.method / cell.category).glob(f"seed={cell.seed}-*/run")
            if (record := _record_in(folder)) is not None and record.status == "finished"
        ]
        return sorted(found, key=lambda run: run[1].started, reverse=True)

    def _believed(self, folder: Path) -> Record:
        """The record in a folder of `runs/`.

        Raises:
            UserError: it is not one, is of another cell, or its scores are not those that it was made from.
        """
        record = _record(folder / RECORD)
        if folder != self.folder(record.cell):
            raise UserError(
                f"{folder / RECORD} is the record of {record.cell}: its folder was copied or renamed. Remove it."
            )
        check_scores(folder, record)
        return record

    # -- writing ------------------------------------------------------------------------------------------------------------------

    @contextmanager
    def claim(self, cell: Cell) -> Iterator[None]:
        """Hold a cell while it is run: the lock goes with the process, however that ends.

        Raises:
            Busy: another process holds it.
        """
        folder = self.folder(cell)
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(folder.with_name(f".{folder.name}.lock"), timeout=0):
                for left_over in sorted(folder.parent.glob(f".{folder.name}.tmp-*")):
                    self._end(cell, left_over)  # of a killed process: we hold the lock, so nobody writes there
                yield
        except Timeout:
            raise Busy(f"{cell} is being run by another process; its result will be in {folder}.") from None

    @contextmanager
    def writing(self, cell: Cell) -> Iterator[Path]:
        """A temporary folder that becomes a run when the block ends well. Needs the claim.

        It takes the cell's place if it holds a finished record. So it is kept if the block fails after something was measured.
        """
        folder = self.folder(cell)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.tmp-"))
        temporary.chmod(0o755)  # mkdtemp makes folders that others cannot read
        try:
            yield temporary
        except Exception:
            self._end(cell, temporary)
            raise
        except BaseException:  # stopped by the user
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        self._publish(cell, temporary)

    def take_back(self, cell: Cell, folder: Path) -> None:
        """Give a replaced run its place again. Needs the claim."""
        self._set_aside(cell, self.folder(cell))
        move_folder(folder, self.folder(cell))
        folder.parent.rmdir()

    def _end(self, cell: Cell, temporary: Path) -> None:
        """Keep what was measured before a process or a block ended early; remove what holds nothing."""
        if (temporary / RECORD).is_file():
            self._publish(cell, temporary)
        elif (temporary / SCORES).is_file():
            if not (temporary / ERROR).is_file():
                write_text(
                    temporary / ERROR, "The run ended after its images were scored and before its record was written.\n"
                )
            self._publish(cell, temporary)
        else:
            shutil.rmtree(temporary)

    def _publish(self, cell: Cell, temporary: Path) -> None:
        """Give a folder its name: the cell's, unless it would take the place of a run without being one."""
        folder, record = self.folder(cell), _record_in(temporary)
        finished = record is not None and record.status == "finished"
        if finished or not holds_a_run(folder):
            self._set_aside(cell, folder)
            move_folder(temporary, folder)
            if finished:
                self._set_aside(cell, self.failed_folder(cell))
        else:
            self._set_aside(cell, self.failed_folder(cell))
            move_folder(temporary, self.failed_folder(cell))

    def _set_aside(self, cell: Cell, folder: Path) -> None:
        if holds_a_run(folder):
            place = self.replaced / cell.method / cell.category
            place.mkdir(parents=True, exist_ok=True)
            move_folder(folder, Path(tempfile.mkdtemp(dir=place, prefix=f"seed={cell.seed}-")) / "run")
        elif folder.exists():
            shutil.rmtree(folder)


def holds_a_run(folder: Path) -> bool:
    """Whether something in a folder was measured, or may have been: all but attempts that failed before."""
    if not folder.exists():
        return False
    record = _record_in(folder)
    return record is None or record.status == "finished" or (folder / SCORES).exists()


def _record_in(folder: Path) -> Record | None:
    try:
        return _record(folder / RECORD)
    except UserError:
        return None


def _record(path: Path) -> Record:
    """Each file is parsed once; writing one makes another file of it."""
    try:
        found = path.stat()
    except OSError:
        return read_record(path)
    return _parsed(path, found.st_ino, found.st_ctime_ns, found.st_size)


@lru_cache(maxsize=10_000)
def _parsed(path: Path, *stamp: int) -> Record:
    return read_record(path)
