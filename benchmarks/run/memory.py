"""The most memory that a cell takes, in the process and on the GPU; counted anew for each, so that none inherits another's."""

import torch

from benchmarks.common.provenance import peak_memory_mib, reset_peak_memory


def start_memory_counters() -> None:
    """Count from here."""
    reset_peak_memory()
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def peak_memory() -> dict[str, float | None]:
    """The peaks since the start, in MiB, under the names that a `Result` has for them; None without a GPU."""
    return {
        "peak_memory_mib": peak_memory_mib(),
        "peak_gpu_memory_mib": torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else None,
    }
