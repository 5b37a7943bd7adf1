"""Ground-truth masks: read, and compared with their images before scores are computed."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.errors import UserError
from benchmarks.data.images import decode, size_of
from benchmarks.data.index import ImageFile

DEFECT = 128  # masks are 0 or 255; of users' gray masks the upper half counts


def read_mask(path: Path) -> NDArray[np.bool_]:
    """Where the defect is, (H, W).

    Raises:
        UserError: the file cannot be read as an image.
    """
    return decode(path, "gray")[..., 0] >= DEFECT


def check_masks(images: Iterable[ImageFile]) -> None:
    """Compare the sizes of masks and images, from the files' headers.

    Raises:
        UserError: a mask has another size than its image.
    """
    for image in images:
        if image.mask is not None and size_of(image.mask) != size_of(image.path):
            (height, width), (mask_height, mask_width) = size_of(image.path), size_of(image.mask)
            raise UserError(
                f"{image.mask} has {mask_width} x {mask_height} pixels, its image {image.path.name} {width} x {height}. Draw the "
                "mask at the image's size, or remove the ground_truth folder to go without pixel metrics."
            )
