"""How the jobs of a sweep ended. They tell it through files, so that it reaches across processes and machines, and no job that dies
takes the others' results with it."""

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from benchmarks.common.files import write_text
from benchmarks.store.progress import kept

Status = Literal["finished", "failed", "busy", "lost"]

FAILED: Collection[Status] = ("failed", "lost")


@dataclass(frozen=True)
class Outcome:
    """How a job ended: "busy" if another process was running its cell, "lost" if its process could not even tell."""

    status: Status
    words: str
    seconds: float


BEGUN = "begun.txt"
STATE = "state.json"
OUTCOME = "outcome.json"


def report_begin(folder: Path, number: int, cell: str, state: Path | None = None) -> None:
    """Say that job `number` of the sweep with this folder has begun; `state` is where its cell keeps what it resumes from."""
    if state is not None:
        write_text(folder / str(number) / STATE, json.dumps([str(state.absolute()), kept(state)]))
    write_text(folder / str(number) / BEGUN, cell)


def report_end(folder: Path, number: int, outcome: Outcome) -> None:
    """Say how it ended."""
    write_text(folder / str(number) / OUTCOME, json.dumps(asdict(outcome)))


def begun(folder: Path) -> dict[int, str]:
    """The cells of the jobs that have begun, by their numbers."""
    return {int(path.parent.name): path.read_text(encoding="utf-8") for path in folder.glob(f"[0-9]*/{BEGUN}")}


def has_advanced(folder: Path, number: int) -> bool:
    """Whether more is kept of a job's cell than when it began: it resumes there."""
    try:
        state, before = json.loads((folder / str(number) / STATE).read_text(encoding="utf-8"))
        return kept(Path(state)) > int(before)
    except (OSError, ValueError, TypeError):
        return False


class Outcomes:
    """How the jobs that have ended did, by their numbers. Each file is read once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[int, Outcome] = {}

    def now(self) -> dict[int, Outcome]:
        for path in self.folder.glob(f"[0-9]*/{OUTCOME}"):
            number = int(path.parent.name)
            if number not in self._known:
                self._known[number] = Outcome(**json.loads(path.read_text(encoding="utf-8")))
        return dict(self._known)
