"""Perlin noise against loops over pixels, and what masks cut from it look like."""

import math

import torch

from methods.blocks.perlin import perlin_masks, perlin_noise


def noise_by_loops(angles: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Perlin's construction, one pixel at a time."""
    cells_y, cells_x = (points - 1 for points in angles.shape)
    found = torch.zeros(height, width, dtype=torch.float64)
    for row in range(height):
        for column in range(width):
            y, x = row * cells_y / height, column * cells_x / width
            weight_y, weight_x = (6 * t**5 - 15 * t**4 + 10 * t**3 for t in (y % 1, x % 1))
            for j in (0, 1):
                for i in (0, 1):
                    angle = float(angles[int(y) + j, int(x) + i])
                    product = math.cos(angle) * (y % 1 - j) + math.sin(angle) * (x % 1 - i)
                    share = (weight_y if j else 1 - weight_y) * (weight_x if i else 1 - weight_x)
                    found[row, column] += math.sqrt(2) * share * product
    return found


def test_noise_is_perlins() -> None:
    angles = 2 * math.pi * torch.rand(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(perlin_noise(angles, 12, 16), noise_by_loops(angles, 12, 16))


def test_masks_are_empty_as_often_as_asked_and_cover_what_exceeds_the_threshold() -> None:
    torch.manual_seed(0)
    masks = perlin_masks(400, (32, 32), threshold=0.2, octaves=5, empty_share=0.5)
    assert masks.shape == (400, 1, 32, 32) and set(masks.unique().tolist()) == {0.0, 1.0}
    empty = (masks.sum(dim=(1, 2, 3)) == 0).float().mean()
    assert 0.45 < empty < 0.6  # a mask of few cells may also stay below the threshold
    covered = masks.mean(dim=(1, 2, 3))
    assert 0.15 < covered[covered > 0].mean() < 0.45


def test_the_share_that_is_covered_falls_with_the_threshold() -> None:
    def covered(threshold: float) -> float:
        torch.manual_seed(1)
        return perlin_masks(100, (32, 32), threshold, 5, 0.0).mean().item()

    assert covered(-2.0) == 1.0 > covered(0.0) > covered(0.2) > covered(0.6) > covered(2.0) == 0.0
