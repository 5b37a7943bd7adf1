"""Maps of images that are larger than a method's input: overlapping tiles, averaged where they overlap.

MVTec AD, CVPR 2019, section 4.1: texture images are evaluated in a strided fashion and the anomaly maps are averaged.
"""

from collections.abc import Callable

import torch
from torch import Tensor


def tile_starts(length: int, tile: int, stride: int) -> list[int]:
    """First pixels of the tiles along one side: every `stride` pixels, and a last tile flush with the border (ours).

    Raises:
        ValueError: the tile is larger than the image.
    """
    if tile > length:
        raise ValueError(f"a tile of {tile} px is larger than the image's {length} px")
    last = length - tile
    starts = list(range(0, last + 1, stride))
    return starts if starts[-1] == last else [*starts, last]


def tiled_map(
    map_of: Callable[[Tensor], Tensor], images_BCHW: Tensor, tile: int, stride: int, batch_size: int
) -> Tensor:
    """Anomaly maps (B, H, W) of images by the maps of their tiles, averaged over all tiles that cover a pixel.

    Args:
        map_of: maps tiles (N, C, tile, tile) to their anomaly maps (N, tile, tile).
        batch_size: tiles handed to `map_of` at once; bounds the memory.
    """
    batch, _, height, width = images_BCHW.shape
    if (height, width) == (tile, tile):
        return torch.cat([map_of(some_BCHW) for some_BCHW in torch.split(images_BCHW, batch_size)])
    places = [(y, x) for y in tile_starts(height, tile, stride) for x in tile_starts(width, tile, stride)]
    maps_BHW = torch.stack([_stitched(map_of, images_BCHW[index], places, tile, batch_size) for index in range(batch)])
    covered_HW = images_BCHW.new_zeros(height, width)
    for y, x in places:
        covered_HW[y : y + tile, x : x + tile] += 1
    return maps_BHW / covered_HW


def _stitched(
    map_of: Callable[[Tensor], Tensor], image_CHW: Tensor, places: list[tuple[int, int]], tile: int, batch_size: int
) -> Tensor:
    """The sum of the tiles' maps of one image, (H, W). One image at a time: its map must not depend on its neighbours."""
    sum_HW = image_CHW.new_zeros(image_CHW.shape[1:])
    for first in range(0, len(places), batch_size):
        chunk = places[first : first + batch_size]
        tiles_NCHW = torch.stack([image_CHW[:, y : y + tile, x : x + tile] for y, x in chunk])
        for (y, x), map_HW in zip(chunk, map_of(tiles_NCHW), strict=True):
            sum_HW[y : y + tile, x : x + tile] += map_HW
    return sum_HW
