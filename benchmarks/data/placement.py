"""Where a map lies on its image: all of it, unless the image was padded or cropped to a method's square (`input.fit`)."""

import numpy as np
from numpy.typing import NDArray

from benchmarks.data.images import Fit, content_box, cropped_box
from benchmarks.protocol.pixel_metrics import resize_map


def map_on_image(map_HW: NDArray[np.float32], size: tuple[int, int], fit: Fit) -> NDArray[np.float32]:
    """A method's map at its image's (height, width): without what was padded; what was cropped away gets the lowest value."""
    top, left, bottom, right = content_box(size, map_HW.shape[0], fit) if fit == "pad" else (0, 0, *map_HW.shape)
    seen_top, seen_left, seen_bottom, seen_right = cropped_box(size, fit)
    content_HW = np.ascontiguousarray(map_HW[top:bottom, left:right])
    seen_HW = resize_map(content_HW, seen_bottom - seen_top, seen_right - seen_left)
    if seen_HW.shape == size:
        return seen_HW
    whole_HW = np.full(size, map_HW.min(), np.float32)
    whole_HW[seen_top:seen_bottom, seen_left:seen_right] = seen_HW
    return whole_HW


def area_on_image(area: float, size: tuple[int, int], fit: Fit) -> float:
    """A share of a method's map as a share of its image of (height, width)."""
    height, width = size
    side = {"squash": None, "pad": max(size), "crop": min(size)}[fit]
    return area if side is None else min(1.0, area * side * side / (height * width))
