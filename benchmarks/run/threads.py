"""CPU threads of a cell: cells that run side by side share the cores."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from benchmarks.common.pool import available_cores, limited_pool

# What BLAS and OpenMP libraries that are loaded later, such as faiss's own, take their number of threads from.
READ_WHEN_LOADED = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def threads_of(config: DictConfig) -> int | None:
    """What `threads` says; else the launcher's share for each cell; None where a cell has the machine to itself."""
    if config.threads is not None:
        return int(config.threads)
    return share_of(HydraConfig.get().launcher, available_cores()) if HydraConfig.initialized() else None


def share_of(launcher: DictConfig, cores: int) -> int | None:
    """Threads that a launcher's configuration leaves to each cell."""
    if "n_jobs" in launcher:  # cpu_pool; -1 is a job for each core
        return max(1, cores // (launcher.n_jobs if launcher.n_jobs > 0 else cores))
    for reserved in ("ray.remote.num_cpus", "cpus_per_task"):  # what Ray and SLURM reserve for a job
        if (cpus := OmegaConf.select(launcher, reserved)) is not None:
            return max(1, int(cpus))
    return None


@contextmanager
def limited_threads(threads: int | None) -> Iterator[None]:
    """In a block, let torch, numba, decoding, BLAS and OpenMP of this process use so many threads; None changes nothing."""
    if threads is None:
        yield
        return
    import numba
    import torch
    from threadpoolctl import threadpool_limits

    of_torch, of_numba = torch.get_num_threads(), numba.get_num_threads()
    torch.set_num_threads(threads)
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
    os.environ |= dict.fromkeys(READ_WHEN_LOADED, str(threads))  # `isolated` puts the environment back
    try:
        with threadpool_limits(threads), limited_pool(threads):
            yield
    finally:
        torch.set_num_threads(of_torch)
        numba.set_num_threads(of_numba)
