"""The folders of sweeps, `<results>/sweeps/sweep-*`: their jobs tell there how they end."""

import tempfile
from pathlib import Path

LOCK = ".lock"
"""In each of them; the process of the sweep holds it."""
PREFIX = "sweep-"


def new_folder(sweeps: Path) -> Path:
    """The path of one that is not there yet."""
    return Path(tempfile.mktemp(dir=sweeps, prefix=PREFIX)).absolute()


def sweep_folders(sweeps: Path) -> list[Path]:
    """Those that are there, of sweeps that run or were killed, or whose jobs are still queued."""
    return sorted(sweeps.glob(f"{PREFIX}*"))
