"""Ground-truth masks: where the defect is, and whether a file says so in a way that cannot be misread."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.data.images import Header, decode, gray_histogram

DEFECT = 128  # masks are 0 or 255; of users' gray masks the upper half counts


@dataclass(frozen=True)
class MaskContent:
    """What the pixels of a mask hold."""

    highest: int
    """The highest gray value of the file, up to 65535 where it has 16 bits."""
    share: float
    """Of the image that counts as defective."""
    between: bool
    """Whether there are values other than 0 and the highest."""


def read_mask(path: Path) -> NDArray[np.bool_]:
    """Where the defect is, (H, W).

    Raises:
        UserError: the file cannot be read as an image.
    """
    return decode(path, "gray")[..., 0] >= DEFECT


def content_of(path: Path, header: Header) -> MaskContent:
    """Decode a mask and say what is in it.

    Raises:
        UserError: the file cannot be read as an image.
    """
    pixels = gray_histogram(path)
    highest = int(np.flatnonzero(pixels).max(initial=0))
    marked = pixels[lowest_defect(header) :].sum() / pixels.sum()
    return MaskContent(highest, float(marked), bool(pixels[1:highest].any()))


def lowest_defect(header: Header) -> int:
    """The gray value from which a mask of these bits marks a defect."""
    return 32768 if header.bits == 16 and header.grayscale else DEFECT
