"""Whether the good test images come from another light than the training images: a method then calls the light defective."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.data.images import decode
from benchmarks.data.index import Category, ImageFile

LOOKED_AT = 100
"""Images of each side whose mean gray value is taken."""
LOOK_PX = 32
SIGNIFICANCE = 0.001  # ours: a warning on one folder in a thousand where nothing differs


@dataclass(frozen=True)
class Light:
    """Mean gray values, 0 to 255, and the p value of the two-sided rank test (Mann and Whitney 1947) between the images'."""

    training: float
    test: float
    p: float

    @property
    def differs(self) -> bool:
        return self.p < SIGNIFICANCE

    def __str__(self) -> str:
        said = f"mean gray value {self.test:.0f} against {self.training:.0f} of 255, rank test p = {self.p:.2g}"
        if not self.differs:
            return f"The good test images are as bright as the training images ({said})."
        direction = "brighter" if self.test > self.training else "darker"
        return (
            f"The good test images are {direction} than the training images ({said}): false alarms may come from the light, and "
            "missed or found defects too. Take both under one light, or train on both."
        )


def light(category: Category) -> Light | None:
    """Compare the brightness of good images on both sides; None if no good image is left for testing."""
    good = [image for image in category.test if not image.is_defective]
    if not good:
        return None
    training_N, test_M = _means(category.train), _means(good)
    from scipy.stats import mannwhitneyu  # a second to import

    return Light(float(training_N.mean()), float(test_M.mean()), float(mannwhitneyu(training_N, test_M).pvalue))


def _means(images: Sequence[ImageFile]) -> NDArray[np.float64]:
    chosen = images[:: -(-len(images) // LOOKED_AT)]
    return np.array([decode(image.path, "gray", LOOK_PX, "area").mean() for image in chosen])
