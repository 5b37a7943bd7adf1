"""The plots of a cell: what they are drawn from against a slow recomputation, what they say, and their files."""

import csv
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import precision_recall_curve, roc_curve

from benchmarks.protocol.image_metrics import precision_recall_points, roc_points
from benchmarks.report.build import build
from benchmarks.report.cells import Cell, cells_of
from benchmarks.report.paper_figures import figure, style, write_figures
from benchmarks.report.plots import PLOTS
from benchmarks.report.svg import BOTTOM, LEFT, RIGHT, TOP, nice_ticks
from benchmarks.store.leaderboard import leaderboard
from benchmarks.store.runs import RunStore
from tests.report.stores import decide_by_own_score, write_store

PLOT = {plot.name: plot for plot in PLOTS}


def cells(results: Path) -> dict[tuple[str, str], Cell]:
    store = RunStore(results)
    records = store.records()
    return cells_of(records, leaderboard(records), store)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return write_store(tmp_path, methods=["ae_l2"], categories=["bottle"])


@pytest.fixture
def cell(results: Path) -> Cell:
    return cells(results)["ae_l2", "bottle"]


def test_accuracy_over_area_is_the_protocol_applied_to_each_area(cell: Cell) -> None:
    for run in cell.runs:
        with (run.folder / "scores.csv").open() as file:
            scores = list(csv.DictReader(file))
        for place, area in enumerate(run.over_area.area_A):
            score = f"score_{area:g}"
            limit = max(float(row[score]) for row in scores if row["split"] == "validation")
            for side, is_defective in (("good", "False"), ("defective", "True")):
                of_side = [row for row in scores if row["split"] == "test" and row["defective"] == is_defective]
                right = [str(float(row[score]) > limit) == is_defective for row in of_side]
                assert run.over_area.accuracy_A[side][place] == pytest.approx(sum(right) / len(right))


def test_at_the_area_in_use_the_curve_passes_through_the_table(cell: Cell) -> None:
    place = list(cell.over_area.area_A).index(0.001)
    for side in ("good", "defective"):
        assert cell.over_area.accuracy_A[side][place] == pytest.approx(cell.accuracy(side))


def test_words_hold_the_numbers(cell: Cell) -> None:
    wrong = round((1 - (cell.accuracy("defective") or 0)) * 63)
    assert f"{wrong} of 63 defective" in PLOT["scores"].words(cell)
    assert f"AUROC {cell.row['image_auroc']:.3f} ± " in PLOT["roc"].words(cell)  # type: ignore[index]
    assert "0.001 % to 5 % of the image" in PLOT["over_area"].words(cell)
    assert "over 8 epochs, 2 seeds" in PLOT["losses"].words(cell)
    assert "train_loss 0.5 to 0.0625" in PLOT["losses"].words(cell)


def test_words_are_of_the_score_that_decided(results: Path) -> None:
    decide_by_own_score(results, np.negative)
    cell = cells(results)["ae_l2", "bottle"]
    found = [run.result.deciding_image for run in cell.runs]
    aurocs = [image.auroc for image in found if image is not None]
    assert f"AUROC {np.mean(aurocs):.3f} ± {np.std(aurocs):.3f} over" in PLOT["roc"].words(cell)
    assert cell.row is not None and np.mean(aurocs) == pytest.approx(1 - cell.row["image_auroc"])
    precision = np.mean([image.average_precision for image in found if image is not None])
    assert f"Average precision {precision:.3f};" in PLOT["precision_recall"].words(cell)
    assert precision < cell.row["image_average_precision"]


def test_whether_the_papers_pair_can_be_reached_is_said(cell: Cell) -> None:
    assert "0.70 and 0.89 (dotted), lies within our 95 % intervals at" in PLOT["over_area"].words(cell)
    assert cell.row is not None
    far = Cell(cell.method, cell.category, cell.row | {"paper_normal": 0.0, "paper_anomalous": 0.0}, cell.runs, ())
    assert "at no area; nearest at " in PLOT["over_area"].words(far)
    elsewhere = Cell(cell.method, cell.category, cell.row | {"paper_normal": np.nan}, cell.runs, ())
    assert "paper" not in PLOT["over_area"].words(elsewhere)


def test_svg_is_small_inline_and_the_same_each_time(cell: Cell) -> None:
    for plot in (plot for plot in PLOTS if plot.is_possible(cell)):
        text = plot.svg(cell)
        assert text == plot.svg(cell)
        assert len(text) < 20_000
        assert "http" not in text and "id=" not in text and "#0072b2" not in text and "nan" not in text
        ElementTree.fromstring(text)
    assert "var(--good)" in PLOT["scores"].svg(cell)


