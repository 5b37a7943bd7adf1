"""Threads that decode images: as many as the run was given (`threads`), else one for each core."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

_given: list[int] = []


@contextmanager
def limited_pool(threads: int) -> Iterator[None]:
    """In a block, let the pools of this process have so many threads."""
    _given.append(threads)
    try:
        yield
    finally:
        _given.pop()


def pool() -> ThreadPoolExecutor:
    """A pool of threads; Pillow and zlib let go of the interpreter lock."""
    return ThreadPoolExecutor(_given[-1] if _given else available_cores())


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
