"""The threshold for samples without regions: a stated false-alarm rate on held-out normal samples."""

import math

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.errors import UserError


def threshold_at(validation_scores: NDArray[np.float64], false_alarm_rate: float) -> float:
    """The lowest held-out score that at most a share `false_alarm_rate` of the held-out normal samples exceed.

    A rate of 0 is their highest score, the rule for images (`thresholds.maximum_threshold`).

    Raises:
        UserError: a rate outside [0, 1).
        ValueError: no validation score.
    """
    check_rate(false_alarm_rate)
    if len(validation_scores) == 0:
        raise ValueError("a threshold needs at least one validation sample")
    # the small addition: 0.07 * 100 is 7.000000000000001, but 0.29 * 100 is 28.999999999999996
    alarms = math.floor(false_alarm_rate * len(validation_scores) + 1e-9)
    return float(np.sort(validation_scores)[len(validation_scores) - 1 - alarms])


def check_rate(false_alarm_rate: float) -> None:
    """Refuse a share that is none.

    Raises:
        UserError: a rate outside [0, 1).
    """
    if not 0 <= false_alarm_rate < 1:
        raise UserError(f"protocol.false_alarm_rate={false_alarm_rate} is no share from 0 to below 1.")
