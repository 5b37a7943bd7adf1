"""Sweeps as users run them: what runs, what is left out or looked up, what fails alone, and that the launcher changes no number."""

import json
import os
import signal
import sys
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from omegaconf import DictConfig
from torch.utils.data import DataLoader

from benchmarks.cli import main
from benchmarks.run.images import Defects
from benchmarks.sweep.launchers import pool
from benchmarks.sweep.plan import planned_cells
from tests.run.test_attempts import measured

FORK = get_context("fork")
"""Processes that need not import torch anew."""
SMALL = ["data.spec.px=64", "data.spec.train_good=10", "data.spec.test_good=3", "data.spec.per_defect=2"]
FAST = ["budget=smoke", "trainer=cpu", "progress=false", "threads=1", *SMALL]


def places(tmp_path: Path, name: str = "results") -> list[str]:
    return [f"data.root={tmp_path / 'data'}", f"results.dir={tmp_path / name}", f"data.cache_dir={tmp_path / 'cache'}"]


def sweep(tmp_path: Path, *overrides: str, name: str = "results") -> Result:
    return CliRunner().invoke(main, ["run", "-m", *FAST, *places(tmp_path, name), *overrides])


def scores(tmp_path: Path, name: str) -> dict[str, bytes]:
    root = tmp_path / name / "runs"
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("scores.csv"))}


TWO_METHODS = ["method=variation_model,texture_inspection", "category=bottle,carpet", "budget.texture_px=128"]


def test_cells_that_do_not_apply_are_left_out_and_finished_ones_looked_up(tmp_path: Path) -> None:
    first = sweep(tmp_path, *TWO_METHODS, "seed=0")
    assert first.exit_code == 0, first.output
    assert "2 cells to run, 0 finished already, 2 do not apply" in first.output
    assert "sweep: 2 of 2 done, 0 running, 0 waiting" in first.output
    again = sweep(tmp_path, *TWO_METHODS, "seed=0,1")
    assert "2 cells to run, 2 finished already, 4 do not apply" in again.output and again.exit_code == 0
    assert "skipped" not in again.output


def test_the_papers_choice_of_categories_holds_unless_one_is_named() -> None:
    cells, left_out = planned_cells(["experiment=builtin", "method=variation_model"])
    assert len(cells) == 6 and left_out == 9
    cells, left_out = planned_cells(["experiment=builtin", "method=variation_model", "category=zipper,wood"])
    assert [wanted.cell.category for wanted in cells] == ["zipper"] and left_out == 1


def test_a_poisoned_category_fails_alone(tmp_path: Path) -> None:
    assert sweep(tmp_path, "method=variation_model", "category=pill").exit_code == 0
    for victim in (tmp_path / "data").glob("*/pill/train/good/00[1-9].png"):
        victim.write_bytes(victim.read_bytes()[:-600])  # its header is whole: only decoding notices
    untouched = DataLoader.__init__
    result = sweep(tmp_path, "method=variation_model", "category=bottle,pill,screw")
    assert DataLoader.__init__ is untouched  # Lightning leaves it patched where it meets the bad image itself
    assert result.exit_code == 1 and "Traceback" not in result.output
    assert "1 of 3 cells failed; the others are finished" in result.output and ".png" in result.output
    states = {path.parts[-3]: json.loads(path.read_text())["status"] for path in tmp_path.rglob("runs/*/*/*/run.json")}
    assert states == {"bottle": "finished", "pill": "finished", "screw": "finished"}  # the run before keeps its place
    grid = CliRunner().invoke(main, ["list", "runs", "--results", str(tmp_path / "results")]).output
    assert grid.count("1 finished") == 2 and grid.count("1 stale") == 1


def test_measured_cells_run_longest_first(tmp_path: Path) -> None:
    assert sweep(tmp_path, "method=variation_model", "category=bottle,pill").exit_code == 0
    for category, seconds in (("bottle", 100.0), ("pill", 200.0)):
        (path,) = tmp_path.rglob(f"runs/*/{category}/*/run.json")
        path.write_text(json.dumps(json.loads(path.read_text()) | {"seconds": seconds}))
    again = sweep(tmp_path, "method=variation_model", "category=bottle,pill", "seed=1,2").output
    order = [line.split(" / ")[1] for line in again.splitlines() if line.startswith("running:")]
    assert order == ["pill", "pill", "bottle", "bottle"]


