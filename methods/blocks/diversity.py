"""How much images vary, to tell a network that has collapsed: whatever it is asked, it makes one and the same image."""

from torch import Tensor

LEAST = 0.02  # of the training images' own variation


def diversity(images_NCHW: Tensor) -> Tensor:
    """The standard deviation of a pixel's value over the images, averaged over pixels and channels: a scalar in [0, 0.5]."""
    return images_NCHW.std(dim=0, correction=0).mean()


def collapsed(made: float, training: float) -> dict[str, str]:
    """A fact for the record if what was made varies by less than 2 % of the training images, else nothing."""
    if not made < LEAST * training:
        return {}
    return {"warning": f"collapsed: what the network makes does not vary ({made:.2g}, training images {training:.2g})"}
