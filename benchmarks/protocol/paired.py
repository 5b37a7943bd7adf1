"""Paired tests: two methods over common categories, two runs over common test images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FEWEST = 6
"""Pairs below which Wilcoxon's test cannot reach 5 % (two-sided, 2 / 2^5 = 0.0625), whatever the numbers."""


@dataclass(frozen=True)
class SignedRank:
    """Wilcoxon's signed-rank test of `first - second` over pairs."""

    pairs: int
    mean_difference: float
    p: float
    """Two-sided."""
    rank_biserial: float
    """Matched-pairs rank-biserial correlation (Kerby 2014): positive minus negative ranks, by their sum; in [-1, 1]."""


def signed_rank(first: NDArray[np.float64], second: NDArray[np.float64]) -> SignedRank | None:
    """The test over pairs of equal place; None with fewer than `FEWEST` pairs.

    Pairs without difference are left out of the ranking (Wilcoxon's own way). The p-value is exact, ties or not; without any
    difference it is 1.
    """
    # differences of shares of whole images: what differs by rounding alone is equal
    differences = np.round(first - second, 12)
    if len(differences) < FEWEST:
        return None
    left = differences[differences != 0]
    if len(left) == 0:
        return SignedRank(len(differences), 0.0, 1.0, 0.0)
    _, places, ties = np.unique(np.abs(left), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(ties) - (ties - 1) / 2)[places]
    positive = float(ranks[left > 0].sum())
    effect = (2 * positive - float(ranks.sum())) / float(ranks.sum())
    return SignedRank(len(differences), float(differences.mean()), _exact_p(ranks, positive), effect)


def _exact_p(ranks: NDArray[np.float64], positive: float) -> float:
    """Two-sided probability of a sum of positive ranks as extreme as `positive`, over all changes of sign.

    Ranks of ties are halves, so twice a rank is whole: the number of sign patterns for each doubled sum grows rank by rank. (SciPy
    tries the patterns one at a time where there are ties: seconds for a pair.)
    """
    patterns = np.ones(1)
    for doubled in np.rint(2 * ranks).astype(int):
        grown = np.zeros(len(patterns) + doubled)
        grown[: len(patterns)] += patterns
        grown[doubled:] += patterns
        patterns = grown
    share = patterns / patterns.sum()
    observed = round(2 * positive)
    return float(min(1.0, 2 * min(share[: observed + 1].sum(), share[observed:].sum())))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for their number (Holm, Scandinavian Journal of Statistics 1979), in the order given."""
    order = np.argsort(p_values, kind="stable")
    steps = np.asarray(p_values)[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return [float(value) for value in adjusted]


@dataclass(frozen=True)
class SignTest:
    """On how many images `after` decides better and worse than `before`, and the exact two-sided probability of that by chance."""

    better: int
    worse: int
    p: float


def sign_test(before_SN: NDArray[np.bool_], after_SN: NDArray[np.bool_]) -> SignTest:
    """Exact paired test of two runs that decided the same images; for one seed it is McNemar's test.

    With several seeds an image counts as better if more of its seeds decide it correctly than before, as worse if fewer: it counts
    once, whatever the number of seeds.

    Args:
        before_SN, after_SN: whether each seed S decided each image N correctly, same seeds and images in the same order.
    """
    from scipy.stats import binomtest  # a second to import

    change_N = after_SN.sum(axis=0) - before_SN.sum(axis=0)
    better, worse = int((change_N > 0).sum()), int((change_N < 0).sum())
    p = float(binomtest(better, better + worse).pvalue) if better + worse else 1.0
    return SignTest(better, worse, p)
