"""Regions: 8-connected components, of ground-truth masks as of segmented maps (PROTOCOL: MVTec AD, CVPR 2019, section 4.2)."""

import numpy as np
from numpy.typing import NDArray

EIGHT_CONNECTED = np.ones((3, 3), dtype=np.int8)


def label_regions(mask_HW: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
    """The number of each pixel's region, 0 outside of all, and how many there are."""
    from scipy import ndimage  # half a second to import, which those who only read records are spared

    labels_HW, count = ndimage.label(mask_HW, structure=EIGHT_CONNECTED)
    return np.asarray(labels_HW, np.int32), int(count)


def bounding_box(mask_HW: NDArray[np.bool_]) -> tuple[slice, slice]:
    """The smallest box that holds the mask, which must not be empty."""
    rows, columns = np.flatnonzero(mask_HW.any(axis=1)), np.flatnonzero(mask_HW.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def regions_above(map_HW: NDArray[np.floating], threshold: float, area: int) -> int:
    """How many regions of at least `area` pixels lie above the threshold; none exactly if `score_A` does not exceed it."""
    labels_HW, _ = label_regions(
        map_HW > np.float64(threshold)
    )  # a Python number would be rounded to the map's 32 bits
    return int(np.count_nonzero(np.bincount(labels_HW.ravel())[1:] >= area))
