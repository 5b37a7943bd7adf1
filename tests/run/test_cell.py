"""The whole pipeline as users drive it: one command, its folder, skip, resume after a kill, and bad input."""

import csv
import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import ANY

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from benchmarks.cli import main
from benchmarks.common.errors import UserError
from benchmarks.run.scores import area_column
from benchmarks.store.progress import PROGRESS, Progress, state_folder
from tests.conftest import PROJECT, noise, save

FAST = ["method=variation_model", "data=folder", "category=parts", "budget=smoke", "trainer=cpu", "progress=false"]


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """A product of one's own: a disc in one pose, dark spots as defects. Returns the dataset's folder."""
    y, x = np.mgrid[:96, :96]
    for place, count, spot in (("train/good", 12, False), ("test/good", 4, False), ("test/spot", 4, True)):
        for index in range(count):
            rng = np.random.default_rng([len(place), index])
            gray = np.where((y - 48) ** 2 + 1.3 * (x - 45) ** 2 < 30**2, 180.0, 60.0) + rng.normal(0, 4, (96, 96))
            if spot:
                gray[40:52, 40:52] = 20
                mask = np.zeros((96, 96), np.uint8)
                mask[40:52, 40:52] = 255
                save(tmp_path / "data" / "parts" / "ground_truth" / "spot" / f"{index:03}_mask.png", mask)
            save(tmp_path / "data" / "parts" / place / f"{index:03}.png", gray.clip(0, 255).astype(np.uint8))
    return tmp_path / "data"


def places(root: Path) -> list[str]:
    base = root.parent
    return [f"data.root={root}", f"results.dir={base / 'results'}", f"data.cache_dir={base / 'cache'}"]


def defectbench(*args: str) -> Result:
    return CliRunner().invoke(main, list(args))


def run(root: Path, *overrides: str) -> Result:
    return defectbench("run", *FAST, *places(root), *overrides)


def sweep(root: Path, *overrides: str) -> Result:
    return defectbench("run", "-m", *FAST, *places(root), *overrides)


def folder(root: Path, seed: int = 0, method: str = "variation_model") -> Path:
    return root.parent / "results" / "runs" / method / "parts" / f"seed={seed}"


def test_one_run_leaves_a_record_that_can_be_recomputed(parts: Path) -> None:
    result = run(parts, "save_maps=true", "save_checkpoint=true")
    assert result.exit_code == 0, result.output
    record = json.loads((folder(parts) / "run.json").read_text())
    assert record["status"] == "finished" and record["result"]["image"]["auroc"] == 1.0
    scores = pd.read_csv(folder(parts) / "scores.csv")
    assert scores["split"].value_counts().to_dict() == {"test": 8, "validation": 1}
    column = area_column(record["result"]["minimum_area"])
    limit = scores.loc[scores["split"] == "validation", column].max()
    assert limit == record["result"]["threshold"]
    test = scores[scores["split"] == "test"]
    right = (test[column] > limit) == test["defective"]
    assert right[~test["defective"]].sum() == record["result"]["good"]["correct"]
    assert record["result"]["pixel"]["auroc"] > 0.9 and record["result"]["false_alarms_per_good_image"] is not None
    curve = pd.read_csv(folder(parts) / "pro_curve.csv")
    assert curve.iloc[-1].to_list() == [1, 1] and curve["region_overlap"].is_monotonic_increasing
    map_ = np.asarray(Image.open(folder(parts) / "maps" / "variation_model" / "parts" / "test" / "spot" / "000.tiff"))
    assert map_.dtype == np.float32 and map_.shape == (96, 96)
    assert map_.max() == pytest.approx(scores.set_index("path").loc["test/spot/000.png", "map_maximum"])
    assert (folder(parts) / "method.ckpt").is_file()
    settings = (folder(parts) / "config.yaml").read_text()
    assert "deviation_floor: 5" in settings and "${" not in settings


def test_the_same_run_twice_is_byte_identical(parts: Path) -> None:
    ae = ["method=ae_l2", "category.kind=texture", "method.inputs.texture.px=256", "method.train.samples=32"]
    texts = []
    for name in ("first", "second"):
        assert run(parts, *ae, f"results.dir={parts.parent / name}", "data.cache_dir=null").exit_code == 0
        texts.append((parts.parent / name / "runs" / "ae_l2" / "parts" / "seed=0" / "scores.csv").read_bytes())
    assert texts[0] == texts[1]


