"""Real clusters on this machine: `nox -s clusters`, which runs these tests in namespaces of their own (`isolated`)."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from benchmarks.sweep.job import Job
from benchmarks.sweep.launchers import CellLauncher, Lost
from benchmarks.sweep.outcomes import Outcome, Outcomes
from tests.conftest import PROJECT

SMALL = ["data.spec.px=64", "data.spec.train_good=10", "data.spec.test_good=3", "data.spec.per_defect=2"]
FAST = ["budget=smoke", "trainer=cpu", "threads=1", *SMALL]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent and "DEFECTBENCH_CLUSTERS" not in os.environ:
            item.add_marker(pytest.mark.skip(reason="minutes, root and daemons; `nox -s clusters` runs it"))


def ends(launcher: CellLauncher, wanted: list[Job]) -> tuple[dict[int, Lost], dict[int, Outcome]]:
    """Which jobs were lost, and how the others ended."""
    lost = {job.number: loss for job, loss in launcher.ends(wanted) if loss is not None}
    return lost, Outcomes(wanted[0].folder).now()


def sweep(folder: Path, name: str, environment: Mapping[str, str], *overrides: str) -> "subprocess.Popen[bytes]":
    """`defectbench run -m`, begun, with its results in `folder/name` and its output in `folder/name.log`."""
    places = [f"data.root={folder / 'data'}", f"results.dir={name}", f"data.cache_dir={folder / 'cache'}"]
    command = [sys.executable, "-m", "benchmarks", "run", "-m", *FAST, *places, *overrides]
    with (folder / f"{name}.log").open("w") as output:
        return subprocess.Popen(
            command,
            env={**environment, "PYTHONPATH": str(PROJECT)},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def scores(results: Path) -> dict[str, bytes]:
    root = results / "runs"
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("scores.csv"))}
