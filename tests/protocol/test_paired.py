"""Paired tests against SciPy's and against counting all cases."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from benchmarks.protocol.paired import holm, sign_test, signed_rank


@pytest.mark.parametrize("pairs", [6, 10, 15])
def test_signed_rank_against_scipy(pairs: int) -> None:
    rng = np.random.default_rng(pairs)
    first, second = rng.random(pairs), rng.random(pairs) - 0.1
    found = signed_rank(first, second)
    assert found is not None and found.p == pytest.approx(stats.wilcoxon(first, second, method="exact").pvalue)
    assert found.mean_difference == pytest.approx((first - second).mean())


def test_ties_and_zeros_by_all_changes_of_sign() -> None:
    differences = np.array([0.1, 0.1, -0.1, 0.2, 0.3, 0.3, 0.0, -0.05])
    found = signed_rank(differences, np.zeros(8))
    left = differences[differences != 0]
    ranks = stats.rankdata(np.abs(left))
    sums = np.array([ranks[np.array(signs)].sum() for signs in product([False, True], repeat=len(left))])
    observed = ranks[left > 0].sum()
    p = min(1, 2 * min((sums <= observed).mean(), (sums >= observed).mean()))
    assert found is not None and found.p == pytest.approx(p) and found.pairs == 8


def test_effect_size_by_hand() -> None:
    found = signed_rank(np.array([1.0, 2, 3, 4, 5, -6]), np.zeros(6))
    assert found is not None and found.rank_biserial == pytest.approx((15 - 6) / 21)
    one_sided = signed_rank(np.arange(1.0, 7), np.zeros(6))
    assert one_sided is not None and (one_sided.rank_biserial, one_sided.p) == (1, 2 / 64)


def test_no_difference_and_too_few_pairs() -> None:
    equal = signed_rank(np.full(6, 0.5), np.full(6, 0.5))
    assert equal is not None and (equal.p, equal.rank_biserial) == (1, 0)
    assert signed_rank(np.ones(5), np.zeros(5)) is None


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1, 1]


def test_one_seed_is_mcnemars_test() -> None:
    """Better and worse images of the 2 x 2 table, equally probable: by counting all ways that 7 images can change."""
    before, after = np.zeros((1, 30), bool), np.zeros((1, 30), bool)
    before[0, :10] = after[0, 4:16] = True  # 4 worse, 6 of both, 6 better
    found = sign_test(before, after)
    assert (found.better, found.worse) == (6, 4)
    ways = [sum(signs) for signs in product([0, 1], repeat=10)]
    assert found.p == pytest.approx(np.mean([abs(count - 5) >= 1 for count in ways]))


def test_an_image_counts_once_whatever_the_seeds() -> None:
    rng = np.random.default_rng(0)
    before, after = rng.random((1, 50)) > 0.5, rng.random((1, 50)) > 0.3
    assert sign_test(np.repeat(before, 5, axis=0), np.repeat(after, 5, axis=0)) == sign_test(before, after)
    assert sign_test(before, before).p == 1
