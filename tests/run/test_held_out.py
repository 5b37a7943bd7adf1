"""`protocol.threshold` and `protocol.held_out` from the command line to the record."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from benchmarks.cli import main
from benchmarks.data.layouts import read_category
from benchmarks.protocol.area_score import area_scores
from benchmarks.protocol.cross import cross_scores
from benchmarks.protocol.decision import Share
from benchmarks.protocol.thresholds import Rule, conformal_threshold
from benchmarks.run.measure import _facts, _promise
from benchmarks.run.result import result_of
from benchmarks.run.scores import Scores
from benchmarks.store.leaderboard import leaderboard
from benchmarks.store.record import read_record
from tests.conftest import compose
from tests.store.test_runs import RECORD

FAST = ["method=variation_model", "data=folder", "category=parts", "budget=smoke", "trainer=cpu", "progress=false"]
STILL = ["category.alignment.max_shift=0", "category.alignment.max_angle_deg=0"]


def run(root: Path, *overrides: str) -> Result:
    places = [f"data.root={root}", f"results.dir={root.parent / 'results'}", "data.cache_dir=null"]
    return CliRunner().invoke(main, ["run", *FAST, *STILL, *places, *overrides])


def found(root: Path) -> tuple[dict, pd.DataFrame]:
    folder = root.parent / "results" / "runs" / "variation_model" / "parts" / "seed=0"
    return json.loads((folder / "run.json").read_text())["result"], pd.read_csv(folder / "scores.csv")


def test_cross_holds_every_good_image_out_once(tree: Callable[..., Path], decoded_files: list[str]) -> None:
    root = tree(train=13, px=96)
    ended = run(root, "protocol.held_out=cross", "protocol.folds=4", "protocol.threshold=conformal:0.2")
    assert ended.exit_code == 0, ended.output
    assert "the threshold comes from 13 held-out images" in " ".join(ended.output.split())
    result, scores = found(root)
    held_out = scores[scores["split"] == "validation"]
    assert result["validation_images"] == 13 and held_out["path"].is_unique
    assert result["threshold"] == conformal_threshold(held_out["score_0.001"].to_numpy(), 0.2)
    assert result["facts"]["threshold_rule"] == "conformal:0.2" and result["facts"]["held_out"] == "cross:4"
    assert 0.4 < result["facts"]["promised_false_alarm_rate"] < 0.4 + 1 / 5
    found_by_scores = (scores[scores["split"] == "test"]["score_0.001"] > result["threshold"]).to_numpy()
    assert result["good"]["correct"] == (~found_by_scores[:3]).sum()
    assert [path.endswith("train/good/007.png") for path in decoded_files].count(True) == 1, "the four fits share it"


def test_a_test_image_is_ranked_by_the_maps_of_all_fits(tree: Callable[..., Path]) -> None:
    category = read_category(tree(), "parts")
    scores = Scores(
        category, compose("data=folder", "data.root=.", "category=parts", "protocol.minimum_area=0.01").protocol
    )
    rng = np.random.default_rng(0)
    for index, image in enumerate(category.train):
        scores.add_validation(image, rng.random((24, 24), np.float32), fold=index % 3)
    scores.start_test()
    maps_KHW = rng.random((3, 24, 24)).astype(np.float32)
    scores.add_test_of_folds(category.test[0], maps_KHW)
    table = scores.table()
    held_out_V = table["score_0.01"].to_numpy()[:10]
    each_K = np.array([area_scores(map_HW, [6])[0] for map_HW in maps_KHW])
    assert table["score_0.01"].iloc[-1] == cross_scores(held_out_V, np.arange(10) % 3, each_K[:, None])[0]


def test_no_mean_map_is_cut_at_a_threshold_of_ranks(tree: Callable[..., Path], tmp_path: Path) -> None:
    """Two fits of different scales: a defective image exceeds all held-out scores of both, their mean map the higher ones not."""
    category = read_category(tree(), "parts")
    scores = Scores(category, compose("data=folder", "data.root=.", "category=parts").protocol)
    for index, image in enumerate(category.train):
        scores.add_validation(image, np.full((24, 24), (1, 100)[index % 2], np.float32), fold=index % 2)
    scores.start_test()
    for image in category.test:
        by_fit = (2, 101) if image.is_defective else (0, 99)
        scores.add_test_of_folds(image, np.stack([np.full((24, 24), value, np.float32) for value in by_fit]))
    result = result_of(scores, tmp_path)
    assert result.good == Share.of(3, 3) and result.defective == Share.of(3, 3) and result.threshold == 100
    assert result.pixel is not None and result.pixel.auroc > 0.5
    assert result.false_alarms_per_good_image is result.pixel.region_overlap is result.pixel.iou is None

    record = replace(RECORD, category="bottle", result=result)
    (tmp_path / "run.json").write_text(record.to_json())
    (row,) = leaderboard([read_record(tmp_path / "run.json")]).to_dict("records")
    assert row["pixel_auroc"] == result.pixel.auroc and row["anomalous_accuracy"] == 1
    assert pd.isna([row["iou"], row["region_overlap"], row["false_alarms_per_good_image"]]).all()


@pytest.mark.parametrize("method", ["stfpm", "texture_inspection", "padim"])
@pytest.mark.parametrize("held_out", ["cross", "split"])
def test_a_method_that_uses_the_held_out_images_itself_is_promised_nothing(method: str, held_out: str) -> None:
    category = "grid" if method == "texture_inspection" else "bottle"
    config = compose(f"method={method}", f"category={category}", f"protocol.held_out={held_out}")
    scores: Any = SimpleNamespace(held_out=30)
    facts = _promise(config, Rule.of("conformal:0.1"), scores)
    assert facts["threshold_rule"] == "conformal:0.1" and ("held_out" in facts) == (held_out == "cross")
    assert ("promised_false_alarm_rate" in facts) == (method == "padim")
    assert ("uses the held-out images" in str(facts.get("no_promise"))) == (method != "padim")
    given = _promise(config, Rule.of("given:1"), scores)
    assert "no_promise" not in given, "nobody is promised anything"
    assert ("held_out" in given) == (held_out == "cross")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["protocol.threshold=conformal:0.05"], "needs 19 held-out good images, and there are 1."),
        (["protocol.threshold=conformal:0.05"], "with held_out=split and validation_share=0.1, 190."),
        (
            ["protocol.threshold=conformal:0.05", "protocol.held_out=cross"],
            "needs 19 held-out good images, and there are 10.",
        ),
        (["protocol.threshold=highest"], "protocol.threshold=highest is not a threshold rule"),
        (["protocol.held_out=both"], "protocol.held_out=both is neither split nor cross"),
        (["protocol.held_out=cross", "protocol.folds=11"], "set protocol.folds to a number from 2 to 10"),
    ],
)
def test_what_cannot_be_promised_is_refused_before_fitting(
    tree: Callable[..., Path], overrides: list[str], message: str
) -> None:
    ended = run(tree(px=96), *overrides)
    assert ended.exit_code == 1 and message in " ".join(ended.output.split())


def test_a_given_threshold_decides(tree: Callable[..., Path]) -> None:
    root = tree(px=96)
    ended = run(root, "protocol.threshold=given:1e9")
    assert ended.exit_code == 0 and "held-out image" not in ended.output
    result, _ = found(root)
    assert result["threshold"] == 1e9 and result["good"]["correct"] == 3 and result["defective"]["correct"] == 0


def test_a_warning_of_any_fold_is_kept() -> None:
    folds: list[Any] = [
        SimpleNamespace(facts=lambda found=found: found) for found in ({"a": 1}, {"a": 2, "warning": "gray"})
    ]
    assert _facts(folds) == {"a": 1, "warning": "fold 1: gray"} and _facts(folds[:1]) == {"a": 1}
    assert _facts(folds[1:]) == {"a": 2, "warning": "gray"}
