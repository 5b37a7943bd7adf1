"""From the scores of held-out good images to a threshold, and what each rule promises about false alarms.

The promise holds where the held-out images and a new good image are exchangeable: made by the same process, none of them fitted to.
A threshold at or above the k-th smallest of n held-out scores is then exceeded with probability at most 1 - k / (n + 1).
A method that uses the held-out images itself (`Method.sees_held_out`) breaks that: whoever asks for a promise leaves it out.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.errors import UserError
from benchmarks.protocol.cross import cross_promise

Kind = Literal["maximum", "quantile", "conformal", "given"]
FORMS = "maximum, quantile:Q, conformal:ALPHA or given:X"


@dataclass(frozen=True)
class Rule:
    """One way to a threshold, as `protocol.threshold` names it. `Rule.of("conformal:0.05")` reads it."""

    kind: Kind
    value: float = math.nan
    """Q, ALPHA or X; NaN for `maximum`."""

    @classmethod
    def of(cls, text: str) -> "Rule":
        """Read `maximum`, `quantile:0.95`, `conformal:0.05` or `given:3.2`.

        Raises:
            UserError: another form, or a value out of range.
        """
        kind, _, number = str(text).strip().partition(":")
        if kind == "maximum" and not number:
            return cls("maximum")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        ranges = {"quantile": 0 <= value <= 1, "conformal": 0 < value < 1, "given": math.isfinite(value)}
        if not ranges.get(kind, False):
            raise UserError(
                f"protocol.threshold={text} is not a threshold rule. It is {FORMS}, with Q from 0 to 1 and ALPHA, the promised "
                "false-alarm rate, between 0 and 1; for example protocol.threshold=conformal:0.05."
            )
        return cls(kind, value)  # type: ignore[arg-type]  # one of the keys of `ranges`

    @classmethod
    def of_protocol(cls, protocol: Mapping[str, Any]) -> "Rule":
        """That of a run's `protocol`; older records name none, as there was only the maximum."""
        return cls.of(protocol.get("threshold", "maximum"))

    def __str__(self) -> str:
        return self.kind if self.kind == "maximum" else f"{self.kind}:{self.value:g}"

    @property
    def images_needed(self) -> int:
        """The fewest held-out good images that the rule works with."""
        if self.kind == "conformal":
            return images_for(self.value)
        return 0 if self.kind == "given" else 1

    def threshold(self, scores_V: NDArray[np.float64]) -> float:
        """The threshold from the scores of V held-out good images; an image is anomalous if its score exceeds it.

        Raises:
            ValueError: fewer images than `images_needed`.
        """
        if len(scores_V) < self.images_needed:
            raise ValueError(f"{self} needs {self.images_needed} held-out images, there are {len(scores_V)}")
        if self.kind == "given":
            return self.value
        if self.kind == "conformal":
            return conformal_threshold(scores_V, self.value)
        return maximum_threshold(scores_V) if self.kind == "maximum" else quantile_threshold(scores_V, self.value)

    def promise(self, images: int, folds: int | None = None) -> float | None:
        """The highest probability of a false alarm on a new good image, by the number of held-out ones; None without a promise.

        Args:
            folds: over which `protocol.held_out=cross` holds the images out; None for `split`.
        """
        if self.kind == "given" or images < self.images_needed:
            return None
        rank = images if self.kind == "maximum" else 1 + math.floor(self.value * (images - 1) + 1e-9)
        alpha = self.value if self.kind == "conformal" else 1 - rank / (images + 1)
        return alpha if folds is None else cross_promise(alpha, images, folds)


MAXIMUM = Rule("maximum")
"""The paper's rule, and the default."""


def maximum_threshold(scores_V: NDArray[np.float64]) -> float:
    """The lowest threshold at which no held-out good image has a region of the minimum area: their highest `score_A`.

    Raises:
        ValueError: no score.
    """
    if len(scores_V) == 0:
        raise ValueError("a threshold needs at least one validation image")
    return float(np.max(scores_V))


def quantile_threshold(scores_V: NDArray[np.float64], p: float) -> float:
    """The p-quantile of the held-out scores, interpolated linearly between two neighbours; p = 1 is the maximum."""
    return float(np.quantile(scores_V, p))


def sigma_threshold(scores_V: NDArray[np.float64], k: float) -> float:
    """Mean + k standard deviations (population) of the held-out scores; it may lie above the maximum."""
    return float(scores_V.mean() + k * scores_V.std())


def conformal_threshold(scores_V: NDArray[np.float64], alpha: float) -> float:
    """The ceil((n + 1)(1 - alpha))-th smallest of n held-out scores (split conformal; Vovk et al. 2005).

    A new good image that is exchangeable with the held-out ones exceeds it with probability at most alpha.

    Raises:
        ValueError: fewer than `images_for(alpha)` scores.
    """
    rank = math.ceil((len(scores_V) + 1) * (1 - _exact(alpha)))
    if rank > len(scores_V):
        raise ValueError(f"alpha = {alpha:g} needs {images_for(alpha)} held-out scores, there are {len(scores_V)}")
    return float(np.sort(scores_V)[rank - 1])


def images_for(alpha: float) -> int:
    """The fewest held-out good images from which a false-alarm rate of alpha can be promised: 1 / alpha - 1, rounded up."""
    return math.ceil(1 / _exact(alpha)) - 1


def _exact(alpha: float) -> Fraction:
    """alpha as it is written: (1 - 0.9) * 10 as floats is 0.9999999999999998."""
    return Fraction(repr(float(alpha)))
