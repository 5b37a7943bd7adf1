"""A cell's peaks are its own, on a GPU as well."""

import pytest
import torch

from benchmarks.classics import measure as classics
from benchmarks.run import measure, memory


def test_both_kinds_of_benchmark_count_with_the_same_counters() -> None:
    for module in (measure, classics):
        assert module.start_memory_counters is memory.start_memory_counters and module.peak_memory is memory.peak_memory


def test_the_counters_of_the_gpu_start_anew_with_those_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    reset = list[str]()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: reset.append("gpu"))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 3 * 2**20)
    monkeypatch.setattr(memory, "reset_peak_memory", lambda: reset.append("process"))
    memory.start_memory_counters()
    assert sorted(reset) == ["gpu", "process"] and memory.peak_memory()["peak_gpu_memory_mib"] == 3
