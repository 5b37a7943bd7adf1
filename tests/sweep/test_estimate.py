"""What a sweep will cost: its cells as Hydra expands them, the schedule against a step-by-step one, and where figures come from."""

from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from benchmarks.cli import main
from benchmarks.common.errors import UserError
from benchmarks.run.standing import identity_without_images
from benchmarks.store.progress import PROGRESS, Progress, state_folder
from benchmarks.store.record import Record
from benchmarks.store.runs import RunStore
from benchmarks.sweep import costs
from benchmarks.sweep.costs import COLUMNS, measured
from benchmarks.sweep.estimate import estimate, in_words, longest_first
from benchmarks.sweep.plan import PlannedCell, distinct, planned_cells, workers_of
from benchmarks.sweep.work import Work, work_of
from tests.store.test_runs import RECORD, put


@pytest.fixture(autouse=True)
def no_reference(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The figures that come with the project change; these tests bring their own."""
    monkeypatch.setattr(costs, "REFERENCE", tmp_path / "cell_cost.csv")


def wanted(*overrides: str) -> tuple[list, int]:
    return planned_cells([*overrides])


def finished(
    results: Path, method: str, category: str, seconds: float, kind: str = "object", seed: int = 0, **others: Any
) -> Record:
    record = replace(RECORD, method=method, category=category, kind=kind, seconds=seconds, seed=seed, **others)
    folder = put(RunStore(results), record)
    (folder / "maps").write_bytes(b"x" * (2**20 - (folder / "run.json").stat().st_size))
    return record


def run_as(results: Path, planned: PlannedCell, seconds: float) -> None:
    """A finished run of a planned cell, from its settings and the code as it is."""
    wanted, cell = identity_without_images(planned.config), planned.cell
    identity = asdict(wanted) | {"config": wanted.config | {"seed": cell.seed}, "train_data": "images"}
    names = {"dataset": planned.dataset, "budget": planned.budget}
    finished(results, cell.method, cell.category, seconds, planned.kind, cell.seed, **names, identity=identity)


def test_cells_are_the_product_of_the_lists_where_methods_apply() -> None:
    cells, left_out = wanted("method=ae_l2,texture_inspection", "category=wood,pill", "seed=0,1,2", "budget=short")
    expected = [
        (method, category, seed)
        for method, category, seed in product(("ae_l2", "texture_inspection"), ("wood", "pill"), (0, 1, 2))
        if (method, category) != ("texture_inspection", "pill")
    ]
    assert [(c.cell.method, c.cell.category, c.cell.seed) for c in cells] == expected and left_out == 3
    assert {(c.budget, c.dataset, c.kind) for c in cells if c.cell.category == "wood"} == {
        ("short", "synthetic", "texture")
    }


def test_work_grows_with_epochs_and_fits() -> None:
    def work(*overrides: str) -> float:
        cells, _ = wanted("data=mvtec_ad", "data.root=data", "category=bottle", *overrides)
        assert cells[0].work.training is not None
        return float(cells[0].work.training)

    for method, epochs in (("stfpm", 100), ("rd4ad", 200)):
        assert work(f"method={method}", "budget=paper") / work(f"method={method}", "budget=evening") == epochs / 5
    for method in ("ae_l2", "padim"):
        crossed = work(f"method={method}", "budget=evening", "protocol.held_out=cross")
        assert crossed / work(f"method={method}", "budget=evening") == 5


def test_the_command_line_overrules_what_an_experiment_sweeps_over() -> None:
    cells, left_out = wanted("experiment=builtin", "method=variation_model", "seed=3")
    papers = ["bottle", "capsule", "metal_nut", "pill", "screw", "toothbrush"]
    assert [c.cell.category for c in cells] == papers
    assert left_out == 9 and {c.cell.seed for c in cells} == {3} and {c.results.name for c in cells} == {"builtin"}


def test_a_benchmark_sweeps_over_its_own_categories() -> None:
    cells, _ = wanted("benchmark=mnist", "method=dense_ae", "seed=0")
    assert [c.cell.category for c in cells] == [f"digit_{n}" for n in range(10)]


def test_a_method_of_others_may_have_settings_of_its_own() -> None:
    """No stride beside a patch, a kind that it does not take, a word where our methods have a group."""
    seen = {"px": 256, "patch": 64}
    method: dict[str, Any] = {"inputs": {"object": seen, "texture": None}, "train": {}, "model": {"search": 5}}
    assert work_of(method, "object", None, images=3).scoring == 3 * 256**2
    assert work_of(method, "texture", 100, images=3).scoring == 3 * 100**2
    assert work_of(method, "texture", None, images=3) == Work(None, None)


def test_own_categories_and_wrong_values() -> None:
    cells, _ = wanted("category=widget", "data=folder", "data.root=x")
    assert cells[0].cell.category == "widget" and cells[0].cache is None
    assert workers_of(["a=1", "gpus=8"]) == (8, ["a=1"])
    with pytest.raises(UserError, match="gpus=two is not a whole number"):
        workers_of(["gpus=two"])
    with pytest.raises(UserError, match="seed=x is not a whole number"):
        wanted("seed=x")


def test_cache_of_decoded_images_is_counted_once_where_it_is_shared() -> None:
    """Bottle: 209 training images, whatever a seed draws of them, 83 test images, 900 px, colour."""
    cells, _ = wanted("method=variation_model,ae_l2", "category=bottle", "seed=0,1", "data=mvtec_ad")
    original, small = 900 * 900, 256 * 256 * 3
    expected = (209 + 83) * (original + small)
    assert sum(images.mib for images in distinct(cells)) == pytest.approx(expected / 2**20)
    assert all(cell.cache == () for cell in wanted("data=mvtec_ad", "data.cache_dir=null")[0])


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
def test_longest_first_against_a_clock(workers: int) -> None:
    seconds = np.random.default_rng(workers).integers(1, 30, 25).tolist()
    waiting, running, clock = sorted(seconds), [], 0
    while waiting or running:
        while waiting and len(running) < workers:
            running.append(waiting.pop())
        clock += 1
        running = [left - 1 for left in running if left > 1]
    assert longest_first(seconds, workers) == clock


def test_totals_and_what_is_finished_already(tmp_path: Path) -> None:
    cells, left_out = wanted(
        "method=ae_l2", "category=bottle", "seed=0,1,2,3,4", "budget=short", "data=mvtec_ad", f"results.dir={tmp_path}"
    )
    for cell, seconds in zip(cells[:2], (8.0, 12.0), strict=True):
        run_as(tmp_path, cell, seconds)
    found = estimate(cells, left_out, 2, measured(tmp_path))
    assert (found.cells, found.finished) == (5, 2)
    assert found.device_seconds == pytest.approx(30) and found.wall_seconds == pytest.approx(20)
    assert found.runs_mib == pytest.approx(3, rel=0.01) and found.cache_mib is not None
    assert found.unknown.empty


@pytest.mark.parametrize(
    ("said", "count"),
    [("logger=none", 1), ("force=yes", 0), ("budget=smoke", 0), ("method.model.latent=7", 0)],
)
def test_what_run_would_run_again_is_not_finished(tmp_path: Path, said: str, count: int) -> None:
    asked = ["method=ae_l2", "category=bottle", "budget=short", "data=mvtec_ad", f"results.dir={tmp_path}"]
    (cell,), _ = wanted(*asked)
    run_as(tmp_path, cell, 8.0)
    cells, _ = wanted(*asked, said)
    assert estimate(cells, 0, 1, measured(tmp_path)).finished == count


def test_code_that_has_changed_makes_a_run_unfinished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cell,), _ = wanted("method=ae_l2", "category=bottle", "data=mvtec_ad", f"results.dir={tmp_path}")
    run_as(tmp_path, cell, 8.0)
    monkeypatch.setattr("benchmarks.run.standing.code_fingerprint", lambda *_: {"methods.ae": "edited"})
    assert estimate([cell], 0, 1, measured(tmp_path)).finished == 0


def test_figures_come_from_the_nearest_measured_cells(tmp_path: Path) -> None:
    finished(tmp_path, "ae_l2", "bottle", 10)
    finished(tmp_path, "ae_l2", "pill", 20)
    finished(tmp_path, "ae_l2", "wood", 90, kind="texture")
    finished(tmp_path, "variation_model", "bottle", 3)
    cells, _ = wanted(
        "method=ae_l2,texture_inspection,cnn_feature_dictionary",
        "category=bottle,screw,grid",
        "budget=short",
        "data=mvtec_ad",
    )
    reference = pd.DataFrame([dict.fromkeys(COLUMNS, "") | {"dataset": "mvtec_ad", "budget": "short", "seconds": 50.0, "mib": 1.0,
        "method": "texture_inspection", "category": "tile", "kind": "texture", "device": "other"}])  # fmt: skip
    reference.to_csv(costs.REFERENCE, index=False)
    stored = measured(tmp_path)
    by_place = {(c.cell.method, c.cell.category): costs.cost_of(c, stored) for c in cells}
    seconds = {place: cost and cost.seconds for place, cost in by_place.items()}
    assert seconds == {
        ("ae_l2", "bottle"): 10, ("ae_l2", "screw"): 15, ("ae_l2", "grid"): 90, ("texture_inspection", "grid"): 50,
        ("cnn_feature_dictionary", "bottle"): None, ("cnn_feature_dictionary", "screw"): None,
        ("cnn_feature_dictionary", "grid"): None,
    }  # fmt: skip
    found = estimate(cells, 0, 1, stored)
    assert list(found.unknown["method"]) == ["cnn_feature_dictionary"]
    assert "No figure for cnn_feature_dictionary at budget short" in " ".join(in_words(found))


PUBLISHED = costs.REFERENCE.parents[1] / "published"


def bottle(*overrides: str) -> PlannedCell:
    return wanted("category=bottle", "data=mvtec_ad", "data.root=x", *overrides)[0][0]


@pytest.mark.parametrize(("method", "store"), [("ae_l2", "bottle"), ("ae_ssim", "ablations/ssim_last_layer_1")])
def test_scaled_to_another_budget_against_what_that_took(method: str, store: str) -> None:
    """From 16,000 samples to 32,000: published runs of one machine, two of which trained beside other work."""
    short, evening = measured(PUBLISHED / "curve" / "16k"), measured(PUBLISHED / store)
    took = evening.loc[evening["method"] == method, "seconds"].item()
    found = costs.cost_of(bottle(f"method={method}", "budget=evening"), short)
    assert found is not None and found.source == "scaled from measured samples_16k"
    assert found.seconds == pytest.approx(took, rel=0.2)


def test_scaling_keeps_to_what_grows() -> None:
    known = measured(PUBLISHED / "bottle")
    anogan = bottle("method=anogan", "budget=paper")
    row = known[known["method"] == "anogan"].iloc[0]
    fit, rest = row["fit_seconds"], row["seconds"] - row["fit_seconds"]
    found = costs.cost_of(anogan, known)
    assert found is not None and found.seconds == pytest.approx(fit * (50 * 10000) / (4 * 2000) + rest * 300 / 50)
    textures = costs.cost_of(wanted("method=ae_l2", "category=wood", "data=mvtec_ad", "budget=short")[0][0], known)
    tiles, images = 14**2, 25 + 19 + 60  # 512 px by 128 px patches every 30 px; held out, good, defective
    row = known[known["method"] == "ae_l2"].iloc[0]
    fit, rest = row["fit_seconds"], row["seconds"] - row["fit_seconds"]
    assert textures is not None
    assert textures.seconds == pytest.approx(fit / 2 / 4 + rest * tiles * 128**2 * images / (256**2 * (21 + 83)))


def test_figures_of_the_wanted_device_come_first(tmp_path: Path) -> None:
    known = measured(PUBLISHED / "bottle")
    fast = known.assign(device="NVIDIA X", budget="other", seconds=known["seconds"] / 100)
    both = pd.concat([known, fast])
    on_cpu, on_gpu = (costs.cost_of(bottle("budget=evening", f"trainer={t}"), both) for t in ("cpu", "gpu_fast"))
    assert on_cpu and on_gpu and (on_cpu.source, on_gpu.device) == ("measured", "NVIDIA X")
    assert costs.cost_of(bottle("budget=evening", "trainer=gpu"), known) == on_cpu


def test_the_command_line(tmp_path: Path) -> None:
    finished(tmp_path / "measured", "ae_l2", "bottle", 3600)
    command = [
        "estimate",
        "-m",
        "method=ae_l2",
        "category=bottle,pill",
        "seed=0,1",
        "budget=short",
        "data=mvtec_ad",
        "gpus=2",
    ]
    where = [
        "--results",
        str(tmp_path / "measured"),
        f"results.dir={tmp_path}",
        "--figures",
        str(tmp_path / "cost.csv"),
    ]
    done = CliRunner().invoke(main, [*command, *where])
    assert done.exit_code == 0, done.output
    assert "4 cells" in done.output and "2 h 0 min on 2 workers" in done.output and "4.00 h" in done.output
    assert list(pd.read_csv(tmp_path / "cost.csv").columns) == list(COLUMNS)
    for wrong, message in (
        ("method=ae_l3", "Did you mean"),
        ("gpus=0", "at least one"),
        ("method=texture_inspection", "Nothing to run"),
    ):
        refused = CliRunner().invoke(main, ["estimate", wrong])
        assert refused.exit_code == 1 and message in refused.output and "Traceback" not in refused.output


def test_of_a_cell_in_progress_only_what_is_left_is_counted(tmp_path: Path) -> None:
    cells, _ = wanted("method=ae_l2", "category=bottle", "budget=short", "data=mvtec_ad", f"results.dir={tmp_path}")
    state = state_folder(RunStore(tmp_path).folder(cells[0].cell))
    state.mkdir(parents=True)
    progress = Progress({"config": {"budget": {"name": "short"}}}, epoch=6, epochs=8, seconds=30)
    (state / PROGRESS).write_text(progress.to_json())
    found = estimate(cells, 0, 1, measured(tmp_path))
    assert found.begun == 1 and found.device_seconds == pytest.approx(10) and found.unknown.empty
    assert "1 begun" in " ".join(in_words(found))
    other, _ = wanted("method=ae_l2", "category=bottle", "budget=smoke", "data=mvtec_ad", f"results.dir={tmp_path}")
    assert estimate(other, 0, 1, measured(tmp_path)).begun == 0
