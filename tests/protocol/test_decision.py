"""The rule of Table 2 on cases worked by hand, and against the definition of the threshold as a sweep."""

import numpy as np
import pytest
from scipy import ndimage
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score, roc_curve

from benchmarks.protocol.area_score import area_scores
from benchmarks.protocol.decision import Share, classified_correctly
from benchmarks.protocol.image_metrics import image_metrics
from benchmarks.protocol.thresholds import maximum_threshold


def test_threshold_is_the_highest_validation_score() -> None:
    assert maximum_threshold(np.array([0.2, 0.7, 0.1])) == 0.7
    with pytest.raises(ValueError, match="at least one validation image"):
        maximum_threshold(np.array([]))


def test_threshold_equals_a_sweep_over_the_validation_maps() -> None:
    """Rising thresholds, until the largest region on the validation set is just below the minimum area (the paper's words)."""
    maps_NHW = ndimage.gaussian_filter(np.random.default_rng(0).random((4, 24, 24)), (0, 2, 2)).round(3)
    area = 12

    def largest_region(level: float) -> int:
        sizes = [0]
        for map_HW in maps_NHW:
            labels, _ = ndimage.label(map_HW > level, structure=np.ones((3, 3)))
            sizes += np.bincount(labels.ravel())[1:].tolist()
        return max(sizes)

    swept = next(level for level in np.unique(maps_NHW) if largest_region(level) < area)
    assert maximum_threshold(np.array([area_scores(map_HW, [area])[0] for map_HW in maps_NHW])) == swept


def test_an_image_is_anomalous_only_above_the_threshold() -> None:
    scores, defective = np.array([0.1, 0.5, 0.6, 0.5, 0.9]), np.array([False, False, False, True, True])
    good, bad = classified_correctly(scores, defective, threshold=0.5)
    assert good is not None and (good.correct, good.total) == (2, 3)
    assert bad is not None and (bad.correct, bad.total) == (1, 2)


def test_a_side_without_images_is_none() -> None:
    good, bad = classified_correctly(np.array([0.1]), np.array([False]), threshold=0.5)
    assert good is not None and bad is None
    assert image_metrics(np.array([0.1]), np.array([False])) is None


def test_wilson_interval_against_its_formula() -> None:
    share, z = Share.of(19, 20), 1.959963984540054
    p, n = share.ratio, share.total
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert share.interval == pytest.approx((centre - half, centre + half))
    assert Share.of(20, 20).interval[1] == pytest.approx(1)


def test_auroc_reads_raw_scores_far_from_zero() -> None:
    """An offset must not change ranks: a sigmoid in float32 would saturate (and give 0.5)."""
    rng = np.random.default_rng(0)
    defective = np.arange(200) >= 100
    scores = rng.normal(size=200) + defective
    fpr, tpr, _ = roc_curve(defective, scores)
    found = image_metrics(scores, defective)
    assert found is not None and found.auroc == pytest.approx(np.trapezoid(tpr, fpr))
    assert image_metrics(scores + 1e6, defective) == found


def test_image_metrics_against_scikit_learn_and_the_definition_of_f1() -> None:
    rng = np.random.default_rng(1)
    defective = np.arange(60) >= 25
    scores = (rng.normal(size=60) + defective).round(1)  # with ties
    found = image_metrics(scores, defective)
    assert found is not None
    assert found.auroc == pytest.approx(roc_auc_score(defective, scores), abs=1e-12)
    assert found.average_precision == pytest.approx(average_precision_score(defective, scores), abs=1e-12)
    assert found.f1_max == pytest.approx(max(f1_score(defective, scores >= level) for level in scores), abs=1e-12)
