"""Decoding: any common image file to 8-bit pixels."""

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from benchmarks.common.errors import UserError

Colour = Literal["gray", "rgb", "as_file"]
RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC, "area": Image.Resampling.BOX}


def decode(
    path: Path, colour: Colour = "as_file", px: int | None = None, resample: str = "bilinear"
) -> NDArray[np.uint8]:
    """Read an image file as uint8 pixels of shape (H, W, C), C = 1 for gray and 3 for RGB.

    PNG, JPEG, BMP and TIFF; 8 and 16 bits; gray, RGB, RGBA (alpha dropped) and palette; EXIF orientation applied. 16-bit gray is
    scaled by its full range, 65535 -> 255. With `px` the image is resized to px x px, whatever its own proportions.

    Raises:
        UserError: the file cannot be read as an image.
    """
    try:
        with Image.open(path) as file:
            image = _to_8_bit(ImageOps.exif_transpose(file), colour)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"Cannot read {path} as an image ({error}). Replace the file or remove it.") from error
    if px is not None and image.size != (px, px):
        image = image.resize((px, px), RESAMPLING[resample])
    pixels = np.asarray(image)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def size_of(path: Path) -> tuple[int, int]:
    """(height, width) from the file's header, EXIF orientation applied; pixels are not decoded.

    Raises:
        UserError: the file cannot be read as an image.
    """
    try:
        with Image.open(path) as file:
            turned = file.getexif().get(0x0112, 1) in {5, 6, 7, 8}
            return file.size if turned else (file.height, file.width)
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"Cannot read {path} as an image ({error}). Replace the file or remove it.") from error


def _to_8_bit(image: Image.Image, colour: Colour) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode == "I":
        image = Image.fromarray(_scaled_16_bit(np.asarray(image)))
    elif image.mode == "F":
        raise ValueError("floating-point pixels have no known range")
    if image.mode in {"P", "PA"}:
        image = image.convert("RGBA")
    if colour == "as_file":
        colour = "gray" if image.mode in {"1", "L", "LA"} else "rgb"
    return image.convert("L" if colour == "gray" else "RGB")


def _scaled_16_bit(pixels: NDArray[np.integer]) -> NDArray[np.uint8]:
    if pixels.min() < 0 or pixels.max() > 65535:
        raise ValueError("pixels of more than 16 bits")
    return ((pixels.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
