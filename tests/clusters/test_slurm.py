"""A SLURM cluster of two nodes: how cells end whose process, job, node or parent is lost."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.common.errors import UserError
from benchmarks.sweep import queued
from benchmarks.sweep.launchers import Slurm, slurm
from benchmarks.sweep.outcomes import Outcomes
from tests.clusters.conftest import ends, scores, sweep
from tests.clusters.daemons import wait_for
from tests.clusters.slurm import SlurmCluster, missing, slurm_cluster
from tests.sweep.tasks import end_or_be_killed, jobs, second_time_ends, sleep

SETTINGS: dict[str, Any] = {
    "gpus_per_node": 0,
    "cpus_per_task": 1,
    "mem_gb": 1,
    "timeout_min": 10,
    "max_num_timeout": 1,
}
ON_COMMAND_LINE = ["hydra/launcher=slurm", *(f"hydra.launcher.{name}={value}" for name, value in SETTINGS.items())]
CELLS = ["method=variation_model", "category=bottle,capsule", "seed=0,1"]


@pytest.fixture(scope="module", params=[False, True], ids=["queue-only", "with-database"])
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    if lacking := missing(accounting=request.param):
        pytest.skip(f"needs {', '.join(lacking)}")
    with slurm_cluster(tmp_path_factory.mktemp("slurm"), accounting=request.param) as begun:
        yield begun


@pytest.fixture(autouse=True)
def commands(cluster: SlurmCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """SLURM's commands mean this cluster, which each test finds empty; files appear at once here."""
    for name in ("SLURM_CONF", "PATH"):
        monkeypatch.setenv(name, cluster.environment[name])
    monkeypatch.setattr(slurm, "GRACE", 4)
    monkeypatch.setattr(slurm, "SECONDS_BETWEEN", 1)
    yield
    cluster.says("scancel", "--user=root")
    wait_for("an empty queue", lambda: not cluster.says("squeue", "-h"), 60)


def launcher(task: Any, **settings: Any) -> Slurm:
    made = Slurm(**SETTINGS | settings)
    made.task = task
    return made


@pytest.mark.parametrize("killed", [{0}, {4}, {0, 4}], ids=["first", "last", "two"])
def test_a_killed_cell_is_lost_alone(tmp_path: Path, killed: set[int]) -> None:
    lost, ended = ends(launcher(end_or_be_killed), jobs(tmp_path, killed))
    assert set(lost) == killed and set(ended) == set(range(5)) - killed
    assert all(
        "killed" in loss.reason and loss.its_own_fault and loss.log.is_file() for loss in lost.values() if loss.log
    )


def test_a_cancelled_cell_is_lost_alone(tmp_path: Path) -> None:
    found = {}
    for job, lost in (made := launcher(second_time_ends)).ends(jobs(tmp_path, {2})):
        found[job.number] = lost
        if len(found) == 4:
            (number,) = (number for number in made._followed if number.endswith("_2"))
            queued.cancel(number)
    assert found.pop(2).reason == "cancelled" and set(found.values()) == {None}


def test_a_cell_whose_node_is_lost_runs_on_another(tmp_path: Path, cluster: SlurmCluster) -> None:
    found = {}
    for job, lost in launcher(second_time_ends).ends(jobs(tmp_path, {0})):
        found[job.number] = lost
        if len(found) == 4:
            cluster.kill_node(int((tmp_path / "0" / "node").read_text().removeprefix("node")))
    assert set(found.values()) == {None} and len(found) == 5
    cluster.restart_nodes()


def test_a_cell_that_is_pre_empted_goes_on_later(tmp_path: Path, cluster: SlurmCluster) -> None:
    found = {}
    for job, lost in launcher(second_time_ends, partition="low").ends(jobs(tmp_path, {0})):
        found[job.number] = lost
        if len(found) == 4:
            cluster.says(
                "sbatch", "--partition=high", "--nodes=2", "--exclusive", "--output=/dev/null", "--wrap=sleep 3"
            )
    assert set(found.values()) == {None} and len(found) == 5


def test_a_cell_whose_time_is_up_goes_back_into_the_queue(tmp_path: Path) -> None:
    made = launcher(second_time_ends, timeout_min=1, signal_delay_s=30)
    lost, ended = ends(made, jobs(tmp_path, {0}, 2))
    assert not lost and set(ended) == {0, 1} and (tmp_path / "0" / "times_up.txt").read_text() == "1"


def test_a_cell_whose_time_is_up_too_often_names_the_remedy(tmp_path: Path) -> None:
    lost, ended = ends(launcher(sleep, timeout_min=1, signal_delay_s=30, max_num_timeout=0), jobs(tmp_path, set(), 1))
    assert "time limit, 1 times" in lost[0].reason and "timeout_min" in lost[0].reason and not ended


