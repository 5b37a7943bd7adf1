"""Intervals against SciPy's, and what several seeds on the same images may not do to them."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.protocol.intervals import image_bootstrap, wilson


@pytest.mark.parametrize("total", [1, 12, 20, 63])
def test_wilson_against_scipy(total: int) -> None:
    for correct in range(total + 1):
        bounds = stats.binomtest(correct, total).proportion_ci(confidence_level=0.95, method="wilson")
        assert wilson(correct, total) == pytest.approx((bounds.low, bounds.high), abs=1e-12)


def test_bootstrap_against_scipy() -> None:
    rng = np.random.default_rng(0)
    hardness_N = rng.random(60)
    right_SN = rng.random((3, 60)) > hardness_N
    reference = stats.bootstrap(
        (right_SN.mean(axis=0),), np.mean, n_resamples=20_000, method="percentile", rng=1
    ).confidence_interval
    assert image_bootstrap(right_SN) == pytest.approx((reference.low, reference.high), abs=0.015)


def test_seeds_are_no_further_images() -> None:
    """The same decisions by ten seeds say no more than those of one: pooled, the interval would be a third as wide."""
    right_1N = np.random.default_rng(0).random((1, 40)) > 0.3
    assert image_bootstrap(np.repeat(right_1N, 10, axis=0)) == pytest.approx(image_bootstrap(right_1N))


def test_images_that_are_all_decided_alike_are_no_certainty() -> None:
    assert image_bootstrap(np.ones((2, 20), bool)) == wilson(20, 20)
    assert image_bootstrap(np.zeros((1, 20), bool)) == wilson(0, 20)
