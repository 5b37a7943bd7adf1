"""CPU threads are divided among the cells that run side by side."""

import os
import subprocess
import sys
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


LOADED_LATER = """
from benchmarks.run.threads import limited_threads
with limited_threads(1):
    import faiss
    from threadpoolctl import threadpool_info
    print({pool["num_threads"] for pool in threadpool_info()})
"""


def test_libraries_that_a_method_loads_later_keep_to_the_limit_too() -> None:
    """faiss brings a BLAS and an OpenMP of its own, which are loaded with the method, inside the block."""
    free = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    run = subprocess.run([sys.executable, "-c", LOADED_LATER], env=free, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "{1}"