def test_a_finished_run_is_skipped_until_something_that_counts_changes(parts: Path) -> None:
    assert "skipped" not in run(parts).output
    before = (folder(parts) / "run.json").read_bytes()
    for same in ([], ["data.cache_dir=null"], ["category.augmentation.reason=other words", "budget.samples=1"]):
        assert "skipped: variation_model / parts / seed=0 is finished" in run(parts, *same).output
    record = json.loads(before)
    record["overrides"], record["identity"]["config"]["budget"]["samples"] = (
        ANY,
        1,
    )  # what it is asked as, not what it measured
    assert json.loads((folder(parts) / "run.json").read_text()) == record
    lacking = run(parts, "save_maps=yes", "save_checkpoint=1").output
    assert (
        "lacks the files of save_maps=true and save_checkpoint=true: it is run again" in lacking
        and "skipped" not in lacking
    )
    assert "method.model.deviation_floor 5 -> 6" in run(parts, "method.model.deviation_floor=6").output
    assert "skipped" not in run(parts, "method.model.deviation_floor=6", "force=true").output
    save(parts / "parts" / "test" / "good" / "000.png", noise(1, 96, 96, 1))
    assert "changed since: test_data" in run(parts, "method.model.deviation_floor=6").output
    assert len(list((parts.parent / "results" / "replaced").rglob("run.json"))) == 4


def test_kept_files_that_were_removed_are_made_again(parts: Path) -> None:
    assert sweep(parts, "seed=0", "save_checkpoint=true").exit_code == 0
    (folder(parts) / "method.ckpt").unlink()
    again = sweep(parts, "seed=0", "save_checkpoint=true")
    assert again.exit_code == 0 and (folder(parts) / "method.ckpt").is_file(), again.output


def test_the_state_of_an_interrupted_run_with_other_settings_outlasts_a_skip(parts: Path) -> None:
    run(parts)
    state, identity = state_folder(folder(parts)), json.loads((folder(parts) / "run.json").read_text())["identity"]
    other = identity | {"versions": {}}
    for stored, stays in ((other, True), (identity, False)):
        state.mkdir(exist_ok=True)
        (state / PROGRESS).write_text(Progress(identity=stored).to_json())
        assert "skipped" in run(parts).output and state.is_dir() == stays


def test_a_sweep_goes_on_after_a_failing_cell_and_fails_at_the_end(parts: Path) -> None:
    path = parts / "parts" / "test" / "good" / "001.png"
    content = path.read_bytes()
    path.write_bytes(content[:200] + b"\xff" * 200 + content[400:])  # whole, but its pixels cannot be decoded
    result = sweep(parts, "seed=0,1")
    assert result.exit_code == 1
    for seed in (0, 1):
        record = json.loads((folder(parts, seed) / "run.json").read_text())
        assert record["status"] == "failed" and "001.png" in record["error"]
        assert "Traceback" in (folder(parts, seed) / "error.txt").read_text()
        assert "running: variation_model" in (folder(parts, seed) / "log.txt").read_text()
        assert not state_folder(folder(parts, seed)).exists(), "nothing to resume: it has failed"
    assert "Traceback" not in result.output and "2 of 2 cells failed" in result.output


def test_report_and_lists_show_what_was_run(parts: Path) -> None:
    assert sweep(parts, "seed=0,1").exit_code == 0
    results = str(parts.parent / "results")
    report = defectbench("report", "--results", results)
    assert report.exit_code == 0 and "parts" in report.output and "leaderboard.csv" in report.output
    with (parts.parent / "results" / "report" / "leaderboard.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["method"], row["seeds"], row["dataset"]) for row in rows] == [("variation_model", "0 1", "folder")]
    assert "finished" in defectbench("list", "runs", "--results", results).output
    assert "ae_l2" in defectbench("list", "methods").output
    assert "parts" in defectbench("list", "categories", "--root", str(parts)).output


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["category=prats"], "Did you mean parts?"),
        (["method=variaton_model"], "There is no method=variaton_model. Did you mean variation_model"),
        (["budget=huge"], "There is no budget=huge. Known: evening, paper, short, smoke."),
        (["data.root=???"], "data.root=DIR"),
        (["no_such_key=1"], "no_such_key"),
        (["data.root=/no/such/folder"], "No folder /no/such/folder"),
        (["method=variation_model", "category.kind=texture"], "does not apply to parts"),
        (["protocol.validation_share=0.01"], "validation_share=0.01"),
        (["seed=one"], "seed=one: it takes a whole number"),
        (["protocol.minimum_area=2"], "are shares of the image"),
        (["protocol.aupro_limit=30"], "is a false-positive rate"),
    ],
)
def test_bad_input_is_answered_in_words(parts: Path, overrides: list[str], message: str) -> None:
    result = run(parts, *overrides)
    assert result.exit_code in {1, 2} and message in result.output
    assert "Traceback" not in result.output


