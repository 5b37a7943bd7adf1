"""Two results folders side by side: what changed, what is beyond chance, and what the exit code says."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from sklearn.metrics import roc_auc_score

from benchmarks.cli import main
from benchmarks.common.errors import UserError
from benchmarks.report.compare import compare
from benchmarks.store.record import Cell
from benchmarks.store.runs import RunStore
from tests.report.stores import write_store

CATEGORIES = ["bottle", "carpet"]


@pytest.fixture
def before(tmp_path: Path) -> Path:
    return write_store(tmp_path / "a", seeds=[0, 1], methods=["ae_l2", "anogan"], categories=CATEGORIES)


@pytest.fixture
def after(before: Path, tmp_path: Path) -> Path:
    shutil.copytree(before, tmp_path / "b")
    return tmp_path / "b"


def edit(results: Path, cell: Cell, flips: int) -> None:
    """Let a number of defective images that were found be missed: scores and record."""
    folder = RunStore(results).folder(cell)
    record = json.loads((folder / "run.json").read_text())
    scores = pd.read_csv(folder / "scores.csv")
    found = scores.index[scores["defective"] & (scores["score_0.001"] > record["result"]["threshold"])][:flips]
    scores.loc[found, "score_0.001"] = 0.0
    scores.to_csv(folder / "scores.csv", index=False)
    share = record["result"]["defective"]
    share["correct"] -= flips
    share["ratio"] = share["correct"] / share["total"]
    test = scores[scores["split"] == "test"]
    record["result"]["image"]["auroc"] = roc_auc_score(test["defective"], test["score_0.001"])
    (folder / "run.json").write_text(json.dumps(record))


def run(*args: object) -> Result:
    return CliRunner().invoke(main, ["compare", *map(str, args)])


def test_equal_folders(before: Path, after: Path) -> None:
    found = compare(before, after)
    assert len(found.changes) == 2 * 2 * 2 and set(found.changes["test"]) == {"paired"}
    assert not found.exceeds and (found.changes["difference"] == 0).all() and (found.changes["p"] == 1).all()
    result = run(before, after)
    assert result.exit_code == 0 and "0 of 8 shares changed, 0 beyond chance" in result.output


def test_a_few_images_are_a_change_within_chance(before: Path, after: Path) -> None:
    edit(after, Cell("ae_l2", "bottle", 0), 3)
    result = run(before, after)
    assert result.exit_code == 0 and "1 of 8 shares changed, 0 beyond chance" in result.output


def test_many_images_are_beyond_it(before: Path, after: Path, tmp_path: Path) -> None:
    for seed in (0, 1):
        edit(after, Cell("ae_l2", "bottle", seed), 20)
    found = compare(before, after)
    row = found.changes[found.changes["beyond"]].iloc[0]
    assert (row["method"], row["category"], row["images"]) == ("ae_l2", "bottle", "defective")
    assert row["better"] == 0 and 20 <= row["worse"] <= 40  # an image counts once, though two seeds changed
    assert row["p"] == pytest.approx(2 * 0.5 ** row["worse"]) and row["p_holm"] == pytest.approx(8 * row["p"])
    assert row["difference"] == pytest.approx(-20 / 63)
    result = run(before, after, "--out", tmp_path / "c.csv")
    assert result.exit_code == 1 and "beyond chance" in result.output
    assert len(pd.read_csv(tmp_path / "c.csv")) == 8


def test_other_test_images_are_compared_by_intervals(before: Path, after: Path) -> None:
    for path in after.rglob("run.json"):
        path.write_text(path.read_text().replace("test-bottle", "another"))
    for seed in (0, 1):
        edit(after, Cell("ae_l2", "bottle", seed), 20)
    changes = compare(before, after).changes.set_index(["method", "category", "images"])
    assert changes.loc[("ae_l2", "bottle", "defective"), "test"] == "intervals"
    assert changes.loc[("ae_l2", "carpet", "defective"), "test"] == "paired"
    assert changes["beyond"].sum() == 1 and changes.loc[("ae_l2", "bottle", "defective"), "beyond"]


def test_without_scores_intervals_decide(before: Path, after: Path) -> None:
    for path in after.rglob("scores.csv"):
        path.unlink()
    assert set(compare(before, after).changes["test"]) == {"intervals"}


def test_cells_of_one_folder_and_broken_ones_are_named(before: Path, after: Path) -> None:
    shutil.rmtree(after / "runs" / "anogan" / "bottle")
    result = run(before, after)
    assert result.exit_code == 0 and "Only before: anogan / bottle (mvtec_ad, budget short)" in result.output
    for path in (after / "runs" / "ae_l2" / "bottle").rglob("run.json"):
        record = json.loads(path.read_text()) | {"status": "failed", "result": None, "error": "no memory"}
        path.write_text(json.dumps(record))
    result = run(before, after)
    assert result.exit_code == 1 and "Finished before, failed after: ae_l2 / bottle" in result.output


def test_a_seed_that_failed_since_is_a_failure(before: Path, after: Path) -> None:
    path = RunStore(after).folder(Cell("ae_l2", "bottle", 1)) / "run.json"
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"status": "failed", "result": None, "error": "no memory"})
    )
    result = run(before, after)
    assert result.exit_code == 1 and "Finished before, failed after: ae_l2 / bottle" in result.output
    assert "seed 1" in result.output and "lacks these seeds" not in result.output


def test_what_may_have_made_the_change_is_named(before: Path, after: Path) -> None:
    for path in after.rglob("run.json"):
        path.write_text(path.read_text().replace("code-ae_l2", "new").replace('"samples": 2000', '"samples": 10'))
    settings = compare(before, after).settings
    assert settings["code code-ae_l2 -> new"] == 2 and settings["config.budget.samples 2000 -> 10"] == 4
    assert "Settings that differ: config.budget.samples 2000 -> 10 (4 cells)" in run(before, after).output


def test_bad_input_is_told_apart(before: Path, tmp_path: Path) -> None:
    other = write_store(tmp_path / "c", seeds=[0], methods=["ae_l2"], categories=CATEGORIES, budget="smoke")
    for wrong in (other, tmp_path / "absent", tmp_path):
        assert run(before, wrong).exit_code == 2
    with pytest.raises(UserError, match="no finished cell in common"):
        compare(before, other)
    (before / "runs" / "ae_l2" / "bottle" / "seed=0" / "run.json").write_text("{")
    assert run(other, before).exit_code == 2
    with pytest.raises(UserError, match=r"no finished cell in common.*ae_l2.bottle.seed=0.run\.json"):
        compare(other, before)
    assert "run.json" in run(before, before).output  # left out, and named
    assert run(before).exit_code == 2


def test_help_says_the_exit_codes() -> None:
    text = run("--help").output
    assert all(f"Exit code {code}:" in text for code in (0, 1, 2))


def test_a_subset_of_the_seeds_shows_no_change(tmp_path: Path) -> None:
    """Each side averaged its own seeds once: a byte-identical subset showed a difference."""
    write_store(tmp_path / "a", seeds=[0, 1, 2], methods=["ae_l2"], categories=["bottle"])
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    shutil.rmtree(tmp_path / "b" / "runs" / "ae_l2" / "bottle" / "seed=2")
    comparison = compare(tmp_path / "a", tmp_path / "b")
    assert (comparison.changes["difference"] == 0).all() and not comparison.exceeds
    assert comparison.other_seeds == ["ae_l2 / bottle (mvtec_ad, budget short) seed 2 (before)"]
