"""From scores to Table 2: decisions, accuracies with their intervals. Thresholds: `benchmarks.protocol.thresholds`."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.protocol.intervals import wilson


@dataclass(frozen=True)
class Share:
    """k of n test images classified correctly, with Wilson's 95 % interval of the ratio."""

    correct: int
    total: int
    ratio: float
    interval: tuple[float, float]

    @classmethod
    def of(cls, correct: int, total: int) -> "Share":
        return cls(correct, total, correct / total, wilson(correct, total))


def classified_correctly(
    scores: NDArray[np.float64], defective: NDArray[np.bool_], threshold: float
) -> tuple[Share | None, Share | None]:
    """Table 2's pair: of the good and of the defective images, those on their side of the threshold (anomalous iff above it).

    A side without test images is None.
    """
    right = (scores > threshold) == defective
    good, bad = right[~defective], right[defective]
    return _share(good), _share(bad)


def _share(right: NDArray[np.bool_]) -> Share | None:
    return Share.of(int(right.sum()), len(right)) if len(right) else None
