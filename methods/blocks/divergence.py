"""Training that diverged ends here, before its maps are scored."""

import math

from torch import Tensor

from methods.contract import MethodError


def require_finite(loss: Tensor, epoch: int) -> None:
    """Check the last loss of an epoch, a scalar.

    Raises:
        MethodError: it is NaN or infinite.
    """
    value = loss.item()
    if not math.isfinite(value):
        raise MethodError(f"The loss became {value} in epoch {epoch}: lower method.model.learning_rate.")
