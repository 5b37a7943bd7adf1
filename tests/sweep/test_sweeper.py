"""Sweeps as users run them: what runs, what is left out or looked up, what fails alone, and that the launcher changes no number."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from torch.utils.data import DataLoader

from benchmarks.cli import main
from benchmarks.sweep.plan import planned_cells
from tests.conftest import PROJECT

SMALL = ["data.spec.px=64", "data.spec.train_good=10", "data.spec.test_good=3", "data.spec.per_defect=2"]
FAST = ["budget=smoke", "trainer=cpu", "progress=false", "threads=1", *SMALL]


def places(tmp_path: Path, name: str = "results") -> list[str]:
    return [f"data.root={tmp_path / 'data'}", f"results.dir={tmp_path / name}", f"data.cache_dir={tmp_path / 'cache'}"]


def sweep(tmp_path: Path, *overrides: str, name: str = "results") -> Result:
    return CliRunner().invoke(main, ["run", "-m", *FAST, *places(tmp_path, name), *overrides])


def scores(tmp_path: Path, name: str) -> dict[str, bytes]:
    root = tmp_path / name / "runs"
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("scores.csv"))}


TWO_METHODS = ["method=variation_model,texture_inspection", "category=bottle,carpet"]


def test_cells_that_do_not_apply_are_left_out_and_finished_ones_looked_up(tmp_path: Path) -> None:
    first = sweep(tmp_path, *TWO_METHODS, "seed=0,1")
    assert first.exit_code == 0, first.output
    assert "4 cells to run, 0 finished already, 4 do not apply" in first.output
    assert "sweep: 4 of 4 done, 0 running, 0 waiting" in first.output
    again = sweep(tmp_path, *TWO_METHODS, "seed=0,1,2")
    assert "2 cells to run, 4 finished already, 6 do not apply" in again.output and again.exit_code == 0
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
    assert states == {"bottle": "finished", "pill": "failed", "screw": "finished"}
    grid = CliRunner().invoke(main, ["list", "runs", "--results", str(tmp_path / "results")]).output
    assert grid.count("1 finished") == 2 and grid.count("1 failed") == 1


def test_measured_cells_run_longest_first(tmp_path: Path) -> None:
    assert sweep(tmp_path, "method=variation_model", "category=bottle,pill").exit_code == 0
    for category, seconds in (("bottle", 100.0), ("pill", 200.0)):
        (path,) = tmp_path.rglob(f"runs/*/{category}/*/run.json")
        path.write_text(json.dumps(json.loads(path.read_text()) | {"seconds": seconds}))
    again = sweep(tmp_path, "method=variation_model", "category=bottle,pill", "seed=1,2").output
    order = [line.split(" / ")[1] for line in again.splitlines() if line.startswith("running:")]
    assert order == ["pill", "pill", "bottle", "bottle"]


def test_order_and_process_change_no_score(tmp_path: Path) -> None:
    methods = "method=variation_model,ae_l2"
    assert sweep(tmp_path, methods, "category=bottle,pill", name="plain").exit_code == 0
    pool = sweep(tmp_path, methods, "category=pill,bottle", "hydra/launcher=cpu_pool", name="pool")
    assert pool.exit_code == 0, pool.output
    assert "variation_model / pill / seed=0 (synthetic" in pool.output  # the parent speaks for its workers
    assert sweep(tmp_path, "method=ae_l2", "category=bottle", name="alone").exit_code == 0
    plain = scores(tmp_path, "plain")
    assert len(plain) == 4 and scores(tmp_path, "pool") == plain
    assert scores(tmp_path, "alone").items() <= plain.items()


@pytest.mark.skipif(
    find_spec("ray") is None or "DEFECTBENCH_LAUNCHERS" not in os.environ, reason="a minute; `nox -s launchers` runs it"
)
def test_ray_gives_each_cell_a_gpu_of_its_own_and_changes_no_score(tmp_path: Path) -> None:
    cells = ["method=variation_model,ae_l2", "category=bottle,pill"]
    assert sweep(tmp_path, *cells, name="plain").exit_code == 0
    ray = ["hydra/launcher=ray_gpus", "hydra.launcher.ray.init.num_gpus=2", "hydra.launcher.ray.remote.num_cpus=1"]
    command = [sys.executable, "-m", "benchmarks", "run", "-m", *FAST, *places(tmp_path, "ray"), *cells, *ray]
    ended = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    assert scores(tmp_path, "ray") == scores(tmp_path, "plain")
    records = [json.loads(path.read_text()) for path in (tmp_path / "ray" / "runs").rglob("run.json")]
    assert {record["visible_gpus"] for record in records} == {"0", "1"}


def test_two_sweeps_at_once_lose_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "run", "-m", *FAST, *places(tmp_path)]
    command += ["method=variation_model", "category=bottle,pill", "seed=0,1,2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    both = [subprocess.Popen(command, cwd=PROJECT, env=environment, stderr=subprocess.PIPE, text=True) for _ in "ab"]
    told = [process.communicate(timeout=300)[1] for process in both]
    for process, said in zip(both, told, strict=True):  # one may end before the other has
        assert process.returncode == 0 or "are being run by another process" in said, said
    states = [json.loads(path.read_text())["status"] for path in (tmp_path / "results" / "runs").rglob("run.json")]
    assert states == ["finished"] * 6
    assert CliRunner().invoke(main, ["report", "--results", str(tmp_path / "results")]).exit_code == 0


def test_a_mistake_in_the_command_runs_nothing(tmp_path: Path) -> None:
    for wrong in ("method=variation_model,nonesuch", "seed=0,one", "no_such_key=1,2"):
        result = sweep(tmp_path, wrong)
        assert result.exit_code == 1 and "Traceback" not in result.output
    assert not (tmp_path / "results" / "runs").exists()


def test_a_launcher_that_is_not_installed_is_told_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    result = sweep(tmp_path, "method=variation_model", "hydra/launcher=ray_gpus")
    assert result.exit_code == 1 and '".[cpu,ray]"' in result.output and "Traceback" not in result.output


def test_a_launcher_of_hydras_own_is_refused(tmp_path: Path) -> None:
    result = sweep(tmp_path, "method=variation_model", "hydra/launcher=basic")
    assert result.exit_code == 1 and "cpu_pool" in result.output
