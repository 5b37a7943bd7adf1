"""Handwritten digits, one class left out: the other nine are normal, the left-out one is the anomaly.

MNIST in its IDX files (LeCun, Cortes, Burges; CC BY-SA 3.0), or scikit-learn's `load_digits` (1,797 digits of 8 x 8 px), which is
there without a download.
"""

import gzip
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.common.errors import UnusableData, UserError
from benchmarks.data.index import GOOD
from benchmarks.data.samples import Samples
from benchmarks.data.split import hold_out

PARTS = ("train", "t10k")
IMAGES_MAGIC, LABELS_MAGIC = 2051, 2049  # unsigned bytes, in 3 and in 1 dimensions
RAW = Path("MNIST") / "raw"  # where torchvision puts the files


class Digits(NamedTuple):
    """Pictures with values in [0, 1] and their digits."""

    images_NHW: NDArray[np.float32]
    labels_N: NDArray[np.uint8]
    names: list[str]


def one_left_out(
    digit: int, px: int, test_share: float, test_seed: int, folder: str | None = None, download: bool = False
) -> Samples:
    """All digits but one to fit to; test digits of all ten, the left-out one anomalous.

    MNIST's own test part is used where both parts are there. Otherwise `test_share` of the normal digits is held out for testing,
    and all of the left-out ones are test digits.

    Args:
        digit: the one that is left out.
        px: side to which the pictures are resized.
        folder: holds MNIST's IDX files, as they are or gzipped; None takes scikit-learn's digits.
        download: let torchvision fetch MNIST into the folder.

    Raises:
        UserError: no such digit, files that are absent or not what their names say.
    """
    if digit not in range(10):
        raise UserError(f"category.digit={digit} is no digit from 0 to 9: say category=digit_N.")
    parts = _embedded() if folder is None else _mnist(Path(folder), download)
    pictures = [_resized(part.images_NHW, px) for part in parts]
    if len(parts) == 2:
        fit, test = parts
        normal = fit.labels_N != digit
        train_images, train_names = pictures[0][normal], _chosen(fit.names, normal)
        test_images, test_names, test_labels = pictures[1], test.names, test.labels_N
    else:
        (part,) = parts
        tested = hold_out(len(part.labels_N), test_share, test_seed) | (part.labels_N == digit)
        train_images, train_names = pictures[0][~tested], _chosen(part.names, ~tested)
        test_images, test_names = pictures[0][tested], _chosen(part.names, tested)
        test_labels = part.labels_N[tested]
    types = [f"digit_{label}" if label == digit else GOOD for label in test_labels]
    source = "its own" if len(parts) == 2 else f"{test_share:g} held out"
    return Samples(train_images, test_images, train_names, test_names, types, {"test_digits": source})


def _embedded() -> list[Digits]:
    from sklearn.datasets import load_digits

    found = load_digits()
    images = (found.images / 16).astype(np.float32)
    return [Digits(images, found.target.astype(np.uint8), _names("digits", len(images)))]


def _mnist(folder: Path, download: bool) -> list[Digits]:
    """The parts that are there, training part first."""
    if download:
        _download(folder)
    found = [_part(folder, part) for part in PARTS if _file(folder, f"{part}-images-idx3-ubyte")]
    if not found:
        raise UserError(
            f"No MNIST files in {folder} (train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-..., plain or .gz). "
            "Name their folder with data.root=DIR, or let torchvision fetch them with data.download=true."
        )
    return found


def _download(folder: Path) -> None:
    from torchvision.datasets import MNIST

    try:
        MNIST(str(folder), download=True)  # leaves complete files alone
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"MNIST could not be downloaded into {folder}: {error}. Put its four files there by hand."
        ) from error


def _part(folder: Path, part: str) -> Digits:
    images_file = _file(folder, f"{part}-images-idx3-ubyte")
    labels_file = _file(folder, f"{part}-labels-idx1-ubyte")
    assert images_file is not None
    if labels_file is None:
        raise UnusableData(f"{images_file} has no labels beside it: {part}-labels-idx1-ubyte is missing.")
    images, labels = _read_idx(images_file, IMAGES_MAGIC), _read_idx(labels_file, LABELS_MAGIC)
    if len(images) != len(labels):
        raise UnusableData(f"{images_file} holds {len(images)} images, {labels_file} {len(labels)} labels.")
    return Digits((images / np.float32(255)).astype(np.float32), labels, _names(part, len(labels)))


def _file(folder: Path, name: str) -> Path | None:
    places = (place / f"{name}{end}" for place in (folder, folder / RAW) for end in ("", ".gz"))
    return next((path for path in places if path.is_file()), None)


def _read_idx(path: Path, magic: int) -> NDArray[np.uint8]:
    """An array in IDX format: magic number, lengths of the dimensions (big-endian), then the bytes.

    Raises:
        UnusableData: another format, or an incomplete file.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise UnusableData(f"{path} cannot be unpacked ({error}): fetch it again.") from error
    dimensions = magic & 255
    length = 4 * (1 + dimensions)
    header = np.frombuffer(content[:length] if len(content) >= length else b"", ">i4").astype(np.int64)
    if len(header) == 0 or header[0] != magic or (header[1:] < 1).any():
        raise UnusableData(
            f"{path} is no IDX file of {'images' if magic == IMAGES_MAGIC else 'labels'}: fetch it again."
        )
    values = np.frombuffer(content, np.uint8, offset=4 * len(header))
    if values.size != np.prod(header[1:]):
        raise UnusableData(
            f"{path} is incomplete: {values.size} bytes, its header says {np.prod(header[1:])}. Fetch it again."
        )
    return values.reshape(header[1:])


def _resized(images_NHW: NDArray[np.float32], px: int) -> NDArray[np.float32]:
    """(N, 1, px, px); bilinear, smoothed where it shrinks."""
    images_NCHW = torch.from_numpy(images_NHW)[:, None]
    if images_NHW.shape[1:] != (px, px):
        images_NCHW = torch.nn.functional.interpolate(images_NCHW, (px, px), mode="bilinear", antialias=True)
    resized: NDArray[np.float32] = images_NCHW.numpy()
    return resized


def _names(part: str, count: int) -> list[str]:
    return [f"{part}/{index:05}" for index in range(count)]


def _chosen(names: Iterable[str], mask: NDArray[np.bool_]) -> list[str]:
    return [name for name, wanted in zip(names, mask, strict=True) if wanted]
