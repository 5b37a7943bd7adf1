"""How stored runs stand, told without running anything."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.common.errors import UserError
from benchmarks.config.compose import composed
from benchmarks.config.overrides import quoted
from benchmarks.config.targets import instantiated
from benchmarks.run import standing
from benchmarks.store.lookup import Lookup
from benchmarks.store.record import EXTERNAL, Record
from benchmarks.store.runs import RunStore
from benchmarks.sweep import status
from benchmarks.sweep.status import RunStatus, grids, run_statuses, runs_table
from tests.store.test_runs import RECORD, put


def run_of(method: str, category: str, seed: int, kind: str = "object") -> Record:
    return replace(RECORD, method=method, category=category, seed=seed, kind=kind)


def test_the_grid_tells_missing_from_not_applicable() -> None:
    statuses = [
        RunStatus(run_of("ae_l2", "bottle", 0), "finished"),
        RunStatus(run_of("ae_l2", "bottle", 1), "stale"),
        RunStatus(run_of("ae_l2", "zipper", 0), "failed"),
        RunStatus(run_of("variation_model", "bottle", 0), "finished"),
        RunStatus(run_of("ae_l2", "carpet", 0, "texture"), "unchecked"),
    ]
    (grid,) = grids(statuses)
    console = Console(width=120)
    with console.capture() as capture:
        console.print(grid)
    lines = [[cell.strip() for cell in line.split("│")] for line in capture.get().splitlines() if "│" in line]
    rows = {cells[1]: cells[2:4] for cells in lines}
    assert rows == {
        "bottle": ["1 finished, 1 stale", "1 finished, 1 missing"],
        "carpet": ["1 unchecked, 1 missing", "-"],
        "zipper": ["1 failed, 1 missing", "-"],  # not a category that the paper runs the variation model on
    }


def test_what_a_look_up_cannot_answer_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for record in (RECORD, replace(RECORD, seed=1, budget=EXTERNAL)):
        put(RunStore(tmp_path), record)
    asked: list[Record] = []
    told = lambda record, root: asked.append(record) or RunStatus(record, "stale", "code")  # noqa: E731
    monkeypatch.setattr(status, "_compared", told)
    assert [found.state for found in run_statuses(tmp_path, RunStore(tmp_path).records())] == ["stale", "finished"]
    assert asked == [RECORD]


def test_a_cells_seeds_are_composed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("method=ae_l2", "category=bottle", "budget=smoke", "data.root=/gone")
    asked: list[Sequence[str]] = []
    monkeypatch.setattr(standing, "composed", lambda overrides: asked.append(overrides) or composed(overrides))
    for seed in (0, 1):
        with pytest.raises(UserError, match="/gone"):
            standing.changes_since(replace(RECORD, seed=seed, overrides=(*words, f"seed={seed}")))
    assert asked == [words]
    of_all_seeds = standing._composed_for_all_seeds(words)
    of_all_seeds.seed = 1
    assert of_all_seeds == composed((*words, "seed=1"))


def test_a_moved_store_is_compared_with_the_data_that_one_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = replace(RECORD, overrides=("method=ae_l2", "data.root=/gone"))
    put(RunStore(tmp_path), record)
    requests = Lookup(tmp_path)
    requests.keep(requests.asked(record.overrides, []), record)  # answered from the images that it used
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr("benchmarks.run.standing.changes_since", lambda record: asked.append(record.overrides) or [])
    run_statuses(tmp_path, RunStore(tmp_path).records(), tmp_path / "here")
    assert asked == [("method=ae_l2", quoted("data.root", str(tmp_path / "here")))]


def test_a_reason_is_told_once() -> None:
    statuses = [RunStatus(run_of("ae_l2", "bottle", seed), "unchecked", "no folder data") for seed in (0, 1)]
    console = Console(width=160)
    with console.capture() as capture:
        console.print(runs_table(statuses))
    assert capture.get().count("no folder data") == 1 and "as above" in capture.get()


@pytest.mark.parametrize("backbone, more", [("resnet18", ()), ("timm:resnet18.a1_in1k", ("timm",))])
def test_the_version_of_an_optional_library_counts_where_it_computes(
    backbone: str, more: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing.provenance, "versions", lambda *names: dict.fromkeys(names, "1.0"))
    config = composed(["method=padim", "category=bottle", f"method.backbone={backbone}"])
    found = standing.identity_of(config, instantiated(config.benchmark), "")
    assert found.versions == dict.fromkeys(more, "1.0")
