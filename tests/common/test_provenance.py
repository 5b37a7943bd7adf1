"""What a record says of the process that made it."""

import weakref
from pathlib import Path

import pytest

from benchmarks.common import provenance
from benchmarks.common.provenance import peak_memory_mib, reset_peak_memory


class Node:
    """Holds itself, as a trainer and its method hold each other."""

    def __init__(self) -> None:
        self.itself = self


def test_what_the_last_cell_left_is_freed_before_memory_is_counted() -> None:
    left = weakref.ref(Node())
    reset_peak_memory()
    assert left() is None and peak_memory_mib() > 0


def test_a_machine_that_hides_proc_tells_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "PROC", tmp_path / "absent")
    reset_peak_memory()
    assert provenance.processor() and peak_memory_mib() > 0
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "clear_refs").mkdir()  # there, and not to be written to
    (tmp_path / "self" / "status").write_text("Name:\tpython\nVmHWM:\t  2048 kB\n")
    monkeypatch.setattr(provenance, "PROC", tmp_path)
    reset_peak_memory()
    assert peak_memory_mib() == 2
