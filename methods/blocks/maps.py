"""Anomaly maps from scores on the grid of a feature map."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F

from methods.blocks.blur import gaussian_blur


def enlarged(scores_BPQ: Tensor, size: Sequence[int], sigma: float = 0) -> Tensor:
    """Maps (B, H, W): scores of a grid that covers the image, bilinear between its cells, then smoothed by sigma pixels."""
    maps_BHW: Tensor = F.interpolate(scores_BPQ[:, None], size=list(size), mode="bilinear")[:, 0]
    return gaussian_blur(maps_BHW, sigma)
