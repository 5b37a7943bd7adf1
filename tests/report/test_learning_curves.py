"""`score_at_epochs` in the report: the table, the plot, and what is drawn anew."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.common.errors import UserError
from benchmarks.report.build import build
from benchmarks.report.page import write_page
from benchmarks.report.plots.learning_curve import PLOT
from benchmarks.report.plots.plot import apart
from benchmarks.report.publish import publish
from benchmarks.store.runs import RunStore
from tests.report.stores import decide_by_own_score, write_store
from tests.report.test_plots import cells

Scored = Callable[[int, int], Path]
"""Takes a number of epochs, and how many good images were classified correctly then; returns the file."""


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return write_store(tmp_path / "results", seeds=(0,), methods=["ae_l2"], categories=["bottle"])


@pytest.fixture
def scored(results: Path) -> Scored:
    """As a run that was scored on its way leaves it."""
    run = results / "runs" / "ae_l2" / "bottle" / "seed=0"

    def write(epochs: int, correct: int) -> Path:
        result = json.loads((run / "run.json").read_text())["result"]
        good = result["good"] | {"correct": correct, "ratio": correct / 20}
        path = run / "epochs" / str(epochs) / "result.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"epoch": epochs, **result, "good": good, "fit_seconds": None}))
        (path.parent / "scores.csv").write_bytes((run / "scores.csv").read_bytes())
        return path

    return write


def page(results: Path, out: Path) -> str:
    write_page(build(results, out), RunStore(results), out)
    return (out / "report.html").read_text()


def test_each_epoch_is_a_row_and_the_runs_own_is_the_last(results: Path, scored: Scored, tmp_path: Path) -> None:
    scored(4, 11), scored(2, 7)
    build(results, tmp_path / "report")
    curve = pd.read_csv(tmp_path / "report" / "learning_curves.csv")
    board = pd.read_csv(tmp_path / "report" / "leaderboard.csv")
    assert curve["epoch"].tolist() == [2, 4, 8]
    assert curve["normal_correct"].tolist()[:2] == [7, 11]
    assert curve["normal_accuracy"].iloc[-1] == board["normal_accuracy"].item()
    assert curve["image_auroc"].iloc[-1] == board["image_auroc"].item()
    assert curve["aupro"].iloc[-1] == board["aupro"].item()


def test_without_such_epochs_there_is_no_table_and_no_plot(results: Path, tmp_path: Path) -> None:
    build(results, tmp_path / "report")
    assert not (tmp_path / "report" / "learning_curves.csv").exists()
    assert not PLOT.is_possible(cells(results)["ae_l2", "bottle"])


def test_the_plot_says_its_numbers(results: Path, scored: Scored) -> None:
    scored(2, 7), scored(4, 11)
    cell = cells(results)["ae_l2", "bottle"]
    assert "after 2, 4, 8 epochs" in PLOT.words(cell) and "good 0.350, 0.550, " in PLOT.words(cell)
    text = PLOT.svg(cell)
    assert all(f">{words}</text>" in text for words in ("2", "4", "8", "good", "defective", "pixel AUROC"))


def test_the_plot_is_of_the_score_that_decided(results: Path, scored: Scored) -> None:
    decide_by_own_score(results, np.negative)
    scored(4, 11)
    cell = cells(results)["ae_l2", "bottle"]
    image = cell.runs[0].result.deciding_image
    assert image is not None and f"image AUROC {image.auroc:.3f}, {image.auroc:.3f}; " in PLOT.words(cell)


def test_a_cell_is_drawn_anew_when_an_epoch_changes(results: Path, scored: Scored, tmp_path: Path) -> None:
    scored(2, 7)
    assert "good 0.350, " in page(results, tmp_path / "report")
    scored(2, 9)
    assert "good 0.450, " in page(results, tmp_path / "report")


@pytest.mark.parametrize("text", ["{", "{}", '{"threshold": "high"}'])
def test_a_broken_result_is_named(results: Path, scored: Scored, tmp_path: Path, text: str) -> None:
    path = scored(2, 7)
    path.write_text(text)
    with pytest.raises(UserError, match=r"Cannot read .*epochs/2/result.json \(.*force=true"):
        build(results, tmp_path / "report")
    assert (tmp_path / "report" / "table2_mvtec_ad_short.csv").exists()


def test_publishing_keeps_them(results: Path, scored: Scored, tmp_path: Path) -> None:
    scored(2, 7)
    publish(results, tmp_path / "public")
    kept = tmp_path / "public" / "runs" / "ae_l2" / "bottle" / "seed=0" / "epochs" / "2"
    assert {file.name for file in kept.iterdir()} == {"result.json", "scores.csv"}
    assert len(pd.read_csv(tmp_path / "public" / "report" / "learning_curves.csv")) == 2


@pytest.mark.parametrize(
    ("heights", "moved"),
    [([0.2, 0.8], [0.2, 0.8]), ([0.5, 0.45], [0.54, 0.45]), ([0.99, 1.0, 0.98], [0.91, 1.0, 0.82]), ([], [])],
)
def test_labels_do_not_overlap(heights: list[float], moved: list[float]) -> None:
    assert apart(heights) == pytest.approx(moved)
