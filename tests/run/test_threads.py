"""CPU threads are divided among the cells that run side by side."""

from typing import Any

import pytest
from omegaconf import OmegaConf

from benchmarks.run.threads import share_of


@pytest.mark.parametrize(
    ("launcher", "threads"),
    [
        ({"_target_": "basic"}, None),
        ({"n_jobs": 2}, 4),
        ({"n_jobs": -1}, 1),
        ({"n_jobs": 16}, 1),
        ({"ray": {"remote": {"num_cpus": 3}}}, 3),
        ({"cpus_per_task": 6}, 6),
    ],
)
def test_the_share_of_a_cell_on_eight_cores(launcher: dict[str, Any], threads: int | None) -> None:
    assert share_of(OmegaConf.create(launcher), cores=8) == threads
