"""The store of runs: `<results>/runs/<method>/<category>/seed=<k>/`, each folder whole or absent."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from benchmarks.common.errors import UserError
from benchmarks.store.record import Cell, Record, read_record

RECORD = "run.json"
SCORES = "scores.csv"


class Busy(UserError):
    """Another process is running the cell."""


class RunStore:
    """Runs below one results folder. Several processes may write to it at once."""

    def __init__(self, results: Path) -> None:
        self.results = results
        self.root = results / "runs"
        self.replaced = results / "replaced"

    def folder(self, cell: Cell) -> Path:
        return self.root / cell.method / cell.category / f"seed={cell.seed}"

    def find(self, cell: Cell) -> Record | None:
        """The record of a cell, whatever its status; None if it never ended or cannot be read (it is then run again)."""
        try:
            return read_record(self.folder(cell) / RECORD)
        except UserError:
            return None

    def records(self) -> list[Record]:
        """All records, in the order of their folders.

        Raises:
            UserError: a folder holds no readable record: no table is made from a store that is not understood.
        """
        return [read_record(path) for path in sorted(self.root.glob(f"*/*/seed=*/{RECORD}"))]

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
                for left_over in folder.parent.glob(f".{folder.name}.tmp-*"):
                    shutil.rmtree(left_over)  # of a killed process: we hold the lock, so nobody writes there
                yield
        except Timeout:
            raise Busy(f"{cell} is being run by another process; its result will be in {folder}.") from None

    @contextmanager
    def writing(self, cell: Cell) -> Iterator[Path]:
        """A temporary folder that becomes the cell's folder when the block ends well. Needs the claim.

        A finished run that is replaced is moved to `<results>/replaced`: hours of computing are not lost to a mistyped budget.
        """
        folder = self.folder(cell)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.tmp-"))
        temporary.chmod(0o755)  # mkdtemp makes folders that others cannot read
        try:
            yield temporary
            self._set_aside(cell)
            temporary.rename(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _set_aside(self, cell: Cell) -> None:
        folder, record = self.folder(cell), self.find(cell)
        if record is not None and record.status == "finished":
            place = self.replaced / cell.method / cell.category
            place.mkdir(parents=True, exist_ok=True)
            folder.rename(Path(tempfile.mkdtemp(dir=place, prefix=f"seed={cell.seed}-")) / "run")
        elif folder.exists():
            shutil.rmtree(folder)
