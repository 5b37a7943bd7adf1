"""`score_A`, the one number per image that decides everything (PROTOCOL: MVTec AD, CVPR 2019, section 4.2 in exact form).

For a map `m` and an area `A`, `score_A(m)` is the largest `t` such that `{m >= t}` has an 8-connected component of at least `A`
pixels. It equals the maximum of the grayscale area opening of `m` by `A`.
"""

from collections.abc import Sequence

import numba
import numpy as np
from numpy.typing import NDArray


def area_in_pixels(share: float, pixels: int) -> int:
    """The minimum defect area in pixels: a share of the image's area, at least one pixel."""
    return max(1, round(share * pixels))


def area_scores(map_HW: NDArray[np.floating], areas: Sequence[int]) -> NDArray[np.float64]:
    """`score_A` of one map for several areas, in one pass.

    Pixels are visited from the highest down and merged by union-find; as soon as a component reaches an area, the value of the
    pixel that was visited last is that area's score. The pass stops when the largest area is reached. Equal values need no
    care: the component that reaches `A` at value `v` lies in `{m >= v}`, and every `t > v` was visited before.

    Args:
        map_HW: anomaly map, higher = more anomalous.
        areas: in pixels, each between 1 and H * W, in any order.

    Returns:
        The scores, in the order of `areas`, shape (len(areas),).

    Raises:
        ValueError: the map is not two-dimensional or not finite, or an area is out of range.
    """
    if map_HW.ndim != 2:
        raise ValueError(f"a map has two dimensions, this one has shape {map_HW.shape}")
    if not np.isfinite(map_HW).all():
        raise ValueError(f"the map has {np.count_nonzero(~np.isfinite(map_HW))} values that are NaN or infinite")
    areas_A = np.asarray(areas, dtype=np.int64)
    if areas_A.size == 0 or areas_A.min() < 1 or areas_A.max() > map_HW.size:
        raise ValueError(f"areas must lie between 1 and {map_HW.size} pixels, got {list(areas)}")
    increasing = np.argsort(areas_A, kind="stable")
    values = np.ascontiguousarray(map_HW).ravel()
    height, width = map_HW.shape
    reached_at = _grow(_ascending(values)[::-1], height, width, areas_A[increasing])
    scores = np.empty(len(areas_A), dtype=np.float64)
    scores[increasing] = values[reached_at]
    return scores


def _ascending(values: NDArray[np.floating]) -> NDArray[np.int64]:
    """Where the values lie, from the lowest up. NumPy sorts 16 bits by counting them: twice that beats comparing 32-bit floats."""
    if values.dtype != np.float32:
        return np.argsort(values)
    bits = values.view(np.int32)
    ordered = np.where(bits < 0, bits ^ 0x7FFFFFFF, bits)  # integers in the order of the floats
    by_low = np.argsort(ordered.astype(np.uint16), kind="stable")
    return by_low[np.argsort((ordered >> 16).astype(np.int16)[by_low], kind="stable")]


@numba.njit(cache=True)
def _grow(descending: NDArray[np.int64], height: int, width: int, areas: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each area (increasing), the pixel whose visit made a component reach it."""
    reached_at = np.empty(areas.size, np.int64)
    next_area = 0
    parent = np.full(height * width, -1, np.int32)  # -1: not visited yet
    size = np.ones(height * width, np.int32)
    for pixel in descending:
        parent[pixel] = pixel
        root = pixel
        row, column = pixel // width, pixel % width
        for r in range(max(row - 1, 0), min(row + 2, height)):
            for c in range(max(column - 1, 0), min(column + 2, width)):
                neighbour = r * width + c
                if parent[neighbour] >= 0:
                    root = _merge(parent, size, root, _find(parent, neighbour))
        while size[root] >= areas[next_area]:
            reached_at[next_area] = pixel
            next_area += 1
            if next_area == areas.size:
                return reached_at
    return reached_at


@numba.njit(cache=True)
def _find(parent: NDArray[np.int32], pixel: int) -> int:
    while parent[pixel] != pixel:
        parent[pixel] = parent[parent[pixel]]
        pixel = parent[pixel]
    return pixel


@numba.njit(cache=True)
def _merge(parent: NDArray[np.int32], size: NDArray[np.int32], a: int, b: int) -> int:
    """Join two components by their roots, the smaller below the larger; the root of both."""
    if a == b:
        return a
    if size[a] < size[b]:
        a, b = b, a
    parent[b] = a
    size[a] += size[b]
    return a
