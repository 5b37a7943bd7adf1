"""On what a number was made: versions, device, memory. Recorded beside every result."""

import atexit
import gc
import platform
import resource
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

NUMERIC_PACKAGES = (
    "torch", "torchvision", "pytorch-lightning", "kornia", "numpy", "scipy", "scikit-learn", "numba", "pillow",
    "faiss-cpu", "faiss-gpu",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Installed versions of the packages that compute."""
    found = {}
    for package in NUMERIC_PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def processor() -> str:
    """The CPU's name."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


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
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")


def peak_memory_mib() -> float:
    """Peak resident memory of this process since the last reset, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
