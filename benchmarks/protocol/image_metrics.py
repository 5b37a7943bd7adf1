"""Threshold-free metrics of a category's images, from raw scores."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score


def image_auroc(scores: NDArray[np.float64], defective: NDArray[np.bool_]) -> float | None:
    """Area under the ROC curve of the raw scores; None unless there are good and defective images."""
    if defective.all() or not defective.any():
        return None
    return float(roc_auc_score(defective, scores))
