"""Ranks of methods over categories, with what a paired bootstrap says of them.

One draw takes images within each category again, the same ones for all methods and seeds, and then the seeds of each method. So
what methods share (hard images) cancels out of their difference.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

import numpy as np
from numpy.typing import NDArray

from benchmarks.protocol.intervals import CONFIDENCE

DRAWS = 10_000
ROUNDING = 1e-6  # means of equal shares may differ by so much: draws are summed in float32
ENDS = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)


@dataclass(frozen=True)
class Decided:
    """The decisions on one category's test images."""

    right_M: Sequence[NDArray[np.bool_]]
    """Of each method M, whether it decided each image N correctly with each of its seeds S: (S, N)."""
    defective_N: NDArray[np.bool_]


@dataclass(frozen=True)
class Ranking:
    """Methods, the best first. All intervals are of 95 %, percentiles of the draws."""

    order: tuple[int, ...]
    """Their places in the input."""
    mean_M: NDArray[np.float64]
    """Balanced accuracy, mean over the categories and seeds."""
    interval_M2: NDArray[np.float64]
    rank_M2: NDArray[np.float64]
    """The interval of the rank, 1 the best; equal methods share a rank."""
    beats_next_M: NDArray[np.float64]
    """The share of draws in which a method is better than the next one, ties counting half; NaN for the last."""
    cliques: tuple[tuple[int, int], ...]
    """First and last place of methods that are not told apart: the interval of their difference holds 0."""


def balanced_draws(category: Decided, rng: np.random.Generator, draws: int = DRAWS) -> NDArray[np.float64]:
    """Balanced accuracies (R, M) of one category in R draws; the share of the one side where the other has no images."""
    seeds_M = [len(right_SN) for right_SN in category.right_M]
    right_XN = np.concatenate(category.right_M)  # X: the seeds of all methods
    drawn_RX = np.zeros((draws, len(right_XN)), np.float32)
    sides = [side_N for side_N in (category.defective_N, ~category.defective_N) if side_N.any()]
    for side_N in sides:
        images = int(side_N.sum())
        weight_RN = _how_often(rng, draws, images).astype(np.float32) / images
        drawn_RX += weight_RN @ right_XN[:, side_N].T.astype(np.float32) / len(sides)
    of_M = np.split(drawn_RX, np.cumsum(seeds_M)[:-1], axis=1)
    return np.stack([_mean_of_drawn(rng, drawn_RS) for drawn_RS in of_M], axis=1).astype(np.float64)


def _mean_of_drawn(rng: np.random.Generator, drawn_RS: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean over one method's seeds, which are drawn again in each draw, (R,)."""
    draws, seeds = drawn_RS.shape
    if seeds == 1:
        return drawn_RS[:, 0]
    mean_R: NDArray[np.float32] = (drawn_RS * _how_often(rng, draws, seeds)).sum(axis=1) / seeds
    return mean_R


def _how_often(rng: np.random.Generator, draws: int, count: int) -> NDArray[np.int64]:
    """How often each of `count` things is drawn when so many are drawn with replacement: (draws, count)."""
    drawn_RN = rng.integers(0, count, (draws, count))
    drawn_RN += count * np.arange(draws)[:, None]
    return np.bincount(drawn_RN.ravel(), minlength=draws * count).reshape(draws, count)


def balanced(category: Decided) -> NDArray[np.float64]:
    """Balanced accuracy of each method (M,), mean over the seeds."""
    share_MN = np.array([right_SN.mean(axis=0) for right_SN in category.right_M])
    sides = [side_N for side_N in (category.defective_N, ~category.defective_N) if side_N.any()]
    balanced_M: NDArray[np.float64] = np.mean([share_MN[:, side_N].mean(axis=1) for side_N in sides], axis=0)
    return balanced_M


@dataclass(frozen=True)
class Drawn:
    """One category: each method's balanced accuracy, and the same in all draws."""

    balanced_M: NDArray[np.float64]
    balanced_RM: NDArray[np.float64]

    @classmethod
    def of(cls, category: Decided, draws: int = DRAWS, seed: int = 0) -> "Drawn":
        return cls(balanced(category), balanced_draws(category, np.random.default_rng(seed), draws))

    def only(self, methods: Sequence[int]) -> "Drawn":
        return Drawn(self.balanced_M[list(methods)], self.balanced_RM[:, list(methods)])


def ranking(categories: Sequence[Drawn]) -> Ranking:
    """Rank the methods by their mean balanced accuracy over the categories, which all of them were run on.

    Categories are drawn independently: give each its own seed.

    Raises:
        ValueError: no category, or categories with differing methods.
    """
    if len({len(category.balanced_M) for category in categories}) != 1:
        raise ValueError("methods are ranked over one or more categories that all of them were run on")
    mean_M = np.mean([category.balanced_M for category in categories], axis=0)
    drawn_RM = np.mean([category.balanced_RM for category in categories], axis=0)
    order = np.argsort(-mean_M, kind="stable")
    drawn_RM = drawn_RM[:, order]
    better_RMM = drawn_RM[:, None, :] > drawn_RM[:, :, None] + ROUNDING
    equal_RMM = np.abs(drawn_RM[:, None, :] - drawn_RM[:, :, None]) <= ROUNDING
    rank_RM = better_RMM.sum(axis=2) + (equal_RMM.sum(axis=2) + 1) / 2
    next_M = [float(better_RMM[:, m + 1, m].mean() + equal_RMM[:, m + 1, m].mean() / 2) for m in range(len(order) - 1)]
    return Ranking(
        tuple(order.tolist()),
        mean_M[order],
        np.quantile(drawn_RM, ENDS, axis=0).T,
        np.quantile(rank_RM, ENDS, axis=0).T,
        np.array([*next_M, np.nan]),
        _cliques(drawn_RM),
    )


def best_alone(category: Drawn) -> int | None:
    """The place of the method that is best on a category and told apart from all others; None if there is none."""
    order = np.argsort(-category.balanced_M, kind="stable")
    best_R, *others = category.balanced_RM.T[order]
    return int(order[0]) if others and all(_apart(best_R, other_R) for other_R in others) else None


def _cliques(drawn_RM: NDArray[np.float64]) -> tuple[tuple[int, int], ...]:
    """The longest runs of neighbours whose first and last are not told apart, none within another."""
    found: list[tuple[int, int]] = []
    drawn_MR = np.ascontiguousarray(drawn_RM.T)
    for first in range(len(drawn_MR)):
        last = next((m for m in range(len(drawn_MR) - 1, first, -1) if not _apart(drawn_MR[first], drawn_MR[m])), first)
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return tuple(found)


def _apart(first_R: NDArray[np.float64], second_R: NDArray[np.float64]) -> bool:
    """Whether the interval of the difference leaves 0 out."""
    difference_R = first_R - second_R
    return _is_above(difference_R) or _is_above(-difference_R)


def _is_above(difference_R: NDArray[np.float64]) -> bool:
    """Whether the lower end of the interval is above 0, by counting where that decides: to sort takes thirty times as long."""
    below = floor(ENDS[0] * (len(difference_R) - 1))  # the end lies between this place of the sorted draws and the next
    count = np.count_nonzero(difference_R <= ROUNDING)
    if below < count < below + 2:
        return bool(np.quantile(difference_R, ENDS[0]) > ROUNDING)
    return bool(count <= below)
