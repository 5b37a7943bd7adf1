"""Image files: what a header tells, and pixels. Files are opened only by the formats listed here, whatever their content says."""

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.ImageFile import ImageFile as OpenFile

from benchmarks.common.errors import UserError

Colour = Literal["gray", "rgb", "as_file"]
Fit = Literal["squash", "pad", "crop"]
Mirror = Literal["horizontal", "vertical"]
Border = Literal["border", "reflection", "zeros"]
RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC, "area": Image.Resampling.BOX}

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "JPEG2000", "PPM")
IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".tif", ".tiff", ".webp", ".jp2", ".j2k", ".pgm", ".ppm", ".pnm"}
)
FORMATS_IN_WORDS = "PNG, JPEG (also .jfif), BMP, TIFF, WebP, JPEG 2000, PGM and PPM"
MEGAPIXELS = "DEFECTBENCH_MAX_MEGAPIXELS"
"""The environment variable that raises the limit of an image's size."""
DEFAULT_MEGAPIXELS = 500
UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    Image.DecompressionBombError,
)
Image.MAX_IMAGE_PIXELS = (
    None  # Pillow's own limit speaks of attacks and cannot be raised by users; ours is in `_opened`
)

ORIENTATION = 0x0112
TAIL = 4096
ENDS = {"PNG": b"IEND", "JPEG": b"\xff\xd9"}  # what the last bytes of a whole file hold


@dataclass(frozen=True)
class Header:
    """What an image file tells without its pixels."""

    size: tuple[int, int]
    """(height, width) as shown: after the turn that EXIF or TIFF ask for."""
    mode: str
    """Pillow's: `L` and `I;16` are gray, `RGB` and `RGBA` colour, `P` a palette."""
    bits: int
    orientation: int
    whole: bool
    """Whether the file's end is there, as far as its format tells."""
    stored_size: tuple[int, int]
    """(height, width) before any turn."""
    end: tuple[int, int]
    """The file's length in bytes and a checksum of its end: files that differ in it differ."""

    @property
    def grayscale(self) -> bool:
        return self.mode in {"1", "L", "LA", "F"} or self.mode.startswith("I")


def header(path: Path) -> Header:
    """Read a file's header and its last bytes; no pixel is decoded.

    Raises:
        UserError: it cannot be read as an image, or is larger than the limit.
    """
    with _opened(path) as file:
        length, tail = _tail(file)
        if file.format == "PNG" and b"eXIf" in tail:
            file.load()  # an orientation that is written behind the pixels
        orientation = _orientation(file)
        size, swapped = (file.height, file.width), (file.width, file.height)
        is_turned = orientation in {5, 6, 7, 8}
        if file.format == "TIFF":  # Pillow says a TIFF's size as shown, that of all others as stored
            shown, stored = size, swapped if is_turned else size
        else:
            shown, stored = swapped if is_turned else size, size
        whole = ENDS.get(str(file.format), b"") in tail
        return Header(shown, file.mode, _bits(file), orientation, whole, stored, (length, zlib.crc32(tail)))


def size_of(path: Path) -> tuple[int, int]:
    """(height, width) from the file's header, orientation applied; pixels are not decoded.

    Raises:
        UserError: the file cannot be read as an image.
    """
    return header(path).size


def decode(
    path: Path,
    colour: Colour = "as_file",
    px: int | None = None,
    resample: str = "bilinear",
    fit: Fit = "squash",
    bits: int | None = None,
) -> NDArray[np.uint8]:
    """Read an image file as uint8 pixels of shape (H, W, C), C = 1 for gray and 3 for RGB.

    8 and 16 bits; gray, RGB, RGBA (alpha dropped) and palette; the orientation of EXIF and TIFF applied.

    Args:
        px: the image is resized to px x px; None keeps its size.
        fit: how it gets there where it is not square: `squash` changes its proportions, `pad` repeats its border pixels, `crop`
            keeps the largest square in its middle.
        bits: of 16-bit gray files, how many are used: 2**bits - 1 becomes 255. None takes all 16.

    Raises:
        UserError: the file cannot be read as an image, is larger than the limit, or uses more bits than said.
    """
    with _opened(path) as file:
        return to_pixels(ImageOps.exif_transpose(file), colour, px, resample, fit, bits)


def open_image(path: Path) -> Image.Image:
    """An image file as Pillow's image, read whole and turned as EXIF or TIFF ask for.

    Raises:
        UserError: the file cannot be read as an image, or is larger than the limit.
    """
    with _opened(path) as file:
        file.load()
        image: Image.Image = ImageOps.exif_transpose(file)
        return image


def to_pixels(
    image: Image.Image,
    colour: Colour = "as_file",
    px: int | None = None,
    resample: str = "bilinear",
    fit: Fit = "squash",
    bits: int | None = None,
) -> NDArray[np.uint8]:
    """What `decode` makes of an open image.

    Raises:
        ValueError: pixels of no known range.
    """
    image = _to_8_bit(image, colour, bits)
    if px is not None:
        image = _resized(image, px, RESAMPLING[resample], fit)
    pixels = np.asarray(image)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def content_box(size: tuple[int, int], px: int, fit: Fit) -> tuple[int, int, int, int]:
    """(top, left, bottom, right) of an image of (height, width) in its px x px version: all of it, unless it was padded."""
    if fit != "pad":
        return 0, 0, px, px
    height, width = (max(1, round(px * side / max(size))) for side in size)
    top, left = (px - height) // 2, (px - width) // 2
    return top, left, top + height, left + width


