"""Ranks against a slow bootstrap in plain loops, on cases with a known answer, and in time."""

import time

import numpy as np
import pytest

from benchmarks.protocol.ranks import ROUNDING, Decided, Drawn, _apart, balanced_draws, best_alone, ranking


def decided(rng: np.random.Generator, skills: list[float], seeds: int = 3, good: int = 20, bad: int = 40) -> Decided:
    """Images of differing difficulty, which methods share."""
    hard_N = rng.random(good + bad)
    noise_MSN = 0.2 * rng.normal(size=(len(skills), seeds, good + bad))
    return Decided(list(np.array(skills)[:, None, None] + noise_MSN > hard_N), np.arange(good + bad) >= good)


def test_draws_have_the_mean_and_spread_of_a_slow_bootstrap() -> None:
    category = decided(np.random.default_rng(0), [0.5, 0.6], seeds=3, good=6, bad=9)
    category = Decided([category.right_M[0], category.right_M[1][:2]], category.defective_N)
    rng = np.random.default_rng(1)
    slow = []
    for _ in range(4000):
        sides = []
        for side_N in (category.defective_N, ~category.defective_N):
            images = rng.choice(np.flatnonzero(side_N), side_N.sum())
            sides.append([right_SN[:, images].mean(axis=1) for right_SN in category.right_M])
        seeds = [np.mean(both, axis=0) for both in zip(*sides, strict=True)]
        slow.append([rng.choice(seed_S, len(seed_S)).mean() for seed_S in seeds])
    fast = balanced_draws(category, np.random.default_rng(2), 20_000)
    assert fast.mean(axis=0) == pytest.approx(np.mean(slow, axis=0), abs=0.01)
    assert np.cov(fast.T) == pytest.approx(np.cov(np.array(slow).T), abs=2e-3)


def test_equal_methods_are_a_clique_and_a_worse_one_is_not_in_it() -> None:
    rng = np.random.default_rng(0)
    categories = [decided(rng, [0.2, 0.8, 0.8]) for _ in range(8)]
    found = ranking([Drawn.of(one, 2000, seed) for seed, one in enumerate(categories)])
    assert found.order[-1] == 0 and found.cliques == ((0, 1),)
    assert found.beats_next_M[1] > 0.999
    assert found.rank_M2[-1].tolist() == [3, 3] and found.rank_M2[0, 0] == 1
    assert np.all(found.interval_M2[:, 0] <= found.mean_M) and np.all(found.mean_M <= found.interval_M2[:, 1])


def test_pairing_tells_apart_what_intervals_cannot() -> None:
    """One more image of 60 right in each of many draws: the two intervals overlap, the paired difference is above 0."""
    hard = np.random.default_rng(0).random(60) < 0.5
    better = hard | (np.arange(60) % 4 == 0)
    category = Decided([hard[None], better[None]], np.arange(60) >= 20)
    drawn = Drawn.of(category, 4000)
    found = ranking([drawn])
    assert best_alone(drawn) == 1 and found.order == (1, 0) and found.cliques == ()
    assert found.interval_M2[0, 0] < found.interval_M2[1, 1]


@pytest.mark.parametrize("draws", [1, 2, 39, 40, 41, 79, 1000])
def test_what_is_counted_is_what_the_quantiles_say(draws: int) -> None:
    rng = np.random.default_rng(draws)
    found = []
    for shift in np.linspace(-3, 3, 41):
        first_R, second_R = rng.normal(size=draws).round(1) + shift, rng.normal(size=draws).round(1)
        low, high = np.quantile(first_R - second_R, (0.025, 0.975))
        found.append(_apart(first_R, second_R))
        assert found[-1] == (low > ROUNDING or high < -ROUNDING)
    assert any(found) and (draws < 39 or not all(found))


def test_one_image_of_forty_six_earns_no_star() -> None:
    """0.600 over 0.590 on 46 images."""
    right = np.arange(46) < 27
    other = right.copy()
    other[45] = True
    drawn = Drawn.of(Decided([right[None], other[None]], np.arange(46) >= 20), 2000)
    assert best_alone(drawn) is None and ranking([drawn]).cliques == ((0, 1),)


def test_ten_thousand_draws_of_a_whole_table_take_seconds() -> None:
    rng = np.random.default_rng(0)
    categories = [decided(rng, [0.5 + 0.02 * m for m in range(12)], seeds=5, good=31, bad=84) for _ in range(15)]
    start = time.process_time()
    found = ranking([Drawn.of(one, seed=seed) for seed, one in enumerate(categories)])
    assert len(found.order) == 12
    assert time.process_time() - start < 10
