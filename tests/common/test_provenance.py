"""What a record says of the process that made it."""

import weakref

from benchmarks.common.provenance import peak_memory_mib, reset_peak_memory


class Node:
    """Holds itself, as a trainer and its method hold each other."""

    def __init__(self) -> None:
        self.itself = self


def test_what_the_last_cell_left_is_freed_before_memory_is_counted() -> None:
    left = weakref.ref(Node())
    reset_peak_memory()
    assert left() is None and peak_memory_mib() > 0
