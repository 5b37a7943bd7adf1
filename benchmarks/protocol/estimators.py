"""Other ways to a threshold from the scores of held-out good images, and how the maximum depends on how many there are.

The maximum is this benchmark's rule (`thresholds.maximum_threshold`). Bergmann et al., IJCV 2021, compare it with a p-quantile and
with mean + k standard deviations. They take these over validation *pixels*; here they are taken over one score per image, so that
they decide about images, as Table 2 does.
"""

from collections.abc import Callable
from functools import partial
from math import comb

import numpy as np
from numpy.typing import NDArray

from benchmarks.protocol.thresholds import maximum_threshold, quantile_threshold, sigma_threshold

Estimator = Callable[[NDArray[np.float64]], float]


MAXIMUM = "maximum"
ESTIMATORS: dict[str, Estimator] = {  # p and k: ours, around the usual 0.99 and 3
    MAXIMUM: maximum_threshold,
    "0.99-quantile": partial(quantile_threshold, p=0.99),
    "0.95-quantile": partial(quantile_threshold, p=0.95),
    "0.9-quantile": partial(quantile_threshold, p=0.9),
    "mean + 3 sigma": partial(sigma_threshold, k=3),
    "mean + 2 sigma": partial(sigma_threshold, k=2),
}


def maximum_of_subsets(total: int, drawn: int) -> NDArray[np.float64]:
    """Which of `total` sorted values is the maximum of a random subset of `drawn` of them: the probability of each, (total,).

    Of the C(n, m) subsets, C(k - 1, m - 1) have the k-th smallest value as their maximum: no subset needs to be drawn.

    Raises:
        ValueError: `drawn` is not between 1 and `total`.
    """
    if not 1 <= drawn <= total:
        raise ValueError(f"{drawn} of {total} images cannot be drawn")
    subsets = comb(total, drawn)
    return np.array([comb(k - 1, drawn - 1) / subsets for k in range(1, total + 1)])
