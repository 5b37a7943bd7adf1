"""Anomaly maps as files, in the layout that MVTec's official evaluation program reads.

    <method>/<category>/test/<type>/NNN.tiff      32-bit float, at the image's own size
    <method>/<category>/validation/NNN.tiff       of the held-out good images, NNN as in train/good

Image scores are made from the method's own map, pixel metrics from the map at the image's size. Where these differ the own map is
the file's second page, marked as such: `tifffile.imread`, which the official program uses, returns the first one alone.
"""

import struct
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import tifffile
from numpy.typing import NDArray

from benchmarks.common.errors import UserError
from benchmarks.data.index import ImageFile

OWN_SIZE = "anomaly map at the method's own size"
VALIDATION = "validation"


class StoredMap(NamedTuple):
    """One image's map at the image's size, and as the method made it (the same array if that is its size)."""

    at_image_size_HW: NDArray[np.float32]
    own_HW: NDArray[np.float32]


def map_path(image: ImageFile) -> PurePosixPath:
    """The place of an image's map below the folder of its category."""
    part, *inside = (image.place or str(PurePosixPath(image.name).with_suffix(""))).split("/")
    folders = [VALIDATION, *inside[1:]] if part == "train" else [part, *inside]
    return PurePosixPath(*folders[:-1], f"{folders[-1]}.tiff")


def write_map(path: Path, stored: StoredMap) -> None:
    """Write one map, in one or two pages."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tifffile.TiffWriter(path) as file:
        file.write(stored.at_image_size_HW, photometric="minisblack", metadata=None)
        if stored.own_HW.shape != stored.at_image_size_HW.shape:
            file.write(stored.own_HW, photometric="minisblack", metadata=None, description=OWN_SIZE)


def read_map(path: Path, size: tuple[int, int]) -> StoredMap:
    """Read the map of an image of the given height and width, whoever wrote it.

    Raises:
        UserError: the file cannot be read, or is not one finite floating-point map of that size.
    """
    try:
        with tifffile.TiffFile(path) as file:
            first = file.pages[0].aspage()
            _check_page(path, first, size)
            first_HW = first.asarray()
            second = file.pages[1].aspage() if len(file.pages) > 1 else None
            own_HW = first_HW
            if second is not None and second.description == OWN_SIZE:
                _check_page(path, second, None)
                own_HW = second.asarray()
    except (OSError, ValueError, LookupError, TypeError, struct.error) as error:
        raise UserError(f"Cannot read {path} as a TIFF ({error}). Write the map again.") from error
    return StoredMap(_checked(path, first_HW), _checked(path, own_HW))


def _check_page(path: Path, page: tifffile.TiffPage, size: tuple[int, int] | None) -> None:
    """Compare what a page's header declares with what is wanted, before memory is asked for."""
    found = " x ".join(str(length) for length in page.shape[::-1])
    if size is not None and page.shape != size:
        raise UserError(
            f"{path} has {found} pixels, its image {size[1]} x {size[0]}. Write one map of the image's size, resized bilinearly."
        )
    if len(page.shape) != 2:
        raise UserError(
            f"{path}: its second page is {found}, not one map. Leave it out, or write the map of the method's size."
        )
    if page.compression == 1 and page.nbytes > path.stat().st_size:
        raise UserError(f"{path} declares {found} pixels, more than the file holds. Write the map again.")


def _checked(path: Path, map_HW: NDArray[np.generic]) -> NDArray[np.float32]:
    if not np.issubdtype(map_HW.dtype, np.floating):
        raise UserError(
            f"{path} holds {map_HW.dtype} values. Write the raw scores as 32-bit float: rounding them makes equals of what differs."
        )
    with np.errstate(over="ignore"):
        raw_HW = map_HW.astype(np.float32, copy=False)
    if not np.isfinite(raw_HW).all():
        raise UserError(
            f"{path} has {np.count_nonzero(~np.isfinite(raw_HW))} values that are NaN, infinite or beyond 32 bits. Every pixel "
            "needs a score; one that cannot be judged gets the lowest."
        )
    return raw_HW
