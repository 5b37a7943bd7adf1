"""Threshold estimators by hand, and the order statistics of subsets against all subsets, enumerated."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from benchmarks.protocol.estimators import ESTIMATORS, maximum_of_subsets
from benchmarks.protocol.thresholds import maximum_threshold, quantile_threshold, sigma_threshold


def test_estimators_by_hand() -> None:
    scores = np.array([4.0, 1.0, 2.0, 3.0, 5.0])
    assert quantile_threshold(scores, 0.9) == pytest.approx(4.6)  # 0.6 of the way from the fourth to the fifth of five
    assert quantile_threshold(scores, 1) == maximum_threshold(scores)
    assert sigma_threshold(scores, 2) == pytest.approx(3 + 2 * 2**0.5)
    assert all(estimator(np.array([2.0])) == 2 for estimator in ESTIMATORS.values())


@pytest.mark.parametrize("drawn", range(1, 8))
def test_maximum_of_subsets_against_all_subsets(drawn: int) -> None:
    maxima = Counter(max(subset) for subset in combinations(range(7), drawn))
    total = sum(maxima.values())
    assert maximum_of_subsets(7, drawn) == pytest.approx([maxima[value] / total for value in range(7)])


def test_maximum_of_many_sums_to_one() -> None:
    assert maximum_of_subsets(400, 200).sum() == pytest.approx(1)
    for drawn in (0, 6):
        with pytest.raises(ValueError, match="cannot be drawn"):
            maximum_of_subsets(5, drawn)
