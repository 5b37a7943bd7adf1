"""Threshold-free metrics of a category's images, from raw scores."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.protocol.intervals import within_0_1


@dataclass(frozen=True)
class ImageMetrics:
    """How well one score per image ranks defective above good images, whatever the threshold."""

    auroc: float
    average_precision: float
    f1_max: float
    """The highest F1 of the defective class over all thresholds: chosen on test images, so an upper bound, not a result."""


def image_metrics(scores: NDArray[np.float64], defective: NDArray[np.bool_]) -> ImageMetrics | None:
    """Metrics of raw scores (N,), higher = more anomalous; None unless there are good and defective images."""
    # a second to import, which those who only read records are spared
    from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

    if defective.all() or not defective.any():
        return None
    precision, recall, _ = precision_recall_curve(defective, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny)
    return ImageMetrics(
        auroc=within_0_1(float(roc_auc_score(defective, scores))),
        average_precision=within_0_1(float(average_precision_score(defective, scores))),
        f1_max=within_0_1(float(f1.max())),
    )


def roc_points(
    scores: NDArray[np.float64], defective: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Corners of the ROC curve, from (0, 0) to (1, 1): false-positive and true-positive rates, equal scores found together."""
    found_T, false_T = _found(scores, defective)
    return np.append(0, false_T / max(1, false_T[-1])), np.append(0, found_T / max(1, found_T[-1]))


def precision_recall_points(
    scores: NDArray[np.float64], defective: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Recalls, falling, and precisions at each threshold; the last point is recall 0 at precision 1."""
    found_T, false_T = _found(scores, defective)
    first = int(np.searchsorted(found_T, found_T[-1]))  # lower thresholds find nothing more
    recall_T, precision_T = found_T / found_T[-1], found_T / (found_T + false_T)
    return np.append(recall_T[first::-1], 0), np.append(precision_T[first::-1], 1)


def _found(scores: NDArray[np.float64], defective: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Defective and good images at or above each distinct score, from the highest down."""
    order = np.argsort(-scores, kind="stable")
    last_of_equal = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    found_N = np.cumsum(defective[order], dtype=np.int64)
    found_T = found_N[last_of_equal]
    return found_T, (last_of_equal + 1 - found_T).astype(np.int64)
