"""A Ray cluster of a head and two workers: how cells end whose process or node is lost."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.common.errors import UserError
from benchmarks.sweep.launchers import RayActors
from tests.clusters.conftest import ends, scores, sweep
from tests.clusters.daemons import wait_for
from tests.clusters.ray import CLIENT, HEAD, RayCluster, ray_cluster
from tests.sweep.tasks import end_or_be_killed, enter_and_end, jobs, second_time_ends, sleep

pytest.importorskip("ray")

CELLS = ["method=variation_model", "category=bottle,capsule", "seed=0,1"]
COMMAND_LINE = [
    "hydra/launcher=ray_cluster",
    "hydra.launcher.ray.remote.num_cpus=1",
    "hydra.launcher.ray.remote.num_gpus=0",
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayCluster]:
    with ray_cluster(tmp_path_factory.mktemp("ray")) as begun:
        yield begun


def launcher(task: Any, address: str = HEAD, **reserved: float) -> RayActors:
    made = RayActors(ray={"init": {"address": address, "log_to_driver": False}, "remote": {"num_cpus": 1} | reserved})
    made.task = task
    return made


@pytest.mark.parametrize("killed", [{0}, {4}, {0, 4}], ids=["first", "last", "two"])
def test_a_killed_cell_is_lost_alone(cluster: RayCluster, tmp_path: Path, killed: set[int]) -> None:
    lost, ended = ends(launcher(end_or_be_killed), jobs(tmp_path, killed))
    assert set(lost) == killed and set(ended) == set(range(5)) - killed
    assert all("killed" in loss.reason and loss.its_own_fault for loss in lost.values())
    assert len({outcome.words for outcome in ended.values()}) <= 2 + len(lost)  # actors are used again


def test_a_cell_that_is_larger_than_any_node_is_refused(cluster: RayCluster, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="at most 1 CPUs, 1 GPUs"):
        ends(launcher(sleep, num_cpus=2, num_gpus=1), jobs(tmp_path, set()))


def test_where_no_cluster_is_it_is_said(cluster: RayCluster, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no Ray cluster there"):
        ends(launcher(sleep, address="10.77.0.9:6379"), jobs(tmp_path, set()))


def test_from_outside_a_sweep_has_the_scores_of_the_plain_launcher(tmp_path: Path, cluster: RayCluster) -> None:
    clustered = sweep(
        tmp_path, "ray", cluster.environment, *CELLS, *COMMAND_LINE, f"hydra.launcher.ray.init.address={CLIENT}"
    )
    assert clustered.wait(400) == 0
    plain = sweep(tmp_path, "plain", cluster.environment, *CELLS)
    assert plain.wait(300) == 0
    assert scores(tmp_path / "ray") == scores(tmp_path / "plain") and len(scores(tmp_path / "plain")) == 4


def test_gpus_of_one_machine_are_told_apart(tmp_path: Path, cluster: RayCluster) -> None:
    local = ["hydra/launcher=ray_gpus", "hydra.launcher.ray.init.num_gpus=2", "hydra.launcher.ray.remote.num_cpus=1"]
    ended = sweep(tmp_path, "ray", cluster.environment, *CELLS, *local)
    assert ended.wait(400) == 0
    records = [json.loads(path.read_text()) for path in (tmp_path / "ray" / "runs").rglob("run.json")]
    assert {record["visible_gpus"] for record in records} == {"0", "1"}


def test_cells_of_a_lost_node_are_told_apart_and_the_others_end(tmp_path: Path, cluster: RayCluster) -> None:
    """Then, where the node comes back without the shared folder, its cells say so."""
    found, number = {}, 0
    for job, lost in launcher(second_time_ends).ends(jobs(tmp_path, {0})):
        found[job.number] = lost
        if len(found) == 1:
            wait_for("a cell on the node", (tmp_path / "0" / "node").exists, 60)
            number = cluster.kill_node_of(int((tmp_path / "0" / "pid").read_text()))
    assert set(found) == set(range(5)) and [one for one, lost in found.items() if lost] == [0]
    assert found[0].reason == "node failure" and not found[0].its_own_fault
    (unshared := tmp_path / "unshared" / "sweep").mkdir(parents=True)
    cluster.start_node(number, blind=unshared.parent)
    cluster.wait_for_nodes()
    lost, ended = ends(launcher(enter_and_end), jobs(unshared, set(), 4))
    assert lost and set(lost) | set(ended) == set(range(4)) and not set(lost) & set(ended)
    assert all("does not see" in loss.reason for loss in lost.values())