def test_a_cell_that_is_larger_than_any_node_is_refused(tmp_path: Path) -> None:
    lost, _ = ends(launcher(sleep, cpus_per_task=99), jobs(tmp_path, set(), 2))
    assert lost == {0: slurm.TOO_LARGE, 1: slurm.TOO_LARGE}
    for settings in ({"mem_gb": 999}, {"gpus_per_node": 1}, {"partition": "nowhere"}):
        with pytest.raises(UserError, match="SLURM took no job"):
            ends(launcher(sleep, **settings), jobs(tmp_path, set()))
    with pytest.raises(UserError, match="no_such"):
        ends(launcher(sleep, no_such=1), jobs(tmp_path, set()))


def once(cluster: SlurmCluster) -> None:
    if cluster.accounting:
        pytest.skip("minutes; nothing in it asks the accounting")


def test_jobs_of_a_killed_command_are_joined_and_scores_are_those_of_the_plain_launcher(
    tmp_path: Path, cluster: SlurmCluster
) -> None:
    once(cluster)
    first = sweep(tmp_path, "slurm", os.environ, *CELLS, *ON_COMMAND_LINE, "hydra.launcher.array_parallelism=1")
    wait_for("a first cell", lambda: list(tmp_path.rglob("begun.txt")), 120)
    assert (
        cluster.says("squeue", "-h", "-o", "%j").split() == ["defectbench"] * 2
    )  # one running, and the rest of the array
    assert "variation_model / " in cluster.says("squeue", "-h", "-o", "%k")
    first.kill()
    first.wait()
    again = sweep(tmp_path, "slurm", os.environ, *CELLS, *ON_COMMAND_LINE)
    assert again.wait(400) == 0 and sweep(tmp_path, "plain", os.environ, *CELLS).wait(300) == 0
    said = (tmp_path / "slurm.log").read_text()
    assert "are in SLURM's queue since an earlier command" in said and "scancel" not in said
    assert scores(tmp_path / "slurm") == scores(tmp_path / "plain") and len(scores(tmp_path / "plain")) == 4
    assert not list((tmp_path / "slurm" / "sweeps").glob("sweep-*"))


def test_ctrl_c_leaves_the_jobs_or_cancels_them(tmp_path: Path, cluster: SlurmCluster) -> None:
    once(cluster)
    held, log = [*CELLS, *ON_COMMAND_LINE, "+hydra.launcher.additional_parameters.hold=true"], tmp_path / "slurm.log"
    first = sweep(tmp_path, "slurm", os.environ, *held)
    wait_for("jobs", lambda: "pending (JobHeldUser)" in log.read_text(), 90)
    first.send_signal(signal.SIGINT)
    assert first.wait(60) != 0
    assert "4 jobs left in SLURM's queue" in log.read_text() and "scancel" in log.read_text()
    again = sweep(tmp_path, "slurm", os.environ, *held, "--yes")
    wait_for("joined", lambda: "pending (JobHeldUser)" in log.read_text(), 90)
    assert "4 cells are in SLURM's queue since an earlier command, and joined" in log.read_text()
    again.send_signal(signal.SIGINT)
    assert again.wait(60) != 0
    wait_for("an empty queue", lambda: not cluster.says("squeue", "-h"), 30)


def test_a_cell_in_training_goes_on_where_its_time_was_up(tmp_path: Path, cluster: SlurmCluster) -> None:
    once(cluster)
    training = [
        "method=ae_l2",
        "category=bottle",
        "seed=0",
        "method.train.epochs=6",
        "budget.samples=32",
        "checkpoint.minutes=0",
    ]
    running = sweep(tmp_path, "slurm", os.environ, *training, *ON_COMMAND_LINE)
    wait_for("a state", lambda: list((tmp_path / "slurm" / "runs").rglob("last.ckpt")), 300)
    cluster.says("scancel", "--signal=USR2", "--name=defectbench")
    assert running.wait(900) == 0 and sweep(tmp_path, "plain", os.environ, *training).wait(300) == 0
    (log,) = (tmp_path / "slurm" / "runs").rglob("log.txt")
    assert "resumed after epoch" in log.read_text()
    assert scores(tmp_path / "slurm") == scores(tmp_path / "plain")


def test_a_controller_that_does_not_answer_condemns_no_cell(tmp_path: Path, cluster: SlurmCluster) -> None:
    found = {}
    for job, lost in launcher(second_time_ends).ends(jobs(tmp_path, {0}, 2)):
        found[job.number] = lost
        if len(found) == 1:
            cluster.kill("slurmctld")
            assert queued.queue() is None
            (tmp_path / "0" / "again").touch()
            cluster.start("slurmctld", "slurmctld", "-D")
    assert found == {0: None, 1: None} and set(Outcomes(tmp_path).now()) == {0, 1}
