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
