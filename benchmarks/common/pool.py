"""Threads that decode images: as many as the run was given (`threads`), else one for each core."""

import os
from concurrent.futures import ThreadPoolExecutor

_given: list[int] = []


def limit_pool(threads: int) -> None:
    """Let later pools of this process have so many threads."""
    _given[:] = [threads]


def pool() -> ThreadPoolExecutor:
    """A pool of threads; Pillow and zlib let go of the interpreter lock."""
    return ThreadPoolExecutor(_given[0] if _given else available_cores())


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
