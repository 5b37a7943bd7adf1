"""What machines lack: a place for caches where nothing can be written, and an output that takes every character."""

import os
import sys
import tempfile
from pathlib import Path


def find_place_for_caches() -> None:
    """Where neither the code's folder nor the home folder can be written to, numba and matplotlib keep their caches among the
    temporary files. To be called before either is imported; NUMBA_CACHE_DIR and MPLCONFIGDIR go before it."""
    if os.access(os.environ.get("HOME") or "/nonexistent", os.W_OK):
        return
    if "NUMBA_CACHE_DIR" not in os.environ and not os.access(Path(__file__).parent, os.W_OK):
        os.environ["NUMBA_CACHE_DIR"] = str(_own_folder("numba"))
    if "MPLCONFIGDIR" not in os.environ:
        os.environ["MPLCONFIGDIR"] = str(_own_folder("matplotlib"))


def _own_folder(name: str) -> Path:
    """A folder of this user's alone: what is cached there is code that will be run."""
    folder = Path(tempfile.gettempdir(), f"defectbench-{name}-{os.getuid()}")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if found.st_uid == os.getuid() and folder.is_dir() and not folder.is_symlink() and not found.st_mode & 0o077:
            return folder
    except OSError:
        pass  # nothing of that name can be made here
    return Path(tempfile.mkdtemp(prefix=f"defectbench-{name}-"))


def make_output_robust() -> None:
    """Characters that the terminal or file cannot show are written out; a closed output takes everything."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123  # lives as long as the process
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
