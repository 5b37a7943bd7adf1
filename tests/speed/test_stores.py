"""The stores that growth is measured on are stores: every run is believed, and every request answered."""

from contextlib import chdir
from pathlib import Path

import pytest

from benchmarks.speed import stores
from benchmarks.speed.stores import COMMANDS, StoreGrowth, store_table, write_runs
from benchmarks.store.identity import PROJECT
from benchmarks.store.lookup import Lookup
from benchmarks.store.runs import RunStore


def test_copies_of_a_run_are_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "METHODS", 2)
    monkeypatch.setattr(stores, "CATEGORIES", 3)
    assert write_runs(tmp_path, 8) == 6
    contents = RunStore(tmp_path).contents()
    assert [record.seed for record in contents.records] == [0, 1, 0, 1, 0, 0, 0, 0] and contents.unreadable == []
    with chdir(PROJECT):
        lookup = Lookup(tmp_path)
        assert all(lookup.answered(record.overrides) == record.cell for record in contents.records)


def test_growth_is_told_for_each_run() -> None:
    report, read = [*COMMANDS][4], [*COMMANDS][1]
    rows = [StoreGrowth(report, 750, 375, 15.0, 300.0), StoreGrowth(read, 75, 75, 0.3, 40.0)]
    shown = store_table(rows)
    assert [list(column.cells) for column in shown.columns][2:4] == [["0.30", "15.00"], ["4.00", "20.00"]]
