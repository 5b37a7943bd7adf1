"""How far a cell is that is being run or was interrupted (`.seed=<k>.state/state.json` beside its folder). Needs no torch."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.common.files import read_file
from benchmarks.store.folders import cell_folders
from benchmarks.store.record import Cell
from benchmarks.store.schema import build

PROGRESS = "state.json"


@dataclass(frozen=True)
class Progress:
    """What is done of a cell."""

    identity: dict[str, Any]
    epoch: int = 0
    """Epochs that are done and kept."""
    epochs: int = 0
    """Of the whole training; 0 before the first is kept."""
    seconds: float = 0.0
    """Spent on what is kept."""

    @property
    def budget(self) -> str:
        """The budget that it is run with."""
        return str(self.identity.get("config", {}).get("budget", {}).get("name", ""))

    @property
    def seconds_left(self) -> float | None:
        """Of the training, at the pace so far."""
        return self.seconds / self.epoch * (self.epochs - self.epoch) if self.epoch else None

    @classmethod
    def read(cls, folder: Path) -> "Progress | None":
        """The progress in a folder, if there is one that can be read."""
        try:
            found = build(cls, json.loads(read_file(folder / PROGRESS)), {})
            _ = found.budget
        except (OSError, ValueError, TypeError, AttributeError):
            return None
        return found

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)


def state_folder(cell_folder: Path) -> Path:
    """Where the state of a cell is kept while it runs: beside the folder of its results."""
    return cell_folder.with_name(f".{cell_folder.name}.state")


def kept(state: Path) -> int:
    """How much is kept of a cell: epochs, then maps. It grows as the cell goes on."""
    progress = Progress.read(state)
    return 0 if progress is None else progress.epoch + sum(1 for _ in state.rglob("maps-*/*.npz"))


def in_progress(runs: Path) -> Iterator[tuple[Cell, Progress]]:
    """The cells below `<results>/runs` that have begun and are not finished."""
    for folder in cell_folders(runs, ".seed="):
        method, category, name = folder.parts[-3:]
        progress, seed = Progress.read(folder), name.removeprefix(".seed=").removesuffix(".state")
        if progress is not None and name.endswith(".state") and seed.isdecimal():
            yield Cell(method, category, int(seed)), progress
