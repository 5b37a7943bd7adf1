"""Images of a category, decoded once: one uint8 array of shape (N, H, W, C), memory-mapped from a file keyed by content."""

import hashlib
import io
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL.Image import Image as PillowImage
from tqdm import tqdm

from benchmarks.common.errors import UserError
from benchmarks.common.files import replacing
from benchmarks.common.pool import pool
from benchmarks.data.fingerprint import fingerprint
from benchmarks.data.images import Colour, Fit, decode, to_pixels
from benchmarks.data.index import ImageFile

FORMAT = 3  # raise it when decoding changes

CHECKSUM = 16  # bytes
BLOCK = 2**22
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Decoding:
    """How the image files of a category become pixels of one shape."""

    height: int
    width: int
    colour: Literal["gray", "rgb"]
    px: int | None
    """Side to which images are resized; None keeps the original size, which must then be height x width."""
    resample: str
    fit: Fit = "squash"
    bits: int | None = None

    @property
    def channels(self) -> int:
        return 1 if self.colour == "gray" else 3

    @classmethod
    def for_category(
        cls,
        train: Sequence[ImageFile],
        px: int | None,
        colour: Colour,
        resample: str,
        fit: Fit = "squash",
        bits: int | None = None,
    ) -> "Decoding":
        """Settle size and colour, where they are the files' own, by the first training image."""
        height, width, channels = decode(train[0].path, colour, px, resample, fit, bits).shape
        return cls(height, width, "gray" if channels == 1 else "rgb", px, resample, fit, bits)

    def read(self, image: ImageFile) -> NDArray[np.uint8]:
        """Decode one image, (H, W, C).

        Raises:
            UserError: the file cannot be read, or has another size where the original size is kept.
        """
        return self._checked(decode(image.path, *self._settings), str(image.path))

    def of(self, image: PillowImage, name: str) -> NDArray[np.uint8]:
        """The same of an open image.

        Raises:
            UserError: its pixels cannot be used, or it has another size where the original size is kept.
        """
        try:
            return self._checked(to_pixels(image, *self._settings), name)
        except ValueError as error:
            raise UserError(f"Cannot use {name} ({error}).") from error

    @property
    def _settings(self) -> tuple[Colour, int | None, str, Fit, int | None]:
        return self.colour, self.px, self.resample, self.fit, self.bits

    def _checked(self, pixels: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
        if pixels.shape[:2] != (self.height, self.width):
            raise UserError(
                f"{name} has {pixels.shape[1]} x {pixels.shape[0]} pixels, the first training image {self.width} x "
                f"{self.height}: this method works at the original size and needs images of one size. Crop or resize them, or "
                "choose another method."
            )
        return pixels


def load_images(images: Sequence[ImageFile], decoding: Decoding, cache_dir: Path | None) -> NDArray[np.uint8]:
    """Decoded images, (N, H, W, C). With a cache folder they are memory-mapped from there, and decoded at most once.

    Two processes that miss at once both decode; the file appears whole by renaming, and both contents are the same.

    Raises:
        UserError: an image cannot be read or has another size than `decoding` says.
    """
    if cache_dir is None:
        decoded = np.empty(_shape(images, decoding), np.uint8)  # a list of them all would be a second copy
        for place, image_HWC in enumerate(_decoded(images, decoding)):
            decoded[place] = image_HWC
        return decoded
    path = cache_dir / "pixels" / f"{_key(images, decoding, cache_dir)}.npy"
    if path.exists() and not _is_sound(path):
        log.warning("%s has changed since it was written, or is incomplete: the images are decoded again", path)
        path.unlink(missing_ok=True)
    if not path.exists():
        with replacing(path) as temporary:
            _write(temporary, images, decoding)
    pixels: NDArray[np.uint8] = np.load(path, mmap_mode="c")  # torch takes no read-only arrays
    return pixels


def memo_of(cache_dir: Path | None, images: Sequence[ImageFile]) -> Path | None:
    """Where the file hashes of these images' folder are remembered."""
    if cache_dir is None:
        return None
    folder = hashlib.blake2b(str(images[0].path.parent.resolve()).encode(), digest_size=8).hexdigest()
    return cache_dir / "fingerprints" / f"{folder}.json"


def _key(images: Sequence[ImageFile], decoding: Decoding, cache_dir: Path) -> str:
    content = fingerprint(images, memo_of(cache_dir, images))
    settings = f"{content} {asdict(decoding)} {FORMAT} pillow {PIL.__version__}"
    return hashlib.blake2b(settings.encode(), digest_size=16).hexdigest()


def _shape(images: Sequence[ImageFile], decoding: Decoding) -> tuple[int, int, int, int]:
    return len(images), decoding.height, decoding.width, decoding.channels


def _write(path: Path, images: Sequence[ImageFile], decoding: Decoding) -> None:
    """Write the .npy file image by image, with a checksum: a full disk is an OSError, where a memory map would be killed."""
    header, shape = io.BytesIO(), _shape(images, decoding)
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    total = hashlib.blake2b(header.getvalue(), digest_size=CHECKSUM)
    with path.open("wb") as file:
        file.write(header.getvalue())
        for pixels in _decoded(images, decoding):
            content = np.ascontiguousarray(pixels).data
            total.update(content)
            file.write(content)
        file.write(total.digest())  # readers of .npy files take what the header says, and no more


def _is_sound(path: Path) -> bool:
    """Whether a cache file holds what was written: a flipped bit would move a threshold without a word."""
    total, left = hashlib.blake2b(digest_size=CHECKSUM), path.stat().st_size - CHECKSUM
    with path.open("rb") as file:
        while left > 0 and (block := file.read(min(left, BLOCK))):
            total.update(block)
            left -= len(block)
        return left == 0 and file.read() == total.digest()


def _decoded(images: Sequence[ImageFile], decoding: Decoding) -> Iterator[NDArray[np.uint8]]:
    """Decode in threads: Pillow lets go of the interpreter lock."""
    with pool() as threads:
        # disable=None: no bar where the output is no terminal
        yield from tqdm(
            threads.map(decoding.read, images), "decoding images", len(images), leave=False, unit="image", disable=None
        )
