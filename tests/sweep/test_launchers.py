"""Each job's end is its own, under every launcher: one that is killed takes no other along, and nothing outlives the parent."""

import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from benchmarks.common.errors import UserError
from benchmarks.sweep import queued
from benchmarks.sweep.deaths import Deaths, held
from benchmarks.sweep.job import Job, run_job
from benchmarks.sweep.launchers import CellLauncher, CpuPool, Lost, slurm
from benchmarks.sweep.launchers import ray as ray_launcher
from benchmarks.sweep.outcomes import Outcome, Outcomes, report_begin, report_end
from benchmarks.sweep.queued import in_words
from tests.sweep.tasks import end_or_be_killed, jobs

PROJECT = Path(__file__).resolve().parents[2]

KILLED = {0: {0}, 1: {3}, 2: {0, 3}}


def ends(launcher: CellLauncher, wanted: Sequence[Job]) -> tuple[dict[int, Lost], dict[int, Outcome]]:
    lost = {job.number: loss for job, loss in launcher.ends(wanted) if loss is not None}
    return lost, Outcomes(wanted[0].folder).now()


@pytest.mark.parametrize("case", KILLED)
def test_a_killed_worker_loses_its_own_cell_only(tmp_path: Path, case: int) -> None:
    pool = CpuPool(n_jobs=2)
    pool.task = end_or_be_killed
    lost, ended = ends(pool, jobs(tmp_path, KILLED[case]))
    assert set(lost) == KILLED[case] and set(ended) == set(range(5)) - KILLED[case]
    assert all("killed" in loss.reason and loss.its_own_fault for loss in lost.values())
    assert len({outcome.words for outcome in ended.values()}) <= 2 + len(lost)  # workers are used again


PARENT = """
import signal, sys
from pathlib import Path
from benchmarks.sweep.launchers import CpuPool
from tests.sweep.tasks import jobs, sleep

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    pool = CpuPool(n_jobs=2)
    pool.task = sleep
    list(pool.ends(jobs(Path(sys.argv[1]), set(), 3)))
"""


