"""Tiles and their averaged maps, against a naive loop."""

import pytest
import torch

from methods.blocks.tiling import tile_starts, tiled_map


@pytest.mark.parametrize(
    ("length", "tile", "stride", "starts"),
    [
        (512, 128, 128, [0, 128, 256, 384]),
        (10, 4, 3, [0, 3, 6]),
        (11, 4, 3, [0, 3, 6, 7]),  # a last tile flush with the border
        (4, 4, 30, [0]),
    ],
)
def test_tile_starts(length: int, tile: int, stride: int, starts: list[int]) -> None:
    assert tile_starts(length, tile, stride) == starts


def test_a_tile_larger_than_the_image_is_refused() -> None:
    with pytest.raises(ValueError, match="tile of 8 px is larger than the image's 5 px"):
        tile_starts(5, 8, 1)


def position_dependent_map(tiles_NCHW: torch.Tensor) -> torch.Tensor:
    """Differs with the place inside the tile, as a network's map does."""
    ramp = torch.linspace(0, 1, tiles_NCHW.shape[-1])
    return tiles_NCHW.square().sum(dim=1) * (1 + ramp) + ramp[:, None]


@pytest.mark.parametrize("batch_size", [1, 5, 1000])
def test_equals_the_naive_loop(batch_size: int) -> None:
    images = torch.rand(2, 3, 23, 31, generator=torch.Generator().manual_seed(0))
    tile, stride = 8, 3
    total, count = torch.zeros(2, 23, 31), torch.zeros(23, 31)
    for y in tile_starts(23, tile, stride):
        for x in tile_starts(31, tile, stride):
            total[:, y : y + tile, x : x + tile] += position_dependent_map(images[:, :, y : y + tile, x : x + tile])
            count[y : y + tile, x : x + tile] += 1
    assert count.min() >= 1
    torch.testing.assert_close(tiled_map(position_dependent_map, images, tile, stride, batch_size), total / count)


@pytest.mark.parametrize("batch_size", [1, 2, 1000])
def test_images_of_the_tiles_size_are_mapped_as_they_are(batch_size: int) -> None:
    images = torch.rand(3, 3, 8, 8)
    assert torch.equal(tiled_map(position_dependent_map, images, 8, 3, batch_size), position_dependent_map(images))
