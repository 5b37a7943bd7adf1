"""Cross-conformal scores: every good image is held out once, so that few good images give as many held-out scores.

K models are fitted, each to all good images but those of one fold. A held-out image is scored by the model that has not seen it,
a new image by all K. The new image's rank counts the held-out scores that lie below the score that *their* model gives it; no score
is compared across models. With a threshold at the ceil((n + 1)(1 - alpha))-th smallest held-out score, a new good image raises an
alarm with probability at most `cross_promise` (Vovk 2015; Barber et al., "Predictive inference with the jackknife+", 2021). A
method that uses the held-out images itself has seen them, so nothing is promised for it.
"""

from math import inf

import numpy as np
from numpy.typing import NDArray


def cross_scores(
    held_out_V: NDArray[np.float64], fold_V: NDArray[np.integer], test_KN: NDArray[np.float64]
) -> NDArray[np.float64]:
    """One score for each new image, on the scale of the held-out ones: above the r-th smallest iff its rank is r or more.

    Between two neighbouring held-out scores it is the mean of the K scores, kept between the two. Where held-out scores are equal
    the lower rank counts, so that there are never more alarms than the rank gives.

    Args:
        held_out_V: scores of the good images, each by the model that was fitted without its fold.
        fold_V: the fold of each, 0 to K - 1.
        test_KN: scores of N new images by the K models.

    Raises:
        ValueError: a fold without images, or not one score per image.
    """
    folds = len(test_KN)
    if held_out_V.shape != fold_V.shape or not np.array_equal(np.unique(fold_V), np.arange(folds)):
        raise ValueError(f"{len(held_out_V)} held-out scores of folds {np.unique(fold_V)}, and {folds} models")
    below_KN = [np.searchsorted(np.sort(held_out_V[fold_V == fold]), test_KN[fold], "left") for fold in range(folds)]
    rank_N = np.sum(below_KN, axis=0)
    bounds = np.concatenate([[-inf], np.sort(held_out_V), [inf]])
    just_above_N = np.nextafter(bounds[rank_N], inf)
    scores_N: NDArray[np.float64] = np.minimum(np.maximum(test_KN.mean(axis=0), just_above_N), bounds[rank_N + 1])
    return scores_N


def cross_promise(alpha: float, images: int, folds: int) -> float:
    """The highest probability of a false alarm: 2 alpha, and a term that vanishes as the folds become single images.

    The term is the smaller of 2 (1 - 1/K) / (n/K + 1) and (1 - K/n) / (K + 1); in practice the rate is near alpha.
    """
    excess = min(2 * (1 - 1 / folds) / (images / folds + 1), (1 - folds / images) / (folds + 1))
    return min(1.0, 2 * alpha + excess)
