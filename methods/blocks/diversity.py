"""How much images vary, to tell a network that has collapsed: whatever it is asked, it makes one and the same image."""

import math

from torch import Tensor

LEAST = 0.02  # of the training images' own variation


def diversity(images_NCHW: Tensor) -> Tensor:
    """The standard deviation of a pixel's value over the images, averaged over pixels and channels: a scalar in [0, 0.5].

    NaN of fewer than two images, which cannot differ.
    """
    if len(images_NCHW) < 2:
        return images_NCHW.new_tensor(math.nan)
    return images_NCHW.std(dim=0, correction=0).mean()


def variety(what: str, made: float, training: float) -> dict[str, str | int | float]:
    """Facts for the record: the diversity of what was made and of the training images; nothing where that is not known.

    With a warning if what was made varies by less than 2 % of the training images.
    """
    if math.isnan(training):
        return {}
    facts: dict[str, str | int | float] = {f"{what}_diversity": made, "training_diversity": training}
    if not made < LEAST * training:
        return facts
    warning = f"collapsed: what the network makes does not vary ({made:.2g}, training images {training:.2g})"
    return {**facts, "warning": warning}
