"""How a sweep stands, by hand."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.store.record import Cell
from benchmarks.sweep.outcomes import Outcome, Outcomes, begun, report_begin, report_end
from benchmarks.sweep.plan import PlannedCell, QueuedCell
from benchmarks.sweep.progress import sweep_progress
from benchmarks.sweep.work import Work


def job(expected: float | None) -> QueuedCell:
    return QueuedCell(
        PlannedCell(Cell("m", "c", 0), "object", "d", "b", Path("results"), None, Work(None, None), False), (), expected
    )


def test_jobs_report_through_their_folders(tmp_path: Path) -> None:
    (tmp_path / "multirun.yaml").touch()
    report_begin(tmp_path, 1, "m / c / seed=1")
    report_end(tmp_path, 0, Outcome("failed", "why", 2.0))
    assert begun(tmp_path) == {1: "m / c / seed=1"}
    assert Outcomes(tmp_path).now() == {0: Outcome("failed", "why", 2.0)}


def test_expected_times_are_scaled_by_what_the_ended_jobs_took() -> None:
    jobs = [job(10), job(10), job(30), job(50)]
    ended = {0: Outcome("finished", "", 20.0), 1: Outcome("failed", "", 20.0)}  # twice as long as expected
    now = sweep_progress(jobs, {0, 1, 2}, ended, parallel=2)
    assert (now.done, now.failed, now.running, now.waiting) == (2, 1, 1, 1)
    assert now.seconds_left == pytest.approx((30 + 50) * 2 / 2)
    assert str(now) == "2 of 4 done, 1 failed, 1 running, 1 waiting, about 0:01:20 left"


def test_jobs_of_unknown_length_take_the_mean_once_there_is_one() -> None:
    jobs = [job(None), job(None), job(None)]
    assert sweep_progress(jobs, set(), {}, 1).seconds_left is None
    assert "time left not known yet" in str(sweep_progress(jobs, set(), {}, 1))
    assert sweep_progress(jobs, {0}, {0: Outcome("finished", "", 8.0)}, 1).seconds_left == pytest.approx(16)


@pytest.mark.parametrize("status", ["failed", "lost", "busy"])
def test_what_did_not_run_says_nothing_of_the_time_left(status: Any) -> None:
    jobs = [job(3600), job(3600), job(3600)]
    now = sweep_progress(jobs, {0}, {0: Outcome(status, "", 3.0)}, parallel=1)
    assert now.seconds_left == pytest.approx(7200)


def test_a_sweep_at_its_end_says_no_time() -> None:
    assert (
        str(sweep_progress([job(1)], {0}, {0: Outcome("finished", "", 1.0)}, 1)) == "1 of 1 done, 0 running, 0 waiting"
    )