def test_order_and_process_change_no_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool._Worker, "_context", FORK)
    cells = ["method=variation_model,ae_l2", "category=pill", "budget.samples=32"]
    assert sweep(tmp_path, *cells, name="plain").exit_code == 0
    pooled = sweep(tmp_path, *reversed(cells), "hydra/launcher=cpu_pool", name="pool")
    assert pooled.exit_code == 0, pooled.output
    assert "variation_model / pill / seed=0 (synthetic" in pooled.output  # the parent speaks for its workers
    assert sweep(tmp_path, "method=ae_l2", *cells[1:], name="alone").exit_code == 0
    plain = scores(tmp_path, "plain")
    assert len(plain) == 2 and scores(tmp_path, "pool") == plain
    assert scores(tmp_path, "alone").items() <= plain.items()


def test_two_sweeps_at_once_lose_nothing(tmp_path: Path) -> None:
    def run(name: str) -> None:
        said = sweep(tmp_path, "method=variation_model", "category=bottle,pill", "seed=0,1,2")
        (tmp_path / name).write_text(f"{said.exit_code} {said.output}")

    both = [FORK.Process(target=run, args=(name,)) for name in "ab"]
    for process in both:
        process.start()
    for process, name in zip(both, "ab", strict=True):
        process.join(300)
        said = (tmp_path / name).read_text()  # one may end before the other has
        assert said.startswith("0") or "are being run by another process" in said, said
    states = [json.loads(path.read_text())["status"] for path in (tmp_path / "results" / "runs").rglob("run.json")]
    assert states == ["finished"] * 6
    assert CliRunner().invoke(main, ["report", "--results", str(tmp_path / "results")]).exit_code == 0


def test_a_cell_that_kills_its_process_twice_goes_last_and_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the kernel ends a process that takes too much memory; measuring is a stand-in."""

    def dies(self: Defects, config: DictConfig, *rest: Any) -> Any:
        if config.category.name == "pill":
            os.kill(os.getpid(), signal.SIGKILL)
        return measured({})(self, config, *rest)

    monkeypatch.setattr(Defects, "measure", dies)
    cells = ["method=variation_model", "category=bottle,pill"]

    def died() -> bool:
        process = FORK.Process(target=sweep, args=(tmp_path, *cells))
        process.start()
        process.join(120)
        return process.exitcode == -signal.SIGKILL

    finished = tmp_path / "results/runs/variation_model/bottle/seed=0/run.json"
    assert died() and not finished.exists()  # pill takes longest, and is the first
    assert died() and json.loads(finished.read_text())["status"] == "finished"
    third = sweep(tmp_path, *cells)
    assert third.exit_code == 1 and "1 of 1 cell failed" in third.output
    assert "took its sweep with it 2 times (out of memory" in " ".join(third.output.replace("│", " ").split())
    assert died()  # it was asked for once more


def test_a_mistake_in_the_command_runs_nothing(tmp_path: Path) -> None:
    for wrong in ("method=variation_model,nonesuch", "seed=0,one", "no_such_key=1,2"):
        result = sweep(tmp_path, wrong)
        assert result.exit_code == 1 and "Traceback" not in result.output
    assert not (tmp_path / "results" / "runs").exists()


def test_a_cell_is_run_once_and_refused_with_two_settings(tmp_path: Path) -> None:
    twice = sweep(tmp_path, "method=variation_model", "category=bottle", "method.model.deviation_floor=5,6")
    assert twice.exit_code == 1 and not (tmp_path / "results").exists()
    both = "method.model.deviation_floor=5 and method.model.deviation_floor=6"
    assert f"bottle / seed=0 is asked for twice, with {both}" in twice.output.replace("choice(5)", "5").replace(
        "choice(6)", "6"
    )
    once = sweep(tmp_path, "method=variation_model", "category=bottle", "seed=1,1")
    assert once.exit_code == 0 and "1 cell to run" in once.output
    floors = ["method=variation_model", "category=bottle", "seed=1", "method.model.deviation_floor=5,6"]
    assert sweep(tmp_path, *floors[:3], "method.model.deviation_floor=5").exit_code == 0
    again = sweep(tmp_path, *floors)
    assert again.exit_code == 1 and "seed=1 is asked for twice" in again.output  # one of them is finished


def test_a_launcher_that_is_not_installed_is_told_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    result = sweep(tmp_path, "method=variation_model", "hydra/launcher=ray_gpus")
    assert result.exit_code == 1 and '".[cpu,ray]"' in result.output and "Traceback" not in result.output


def test_a_launcher_of_hydras_own_is_refused(tmp_path: Path) -> None:
    result = sweep(tmp_path, "method=variation_model", "hydra/launcher=basic")
    assert result.exit_code == 1 and "cpu_pool" in result.output