def cropped_box(size: tuple[int, int], fit: Fit) -> tuple[int, int, int, int]:
    """(top, left, bottom, right) of what is seen of an image of (height, width): all of it, unless it was cropped."""
    height, width = size
    if fit != "crop":
        return 0, 0, height, width
    side = min(size)
    top, left = (height - side) // 2, (width - side) // 2
    return top, left, top + side, left + side


def _resized(image: Image.Image, px: int, resampling: Image.Resampling, fit: Fit) -> Image.Image:
    size = image.height, image.width
    top, left, bottom, right = content_box(size, px, fit)
    box_top, box_left, box_bottom, box_right = cropped_box(size, fit)
    if (box_bottom - box_top, box_right - box_left) != (bottom - top, right - left):
        image = image.resize((right - left, bottom - top), resampling, box=(box_left, box_top, box_right, box_bottom))
    elif fit == "crop":
        image = image.crop((box_left, box_top, box_right, box_bottom))
    if image.size == (px, px):
        return image
    around = [(top, px - bottom), (left, px - right)]
    pixels = np.asarray(image)
    return Image.fromarray(np.pad(pixels, [*around, (0, 0)][: pixels.ndim], mode="edge"))


def gray_histogram(path: Path) -> NDArray[np.int64]:
    """How many pixels have each gray value, as the file stores them: 65536 counts of 16-bit gray files, 256 of others.

    Raises:
        UserError: the file cannot be read as an image.
    """
    with _opened(path) as file:
        if file.mode.startswith("I"):
            return np.bincount(np.asarray(file).ravel().clip(0, 65535), minlength=65536)
        return np.array(_to_8_bit(file, "gray", None).histogram())


@contextmanager
def _opened(path: Path) -> Iterator[OpenFile]:
    """An image file, its header read; whatever Pillow raises about its content becomes one kind of error."""
    if not path.is_file():  # opening a named pipe would wait for ever
        raise UserError(f"{path} is {what_is(path)}, not an image file. Remove it.")
    try:
        # Pillow 13.0.0 misreads uncompressed turned TIFFs that it opens by name
        with path.open("rb") as stream, Image.open(stream, formats=FORMATS) as file:
            _check_size(path, file)
            yield file
    except UNREADABLE as error:
        raise UserError(f"Cannot read {path} as an image ({_reason(error)}). Replace the file or remove it.") from error


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return f"it is none of {FORMATS_IN_WORDS}"
    return str(error) or type(error).__name__


def what_is(path: Path) -> str:
    """A path that is no file, in words."""
    if path.is_dir():
        return "a folder"
    if path.exists():
        return "a named pipe or a device"
    return "a link to nothing" if path.is_symlink() else "not there"


def _check_size(path: Path, file: OpenFile) -> None:
    limit = _limit()
    megapixels = file.width * file.height / 1e6
    if megapixels > limit:
        raise UserError(
            f"{path} has {file.width} x {file.height} pixels, {megapixels:.0f} megapixels; the limit is {limit:g}, as each takes "
            f"up to 4 MB of memory. Cut it into parts, or raise the limit: set the variable {MEGAPIXELS}={megapixels + 1:.0f}."
        )


def _limit() -> float:
    """The most megapixels that an image may have."""
    said = os.environ.get(MEGAPIXELS, str(DEFAULT_MEGAPIXELS))
    with suppress(ValueError):
        if (limit := float(said)) > 0:
            return limit
    raise UserError(f"The variable {MEGAPIXELS} is {said!r}: set it to a number of megapixels above 0, or unset it.")


def _tail(file: OpenFile) -> tuple[int, bytes]:
    """The length of an open file, and its last bytes; its place in the file stays."""
    stream = file.fp
    assert stream is not None
    place, end = stream.tell(), stream.seek(0, os.SEEK_END)
    stream.seek(max(0, end - TAIL))
    tail = stream.read(TAIL)
    stream.seek(place)
    return end, bytes(tail)


def _orientation(file: OpenFile) -> int:
    """By EXIF or the TIFF tag. Pillow decodes a PNG to look for EXIF behind its pixels: `header` has done so where there is any."""
    if file.format == "PNG" and "exif" not in file.info:
        return 1
    return int(file.getexif().get(ORIENTATION, 1))


def _bits(file: OpenFile) -> int:
    """8, or 16 where the file has more: also colour, which Pillow brings to 8 by itself."""
    decoders = str(file.tile)
    return 16 if file.mode.startswith("I") or ";16" in decoders else 32 if file.mode == "F" else 8


def _to_8_bit(image: Image.Image, colour: Colour, bits: int | None) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode == "I":
        image = Image.fromarray(_scaled_16_bit(np.asarray(image), bits or 16))
    elif image.mode == "F":
        raise ValueError("floating-point pixels have no known range")
    if image.mode in {"P", "PA"}:
        image = image.convert("RGBA")
    if colour == "as_file":
        colour = "gray" if image.mode in {"1", "L", "LA"} else "rgb"
    return image.convert("L" if colour == "gray" else "RGB")


def _scaled_16_bit(pixels: NDArray[np.integer], bits: int) -> NDArray[np.uint8]:
    highest = 2**bits - 1
    if pixels.min() < 0 or pixels.max() > 65535:
        raise ValueError("pixels of more than 16 bits")
    if pixels.max() > highest:
        raise ValueError(f"values up to {pixels.max()}, but input.bits={bits} allows {highest}")
    scaled: NDArray[np.uint8] = ((pixels.astype(np.uint32) * 255 + highest // 2) // highest).astype(np.uint8)
    return scaled
