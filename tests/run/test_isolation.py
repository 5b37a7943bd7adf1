"""A cell that fails harms no other: after each way of failing, a good cell's scores are byte for byte those of a fresh process."""

import logging
import os
import random
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import torch
from torch.utils.data import BatchSampler, DataLoader

from benchmarks.common.errors import UserError
from benchmarks.run.cell import run
from benchmarks.run.isolation import isolated
from benchmarks.store.record import SCORES, Record
from tests.conftest import PROJECT, compose

CELL = ["method=ae_l2", "category=bottle", "budget=smoke", "budget.samples=4", "method.inputs.object.px=128", "threads=1",
        "logger=none", "data.spec.px=32", "data.spec.train_good=6", "data.spec.test_good=2", "data.spec.per_defect=1"]  # fmt: skip


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> tuple[Callable[[str], Record], bytes, Path]:
    """Runs the cell with results in a folder of a name; its scores in a fresh process; where those folders are."""
    folder = tmp_path_factory.mktemp("isolation")
    overrides = [*CELL, f"data.root={folder / 'data'}", f"data.cache_dir={folder / 'cache'}"]
    command = [sys.executable, "-m", "benchmarks", "run", *overrides, f"results.dir={folder / 'fresh'}"]
    ended = subprocess.run(
        [*command, "trainer=cpu", "progress=false"], cwd=PROJECT, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stderr
    config = compose(*overrides)

    def run_into(name: str) -> Record:
        of_this_run = deepcopy(config)
        of_this_run.results.dir = str(folder / name)
        return run(of_this_run)

    return run_into, scores(folder / "fresh"), folder


def scores(results: Path) -> bytes:
    (path,) = results.glob(f"runs/*/*/*/{SCORES}")
    return path.read_bytes()


def fails(*_: Any, **__: Any) -> NoReturn:
    raise RuntimeError("as wanted")


def disturbs_and_fails(*_: Any, **__: Any) -> NoReturn:
    """What a library may leave behind."""
    torch.set_float32_matmul_precision("medium")
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = True
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    torch.manual_seed(7)
    np.random.seed(7)
    random.seed(7)
    os.environ["PL_GLOBAL_SEED"] = "7"
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    warnings.simplefilter("error")
    raise RuntimeError("as wanted")


def is_interrupted(*_: Any, **__: Any) -> NoReturn:
    raise KeyboardInterrupt


WAYS: dict[str, tuple[str, Callable[..., Any]]] = {
    "making a loader": ("benchmarks.data.datamodule.DefectData.train_dataloader", fails),
    "loading a batch": ("benchmarks.data.datamodule.DefectData.on_after_batch_transfer", fails),
    "training": ("methods.ae.Autoencoder.training_step", disturbs_and_fails),
    "scoring": ("benchmarks.run.scores.Scores.add_test", fails),
    "out of memory": ("methods.ae.Autoencoder.training_step", lambda *_: torch.empty(2**60)),
    "interrupted": ("methods.ae.Autoencoder.training_step", is_interrupted),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_good_cell_after_a_failed_one(cell: Any, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run_into, of_a_fresh_process, folder = cell
    before = snapshot()
    with monkeypatch.context() as patch:
        patch.setattr(*WAYS[way])
        with pytest.raises((UserError, SystemExit, KeyboardInterrupt)):
            run_into(f"{way}, failed")
    assert snapshot() == before
    run_into(way)
    assert scores(folder / way) == of_a_fresh_process


def snapshot() -> dict[str, Any]:
    return {
        "signals": [signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)],
        "environment": dict(os.environ),
        "torch": (torch.get_num_threads(), torch.get_float32_matmul_precision(), torch.get_default_dtype()),
        "modes": (torch.is_grad_enabled(), torch.get_deterministic_debug_mode(), torch.backends.cudnn.benchmark),
        "random": (random.getstate(), torch.get_rng_state().tolist(), np.random.get_state()[1].tolist()),  # type: ignore[index]
        "classes": [{name: vars(cls).get(name) for name in PATCHED} for cls in (DataLoader, BatchSampler)],
        "handlers": {name: list(logging.getLogger(name).handlers) for name in ("benchmarks", "methods")},
        "warnings": list(warnings.filters),
        "threads": {thread.name for thread in threading.enumerate()},
    }


PATCHED = [f"{prefix}__{name}__" for name in ("init", "setattr", "delattr") for prefix in ("", "__old")]


def test_everything_is_put_back() -> None:
    before = snapshot()
    with pytest.raises(RuntimeError, match="as wanted"), isolated():
        DataLoader.__init__ = fails  # type: ignore[method-assign]
        BatchSampler.__setattr__ = fails  # type: ignore[method-assign]
        DataLoader.__old__init__ = fails  # type: ignore[attr-defined]
        disturbs_and_fails()
    assert snapshot() == before
