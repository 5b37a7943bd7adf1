"""On what a number was made: versions, device, memory. Recorded beside every result."""

import atexit
import gc
import platform
import resource
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PROC = Path("/proc")
"""What Linux tells of itself; elsewhere, and where it is hidden, less is known."""
NUMERIC_PACKAGES = (
    "torch", "torchvision", "pytorch-lightning", "kornia", "numpy", "scipy", "scikit-learn", "numba", "pillow",
    "faiss-cpu", "faiss-gpu",
)  # fmt: skip


@cache
def versions(*more: str) -> dict[str, str]:
    """Installed versions of the packages that compute, and of those that only some methods compute with."""
    found = {}
    for package in (*NUMERIC_PACKAGES, *more):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def processor() -> str:
    """The CPU's name."""
    name = _told("cpuinfo", "model name")
    return name or platform.processor() or platform.machine()


@cache
def _leave_out_what_is_imported() -> None:
    """Modules stay: looking through torch's at every collection takes longer than a small cell. After a collection, as garbage
    would stay, too."""
    gc.freeze()
    atexit.register(gc.unfreeze)  # else extension modules tell of leaks at the end: they count what is never collected


def reset_peak_memory() -> None:
    """Start counting the peak anew, so that one cell of a sweep does not inherit another's (Linux; elsewhere it does)."""
    gc.collect()  # of the last cell, trainer and method hold each other
    _leave_out_what_is_imported()
    with suppress(OSError):
        (PROC / "self/clear_refs").write_text("5")


def peak_memory_mib() -> float:
    """Peak resident memory of this process since the last reset, in MiB."""
    peak = _told("self/status", "VmHWM")
    return int(peak.split()[0]) / 1024 if peak else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _told(file: str, key: str) -> str:
    """The first value of a key in a file of /proc; empty if it is not there."""
    try:
        lines = (PROC / file).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")
