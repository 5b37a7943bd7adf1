"""A cell that takes its sweep with it is tried last, and after a second death is a failure of its own."""

import shutil
from pathlib import Path

from filelock import FileLock

from benchmarks.common.files import write_text
from benchmarks.store.progress import PROGRESS, Progress
from benchmarks.sweep.deaths import Deaths, held
from benchmarks.sweep.folders import LOCK
from benchmarks.sweep.outcomes import Outcome, Outcomes, report_begin, report_end


def killed_sweep(sweeps: Path, name: str, died: str) -> None:
    """What a sweep leaves that was killed during one of its cells."""
    folder = sweeps / f"sweep-{name}"
    report_begin(folder, 0, "ended")
    report_end(folder, 0, Outcome("finished", "", 1.0))
    report_begin(folder, 1, died)


def test_deaths_are_counted_and_the_folders_removed(tmp_path: Path) -> None:
    for name in "ab":
        killed_sweep(tmp_path, name, "m / c / seed=0")
        deaths = Deaths(tmp_path)
        deaths.collect()
        assert not list(tmp_path.glob("sweep-*"))
    assert Deaths(tmp_path).of == {"m / c / seed=0": 2}
    deaths.forget("m / c / seed=0")
    assert Deaths(tmp_path).of == {} and not list(tmp_path.iterdir())


def test_a_cell_that_got_on_before_it_was_killed_has_not_died(tmp_path: Path) -> None:
    state = tmp_path / "state"
    for epoch, expected in ((3, {}), (3, {"m / c": 1}), (4, {"m / c": 1})):  # it got on, did not, got on
        report_begin(tmp_path / "sweep-a", 0, "m / c", state)
        write_text(state / PROGRESS, Progress({"config": {}}, epoch, epochs=9).to_json())
        deaths = Deaths(tmp_path)
        deaths.collect()
        assert deaths.of == expected
    report_begin(tmp_path / "sweep-a", 0, "m / c", state)
    write_text(state / "maps-1" / "0.npz", "the first maps")
    deaths.collect()
    assert deaths.of == {"m / c": 1}


def test_a_sweep_that_runs_is_left_alone_and_one_that_ends_leaves_nothing(tmp_path: Path) -> None:
    with held(tmp_path / "sweep-a"):
        report_begin(tmp_path / "sweep-a", 0, "running")
        deaths = Deaths(tmp_path)
        with FileLock(tmp_path / "other"):
            deaths.collect()
        assert (tmp_path / "sweep-a" / LOCK).exists() and deaths.of == {}
    assert not (tmp_path / "sweep-a").exists()


def test_a_sweeps_folder_that_is_removed_while_it_runs_loses_nothing(tmp_path: Path) -> None:
    with held(folder := tmp_path / "sweeps" / "sweep-a"):
        shutil.rmtree(tmp_path / "sweeps")
        report_begin(folder, 0, "m / c / seed=0")
        report_end(folder, 0, Outcome("finished", "", 1.0))
        assert Outcomes(folder).now()[0].status == "finished"
    assert not folder.exists()


def test_a_damaged_note_counts_as_none(tmp_path: Path) -> None:
    for text in ("{", "[1]", '{"a": "b"}'):
        (tmp_path / "deaths.json").write_text(text)
        assert Deaths(tmp_path).of == {}