@pytest.mark.parametrize("kill", [signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_its_parent_by_ten_seconds(tmp_path: Path, kill: signal.Signals) -> None:
    (tmp_path / "parent.py").write_text(PARENT)
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    parent = subprocess.Popen([sys.executable, str(tmp_path / "parent.py"), str(tmp_path)], env=environment)
    wait_for(lambda: (tmp_path / "0").exists() and (tmp_path / "1").exists(), 60)
    workers = [int((tmp_path / name).read_text()) for name in "01"]
    parent.send_signal(kill)
    parent.wait(10)
    wait_for(lambda: not any(alive(worker) for worker in workers), 10)
    assert not (tmp_path / "2").exists()


def wait_for(condition: Any, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def alive(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def test_a_number_of_workers_that_makes_no_sense(tmp_path: Path) -> None:
    for wrong in (0, -2, "two"):
        with pytest.raises(UserError, match="n_jobs"):
            ends(CpuPool(n_jobs=wrong), jobs(tmp_path, set()))


def test_a_machine_that_does_not_see_the_sweeps_folder_says_so(tmp_path: Path) -> None:
    job = Job(OmegaConf.create(), 0, "cell", tmp_path / "elsewhere", tmp_path, True)
    with pytest.raises(UserError, match="file system that all"):
        run_job(job)


# -- Ray --------------------------------------------------------------------------------------------------------------------------


def test_a_cell_that_no_node_can_take_is_refused() -> None:
    nodes = [
        {"Alive": True, "Resources": {"CPU": 4.0, "GPU": 1.0}},
        {"Alive": True, "Resources": {"CPU": 16.0}},
        {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}},
    ]
    assert ray_launcher._places(nodes, {"num_cpus": 2}) == 2 + 8
    assert ray_launcher._places(nodes, {"num_cpus": 2, "num_gpus": 0.25}) == 2
    with pytest.raises(UserError, match="at most 16 CPUs, 1 GPUs"):
        ray_launcher._places(nodes, {"num_cpus": 2, "num_gpus": 2})


# -- SLURM ------------------------------------------------------------------------------------------------------------------------


def entry(folder: Path, job: Job, result: object = None) -> slurm.Followed:
    """A submitted job, and what its process wrote down."""
    number = f"7_{job.number}"
    if result is not None:
        (folder / f"{number}_0_result.pkl").write_bytes(pickle.dumps(result))
    return slurm.Followed(job, folder, number)


def test_jobs_that_left_slurms_queue_are_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    states = {"7_1": "OUT_OF_MEMORY", "7_2": "NODE_FAIL", "7_4": ""}
    clock = [0.0]
    cancelled: list[str] = []
    monkeypatch.setattr(slurm, "cancel", cancelled.append)
    monkeypatch.setattr(slurm, "final_state", lambda number: states[number])
    monkeypatch.setattr(slurm.time, "monotonic", lambda: clock[0])
    results = {0: ("success", None), 3: ("error", "Traceback\n  ...\nbenchmarks.common.errors.UserError: the reason\n")}
    wanted = {f"7_{job.number}": entry(tmp_path, job, results.get(job.number)) for job in jobs(tmp_path, set())}
    all_pending = dict.fromkeys(wanted, ("PENDING", "Resources"))
    queue = iter([all_pending, None, {"7_4": ("RUNNING", "None")}, {}, {"7_2": ("PENDING", "None")}, *[{}] * 99])

    def pause(seconds: float) -> None:
        clock[0] += seconds

    found = {job.number: lost for job, lost in slurm.follow(wanted, lambda: next(queue), pause)}
    assert found[0] is None and slurm.GRACE <= clock[0] < 2 * slurm.GRACE
    assert cancelled == ["7_0", "7_3"]  # they have ended, and SLURM knows it not
    reasons = {number: lost.reason for number, lost in found.items() if lost}
    assert "mem_gb" in reasons[1] and reasons[2] == "node failure" and reasons[3] == "the reason"
    assert "SLURM says nothing" in reasons[4]
    assert [number for number, lost in found.items() if lost and not lost.its_own_fault] == [2]


def test_what_is_pending_is_said_with_its_reason() -> None:
    states = {"7_0": ("RUNNING", "None"), "7_1": ("PENDING", "Resources"), "7_2": ("PENDING", "Resources")}
    others = {"9": ("RUNNING", "None")}
    assert in_words(states | others, states) == "2 pending (Resources), 1 running"
    assert "not answer" in in_words(None, states)


def test_jobs_that_a_sweep_left_in_the_queue_are_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new sweep sees them begin and end; the old one's folder goes when none of its jobs is queued any more."""
    states = {"7_0": ("PENDING", "Resources"), "7_1": ("RUNNING", "None")}
    monkeypatch.setattr(queued, "queue", lambda: states)
    old, new = tmp_path / "sweep-old", tmp_path / "sweep-new"
    with held(old):
        queued.Queued.keep(old, {f"7_{job.number}": job for job in jobs(old, set(), 2)})
    Deaths(tmp_path).collect()
    new.mkdir()
    (old / "1").mkdir()
    report_begin(old, 1, "cell")
    (wanted,) = jobs(new, set(), 1)
    with ExitStack() as stack:
        assert queued.Queued.of_earlier_sweeps([wanted], stack) == {"7_0": (wanted, old)}
        report_end(old, 0, Outcome("finished", "words", 1.0))
        assert Outcomes(new).now()[0].words == "words"
        del states["7_0"]
    assert old.is_dir()  # 7_1 runs
    shutil.rmtree(new)
    states.clear()
    Deaths(tmp_path).collect()
    assert not old.exists() and not Deaths(tmp_path).of  # it did not die with its sweep


def test_where_there_is_no_slurm_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("submitit")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="SLURM"):
        ends(slurm.Slurm(timeout_min=5), jobs(tmp_path, set()))
