"""The threshold at a false-alarm rate, against trying every score."""

import numpy as np
import pytest

from benchmarks.common.errors import UserError
from benchmarks.protocol.sample_decision import threshold_at
from benchmarks.protocol.thresholds import maximum_threshold


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.05, 0.07, 0.29, 0.5, 0.99])
@pytest.mark.parametrize("count", [1, 7, 100, 197])
def test_it_is_the_lowest_score_that_few_enough_exceed(rate: float, count: int) -> None:
    scores = np.random.default_rng(count).normal(size=count)
    allowed = [score for score in scores if (scores > score).sum() <= round(rate * count, 9)]
    assert threshold_at(scores, rate) == min(allowed)


def test_rate_0_is_the_rule_for_images() -> None:
    scores = np.array([0.3, 2.0, 1.0])
    assert threshold_at(scores, 0) == maximum_threshold(scores)


def test_equal_scores_do_not_count_as_above() -> None:
    assert threshold_at(np.array([1.0, 1.0, 1.0, 2.0]), 0.5) == 1.0


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5])
def test_other_rates_are_refused(rate: float) -> None:
    with pytest.raises(UserError, match=f"false_alarm_rate={rate}"):
        threshold_at(np.ones(3), rate)


def test_no_validation_sample() -> None:
    with pytest.raises(ValueError, match="at least one"):
        threshold_at(np.empty(0), 0.1)
