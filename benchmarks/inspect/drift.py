"""Drift: whether the scores of the last images called good still look like those of the held-out good images."""

from collections import deque
from collections.abc import Sequence

WINDOW = 50
SIGNIFICANCE = 0.001  # ours: with a test for each 50 images, one false warning in 50,000 images


class Drift:
    """The two-sample Kolmogorov-Smirnov test of the last 50 scores called good against the held-out scores called good.

    Args:
        held_out_scores: scores of the held-out good images.
        threshold: scores above it are called defective, in both samples.
    """

    def __init__(self, held_out_scores: Sequence[float], threshold: float) -> None:
        self.threshold = threshold
        self.expected = [score for score in held_out_scores if score <= threshold]
        self._recent: deque[float] = deque(maxlen=WINDOW)
        self._since_test = 0

    def add(self, score: float) -> str | None:
        """Take in one score; a sentence where the last 50 good ones have drifted, tested once for every 50 of them."""
        if score > self.threshold:
            return None
        self._recent.append(score)
        self._since_test += 1
        if self._since_test < WINDOW:
            return None
        self._since_test = 0
        return self._tested()

    def _tested(self) -> str | None:
        from scipy.stats import ks_2samp  # a second to import

        test = ks_2samp(self.expected, list(self._recent))
        if test.pvalue >= SIGNIFICANCE:
            return None
        direction = "higher" if sum(self._recent) / WINDOW > sum(self.expected) / len(self.expected) else "lower"
        return (
            f"drift: the last {WINDOW} images called good score {direction} than the {len(self.expected)} held-out ones "
            f"(Kolmogorov-Smirnov, p = {test.pvalue:.1g}). Check light, camera and focus, or fit the inspector anew."
        )