def test_svg_places_what_matplotlib_places(cell: Cell) -> None:
    """The decision's dot of the ROC plot, as a share of the plotting area."""
    text = PLOT["roc"].svg(cell)
    places = [(float(x), float(y)) for x, y in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', text)]
    found = [((x - LEFT) / (RIGHT - LEFT), (BOTTOM - y) / (BOTTOM - TOP)) for x, y in places]
    shares = [(1 - run.result.good.ratio, run.result.defective.ratio) for run in cell.runs]  # type: ignore[union-attr]
    assert np.array(found) == pytest.approx(np.array(shares), abs=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_curves_are_those_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    defective = rng.random(60) < 0.6
    scores = (rng.normal(size=60) + defective).round(1)  # with ties
    fpr, tpr, _ = roc_curve(defective, scores, drop_intermediate=False)
    assert np.array(roc_points(scores, defective)) == pytest.approx(np.array([fpr, tpr]))
    precision, recall, _ = precision_recall_curve(defective, scores)
    ours = {(round(r, 9), round(p, 9)) for r, p in zip(*precision_recall_points(scores, defective), strict=True)}
    theirs = {(round(r, 9), round(p, 9)) for r, p in zip(recall, precision, strict=True)}
    assert ours <= theirs and len(theirs - ours) <= len({p for r, p in theirs if r == 1})


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (-3, 17, ["0", "5", "10", "15"]),
        (0.013, 0.0171, ["0.013", "0.014"]),
    ],
)
def test_ticks_are_round(low: float, high: float, ticks: list[str]) -> None:
    assert nice_ticks(low, high, 5)[1][: len(ticks)] == ticks


def test_figures_for_papers_are_the_same_each_time(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.report.paper_figures.PLOTS", [PLOT["losses"]])
    report = build(results, tmp_path)
    written = [write_figures(report, RunStore(results), tmp_path / name) for name in ("out", "again")]
    png, pdf = (path.read_bytes() for path in written[0])
    assert png.startswith(b"\x89PNG") and pdf.startswith(b"%PDF") and b"CreationDate" not in pdf
    assert [path.read_bytes() for path in written[1]] == [png, pdf]
    assert written[0][0] == tmp_path / "out" / "figures" / "mvtec_ad_short" / "ae_l2_bottle_losses.png"


def test_only_what_was_stored_is_drawn(results: Path) -> None:
    for folder in (results / "runs" / "ae_l2" / "bottle").iterdir():
        (folder / "logs" / "metrics.csv").write_text("epoch,step,train_loss\n0,9,0.5\n")
    possible = {plot.name for plot in PLOTS if plot.is_possible(cells(results)["ae_l2", "bottle"])}
    assert possible == {"scores", "over_area", "roc", "precision_recall"}  # one epoch is no curve
    for folder in (results / "runs" / "ae_l2" / "bottle").iterdir():
        (folder / "scores.csv").unlink()
    assert not [plot for plot in PLOTS if plot.is_possible(cells(results)["ae_l2", "bottle"])]


def test_the_pro_curve_is_drawn_where_there_is_one(results: Path) -> None:
    curve = pd.DataFrame({"false_positive_rate": [0.0, 0.1, 0.5, 1.0], "region_overlap": [0.0, 0.6, 0.9, 1.0]})
    for folder in (results / "runs" / "ae_l2" / "bottle").iterdir():
        curve.to_csv(folder / "pro_curve.csv", index=False)
    cell = cells(results)["ae_l2", "bottle"]
    assert PLOT["pro"].is_possible(cell) and "up to a rate of 0.3" in PLOT["pro"].words(cell)
    values = [run.result.pixel.aupro for run in cell.runs if run.result.pixel]
    assert f"AU-PRO {np.mean(values):.3f} ± {np.std(values):.3f}" in PLOT["pro"].words(cell)
    with style():
        (axes,) = figure(PLOT["pro"], cell).axes
    drawn = np.asarray(axes.lines[0].get_xydata())
    assert np.array_equal(drawn[:4], curve.to_numpy()) and np.array_equal(drawn[5:9], curve.to_numpy())  # two seeds
    assert np.isnan(drawn[4]).all()


def test_a_given_threshold_has_no_curve_over_areas(results: Path) -> None:
    for folder in (results / "runs" / "ae_l2" / "bottle").iterdir():
        scores = pd.read_csv(folder / "scores.csv")
        scores[scores["split"] == "test"].to_csv(folder / "scores.csv", index=False)
    possible = {plot.name for plot in PLOTS if plot.is_possible(cells(results)["ae_l2", "bottle"])}
    assert "over_area" not in possible and "scores" in possible


@pytest.mark.parametrize("text", ["", "path,split\n", 'a,b\n"1,2\n3,4,5,6\n'], ids=["empty", "columns", "no table"])
def test_broken_scores_are_named(results: Path, text: str) -> None:
    path = results / "runs" / "ae_l2" / "bottle" / "seed=0" / "scores.csv"
    path.write_text(text)
    if not text:
        assert len(cells(results)["ae_l2", "bottle"].scored) == 1
        return
    contents = RunStore(results).contents()  # the run is left out, and the file named
    assert len(contents.records) == 1 and "scores.csv" in contents.unreadable[0].reason


def test_where_the_methods_own_score_classifies_the_curve_over_the_area_is_of_the_maps_alone(results: Path) -> None:
    plot = PLOT["over_area"]
    assert "used here" in plot.svg(cells(results)["ae_l2", "bottle"])
    decide_by_own_score(results, np.negative)
    cell = cells(results)["ae_l2", "bottle"]
    assert "used here" not in plot.svg(cell)
    assert "the method's own image score classified" in plot.words(cell) and "The paper's pair" not in plot.words(cell)
