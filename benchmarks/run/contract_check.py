"""What every method promises (`methods/contract.py`), checked in each run on held-out samples, before any test sample is seen.

Shape, type and finiteness of what is predicted are checked throughout, where it is taken in; finiteness here as well, as NaN would
be taken for another fault.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pytorch_lightning.utilities.seed import isolate_rng

from methods.contract import Method, MethodError

TOLERANCE = 0.01
"""Of the mean absolute value. Rounding in another order stays far below it, even after the hundreds of steps of a latent search;
batch statistics that reach into a prediction do not.
"""

Predict = Callable[[Method, int], NDArray[Any]]
"""Predictions for the first so many held-out samples, in one batch: (count, ...)."""


def check_contract(method: Method, predict: Predict, remake: Callable[[], Method]) -> None:
    """Check a fitted method.

    Args:
        remake: makes the method anew, unfitted.

    Raises:
        MethodError: a prediction is no number, depends on the other samples of its batch, or is lost with the checkpoint.
    """
    alone, in_a_batch = predict(method, 1)[0], predict(method, 2)[0]
    name = type(method).__name__
    if not (np.isfinite(alone).all() and np.isfinite(in_a_batch).all()):
        raise MethodError(f"{name} predicts values that are infinite or no number, for held-out good samples already.")
    larger = max(np.abs(alone).mean(), np.abs(in_a_batch).mean(), np.finfo(np.float32).tiny)
    difference = np.abs(alone - in_a_batch).mean() / larger
    if difference > TOLERANCE:
        raise MethodError(
            f"{name} breaks the contract: what it predicts depends on the other samples of a batch (mean difference "
            f"{difference:.1%}). Is it batch statistics, or a module left in training mode?"
        )
    if not np.array_equal(predict(_reloaded(method, remake), 1)[0], alone):
        raise MethodError(
            f"{name} breaks the contract: rebuilt from its state_dict it predicts something else. Is something that was fitted "
            "neither a registered buffer nor a parameter?"
        )


def _reloaded(method: Method, remake: Callable[[], Method]) -> Method:
    with isolate_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = remake()
    other.load_state_dict(method.state_dict())
    return other
