"""Gaussian blur of maps, as scipy.ndimage.gaussian_filter does it, on the maps' device."""

import torch
from torch import Tensor
from torch.nn import functional as F

TRUNCATE = 4  # scipy's default: the kernel ends at so many sigmas


def gaussian_blur(maps_BHW: Tensor, sigma: float) -> Tensor:
    """Maps (B, H, W), smoothed, or as they are with sigma 0; beyond the border they go on mirrored, the edge pixel repeated."""
    if not sigma:
        return maps_BHW
    radius = int(TRUNCATE * sigma + 0.5)
    offsets = torch.arange(-radius, radius + 1, dtype=maps_BHW.dtype, device=maps_BHW.device)
    kernel = torch.softmax(-0.5 * (offsets / sigma).square(), dim=0)
    height, width = maps_BHW.shape[1:]
    padded_B1HW = maps_BHW[:, _mirrored(height, radius)][:, :, _mirrored(width, radius)][:, None]
    return F.conv2d(F.conv2d(padded_B1HW, kernel[None, None, :, None]), kernel[None, None, None])[:, 0]


def _mirrored(length: int, radius: int) -> Tensor:
    """Indices of `length` pixels with a border of `radius` on either side: ... 1 0 0 1 2 ..."""
    index = torch.arange(-radius, length + radius) % (2 * length)
    return torch.minimum(index, 2 * length - 1 - index)
