"""Perlin noise (Perlin, An Image Synthesizer, SIGGRAPH 1985; fade of 2002) and the masks that methods cut from it."""

import math

import torch
from torch import Tensor


def perlin_noise(angles_YX: Tensor, height: int, width: int) -> Tensor:
    """Noise (height, width), about -1 to 1, of a lattice whose gradients have the given angles, (cells + 1) in each direction.

    Pixel (0, 0) lies on the lattice's first point.
    """
    gradients_YX2 = torch.stack([angles_YX.cos(), angles_YX.sin()], dim=2)
    y_H, x_W = (
        torch.arange(length, dtype=angles_YX.dtype) * (points - 1) / length
        for length, points in zip((height, width), angles_YX.shape, strict=True)
    )
    cell_y, cell_x = torch.meshgrid(y_H.long(), x_W.long(), indexing="ij")
    y_HW, x_HW = torch.meshgrid(y_H % 1, x_W % 1, indexing="ij")

    def corner(down: int, right: int) -> Tensor:
        """Product of a cell corner's gradient and the way from there."""
        gradient_HW2 = gradients_YX2[cell_y + down, cell_x + right]
        return gradient_HW2[..., 0] * (y_HW - down) + gradient_HW2[..., 1] * (x_HW - right)

    fade_y, fade_x = _fade(y_HW), _fade(x_HW)
    left, right = (torch.lerp(corner(0, side), corner(1, side), fade_y) for side in (0, 1))
    return math.sqrt(2) * torch.lerp(left, right, fade_x)


def _fade(t: Tensor) -> Tensor:
    return t**3 * (t * (6 * t - 15) + 10)


def perlin_masks(count: int, size: tuple[int, int], threshold: float, octaves: int, empty_share: float) -> Tensor:
    """Random masks (count, 1, height, width), 1 where noise exceeds the threshold, else 0.

    Args:
        octaves: cells in each direction are 1, 2, 4, ... 2^(octaves - 1), drawn for each mask and direction.
        empty_share: chance that a mask is left empty.
    """
    return torch.stack([_mask(size, threshold, octaves, empty_share) for _ in range(count)])[:, None]


def _mask(size: tuple[int, int], threshold: float, octaves: int, empty_share: float) -> Tensor:
    if torch.rand(()) < empty_share:
        return torch.zeros(size)
    cells_y, cells_x = (2 ** torch.randint(octaves, (2,))).tolist()
    angles_YX = 2 * math.pi * torch.rand(cells_y + 1, cells_x + 1)
    return (perlin_noise(angles_YX, *size) > threshold).float()
