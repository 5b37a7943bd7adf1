"""The golden cases against scikit-learn and our own metrics, by hand where that is possible; the judge."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks.cli import main
from benchmarks.conformance.cases import Case, cases
from benchmarks.protocol.image_metrics import image_metrics
from benchmarks.protocol.pixel_metrics import PixelScores

CASES = cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_our_metrics_are_exact(case: Case) -> None:
    exact = case.answers()
    image = image_metrics(np.array(case.scores), np.array(case.defective))
    pixels = PixelScores()
    for map_HW, mask_HW in zip(case.maps_NHW, case.masks_NHW, strict=True):
        pixels.add(map_HW.astype(np.float32), mask_HW > 0)
    found = pixels.sorted()
    if found is None or image is None:
        assert all(exact[name] is None for name in exact if name != "regions") and exact["regions"] == 0
        return
    metrics = found.metrics(0.0, float(case.limit))
    assert image.auroc == pytest.approx(float(exact["image_auroc"] or 0), abs=1e-12)
    assert image.average_precision == pytest.approx(float(exact["image_ap"] or 0), abs=1e-12)
    assert metrics.auroc == pytest.approx(float(exact["pixel_auroc"] or 0), abs=1e-12)
    assert metrics.average_precision == pytest.approx(float(exact["pixel_ap"] or 0), abs=1e-12)
    assert metrics.aupro == pytest.approx(float(exact["aupro"] or 0), abs=1e-12)
    assert metrics.regions == exact["regions"]


def test_verdicts_without_answers_are_a_mistake(tmp_path: Path) -> None:
    ended = CliRunner().invoke(main, ["conformance", str(tmp_path / "kit"), "--out", str(tmp_path / "x.csv")])
    assert ended.exit_code == 2 and "add --check" in ended.output and not (tmp_path / "kit").exists()


def test_answers_by_hand() -> None:
    known = {case.name: case.answers() for case in CASES}
    assert known["perfect"]["pixel_auroc"] == known["perfect"]["aupro"] == known["perfect"]["image_ap"] == 1
    assert known["constant"]["aupro"] == Fraction(3, 20)  # a straight line to (0.3, 0.3), divided by 0.3
    assert known["constant"]["pixel_ap"] == Fraction(18, 256)
    assert known["inverted"]["pixel_auroc"] == 0 and known["inverted"]["aupro"] == 0
    assert known["corner"]["regions"] == 1 and known["one_pixel"]["regions"] == 3
    for same in ("offset_20", "negative", "masks_of_1"):
        assert known[same] == known["plain"]


@pytest.mark.parametrize("name", ["plain", "ties", "quantised", "corner"])
def test_scikit_learn_agrees(name: str) -> None:
    case = next(case for case in CASES if case.name == name)
    marked, pixels = case.masks_NHW.ravel() > 0, case.maps_NHW.ravel()
    assert roc_auc_score(marked, pixels) == pytest.approx(float(case.answers()["pixel_auroc"] or 0))
    assert average_precision_score(marked, pixels) == pytest.approx(float(case.answers()["pixel_ap"] or 0))


def test_the_kit_is_written_and_judges(tmp_path: Path) -> None:
    ended = CliRunner().invoke(main, ["conformance", str(tmp_path / "kit")])
    assert ended.exit_code == 0 and (tmp_path / "kit" / "ties" / "maps" / "003.tiff").is_file()
    answers = json.loads((tmp_path / "kit" / "answers.json").read_text())
    given = {
        name: {"image_auroc": case["image_auroc"] and case["image_auroc"]["value"]} for name, case in answers.items()
    }

    def check(answers: object) -> tuple[int, str]:
        (tmp_path / "a.json").write_text(json.dumps({"library": "mine", "version": "1", "answers": answers}))
        found = CliRunner().invoke(main, ["conformance", "--check", str(tmp_path / "a.json")])
        return found.exit_code, " ".join(found.output.split())

    assert check(given) == (0, f"mine 1: {len(CASES)} of {len(CASES)} answers are exact (within 1e-06).")
    code, text = check(given | {"ties": {"image_auroc": 0.51}, "empty_masks": {"image_auroc": 0.5}})
    assert code == 1 and "differs" in text and "defined" in text
    assert "there is no case 'tie'" in check({"tie": {}})[1]
    assert "unknown metric 'auc'" in check({"ties": {"auc": 1}})[1]
    (tmp_path / "a.json").write_text("{}")
    assert "holds no answers" in CliRunner().invoke(main, ["conformance", "--check", str(tmp_path / "a.json")]).output