def test_a_table_of_images_counts_from_the_datas_folder(parts: Path) -> None:
    lines = [
        f"parts/{place}/{index:03}.png,{label},{part}"
        for place, count, label, part in (("train/good", 12, "ok", "train"), ("test/good", 4, "ok", "test"))
        for index in range(count)
    ]
    (parts / "split").mkdir()
    (parts / "split" / "list.csv").write_text("\n".join(["path,label,split", *lines]))
    asked = [*FAST, *places(parts), "data.layout.table=split/list.csv"]
    result = defectbench("run", *asked)
    assert result.exit_code == 0, result.output
    (kept,) = (parts.parent / "results" / "requests").iterdir()
    assert str(parts / "split" / "list.csv") in json.loads(kept.read_text())["files"]


def test_without_masks_the_table_says_so(tree: Callable[..., Path]) -> None:
    root = tree(masks=False, px=96)
    assert (
        run(
            root, "method.train.images=null", "category.alignment.max_shift=0", "category.alignment.max_angle_deg=0"
        ).exit_code
        == 0
    )
    report = defectbench("report", "--results", str(root.parent / "results"))
    assert "without masks" in " ".join(report.output.split())


def test_a_mask_of_another_size_is_named(parts: Path) -> None:
    save(parts / "parts" / "ground_truth" / "spot" / "002_mask.png", np.zeros((50, 96), np.uint8))
    assert "002_mask.png has 96 x 50 pixels, its image 002.png 96 x 96" in run(parts).output


def test_no_write_permission_is_told(parts: Path) -> None:
    blocked = parts.parent / "blocked"
    blocked.write_text("a file where a folder should be")
    result = run(parts, f"results.dir={blocked}")
    assert result.exit_code == 1 and str(blocked) in result.output and "Traceback" not in result.output


def test_a_full_disk_is_told_and_loses_nothing(parts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(parts).exit_code == 0
    kept = (folder(parts) / "run.json").read_bytes()

    def full(path: Path, text: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr("benchmarks.run.cell.write_text", full)
    result = run(parts, "force=true")
    assert result.exit_code == 1 and "No space left on device" in result.output and "Traceback" not in result.output
    assert (folder(parts) / "run.json").read_bytes() == kept


def test_the_traceback_is_there_for_those_who_want_it(parts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    assert isinstance(run(parts, "category=prats").exception, UserError)


def test_no_test_image_is_decoded_before_all_training_images(parts: Path, decoded_files: list[str]) -> None:
    assert run(parts).exit_code == 0
    of_test = [i for i, path in enumerate(decoded_files) if "/parts/test/" in path]
    of_train = [i for i, path in enumerate(decoded_files) if "/parts/train/" in path]
    assert of_train and of_test and max(of_train) < min(of_test)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGHUP])
@pytest.mark.usefixtures("heard_hangup")
def test_a_sweep_that_was_ended_goes_on_where_it_stopped(parts: Path, end: signal.Signals) -> None:
    command = [sys.executable, "-m", "benchmarks", "run", "-m", *FAST, *places(parts), "seed=0,1,2,3,4,5"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, cwd=PROJECT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 400
    while not (folder(parts, 1) / "run.json").exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.01)
    process.send_signal(end)
    process.wait(20)
    kept = {seed: (folder(parts, seed) / "run.json").read_bytes() for seed in range(6) if folder(parts, seed).exists()}
    assert 2 <= len(kept) < 6
    assert any((parts.parent / "results" / "sweeps").glob("sweep-*")) == (end == signal.SIGKILL), "a death is counted"
    again = sweep(parts, "seed=0,1,2,3,4,5")
    assert again.exit_code == 0
    looked_up = int(re.search(r"(\d+) finished already", again.output)[1])  # type: ignore[index]
    assert looked_up + again.output.count("skipped:") == len(
        kept
    )  # killed before it could note the request: the long way
    assert all((folder(parts, seed) / "run.json").read_bytes() == text for seed, text in kept.items())
    assert all((folder(parts, seed) / "run.json").exists() for seed in range(6))
    left_over = [path for path in folder(parts).parent.iterdir() if ".tmp-" in path.name]
    assert left_over == []
