"""95 % intervals of a share of test images, where several seeds share the same images."""

from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
RESAMPLES = 2000


def within_0_1(share: float) -> float:
    """A share as it would be without rounding errors, which carry a sum of weights a little beyond 0 or 1."""
    return min(max(share, 0.0), 1.0)


def wilson(correct: float, total: int) -> tuple[float, float]:
    """Wilson's score interval of `correct` in `total` (Wilson, JASA 1927), without continuity correction."""
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    share, spread = correct / total, z * z / total
    centre = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * sqrt(share * (1 - share) / total + spread / (4 * total))
    return within_0_1(centre - half), within_0_1(centre + half)


def image_bootstrap(right_SN: NDArray[np.bool_]) -> tuple[float, float]:
    """Percentile bootstrap of the share of correct decisions, over images.

    Whole images are drawn again, each with the decisions of all its seeds: seeds say how a method varies, they are no further
    images. Where all images are decided alike (0 or 100 %) drawing them again changes nothing, which is no certainty: there the
    interval is Wilson's.

    Args:
        right_SN: whether each seed S decided each image N correctly.
    """
    share_N = right_SN.mean(axis=0)
    if np.ptp(share_N) == 0:
        return wilson(float(share_N.sum()), len(share_N))
    rng = np.random.default_rng(0)
    drawn_RN = rng.integers(0, len(share_N), (RESAMPLES, len(share_N)))
    means_R = share_N[drawn_RN].mean(axis=1)
    low, high = np.quantile(means_R, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return within_0_1(float(low)), within_0_1(float(high))
