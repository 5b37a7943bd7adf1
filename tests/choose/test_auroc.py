"""Two methods' AUROC of drawn defects are told apart only where chance does not explain the difference."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from benchmarks.choose.auroc import same_auroc_p, wins


def test_the_mean_of_the_wins_is_the_auroc_with_ties() -> None:
    rng = np.random.default_rng(0)
    good_G, drawn_D = rng.integers(0, 5, 12).astype(float), rng.integers(2, 8, 30).astype(float)
    expected = roc_auc_score([0] * 12 + [1] * 30, [*good_G, *drawn_D])
    assert wins(good_G, drawn_D).mean() == pytest.approx(expected)


def test_many_images_give_delongs_probability() -> None:
    rng = np.random.default_rng(1)
    first, other = (wins(rng.normal(0, 1, 400), rng.normal(1, 1, 500)) for _ in range(2))
    covariances = [np.cov(first.mean(axis), other.mean(axis)) / first.shape[1 - axis] for axis in (0, 1)]
    total = covariances[0] + covariances[1]
    z = (first.mean() - other.mean()) / np.sqrt(total[0, 0] + total[1, 1] - 2 * total[0, 1])
    assert same_auroc_p(first, other) == pytest.approx(2 * norm.sf(abs(z)), abs=1e-3)


def test_no_difference_one_good_image_and_all_the_same_way() -> None:
    ones, zeros = np.ones((48, 10)), np.zeros((48, 10))
    assert same_auroc_p(ones, ones) == 1
    assert same_auroc_p(ones, zeros) == 0
    assert same_auroc_p(ones[:, :1], zeros[:, :1]) == 1


@pytest.mark.parametrize("good_images", [3, 12])
def test_equal_methods_are_told_apart_no_more_often_than_asked_for(good_images: int) -> None:
    rng = np.random.default_rng(2)
    p = [
        same_auroc_p(*(wins(rng.normal(0, 1, good_images), rng.normal(1, 1, 48)) for _ in range(2))) for _ in range(300)
    ]
    assert np.mean(np.array(p) <= 0.05) < 0.08
