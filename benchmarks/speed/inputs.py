"""What the stages work on: drawn textures and maps, the same in every run."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from benchmarks.data.index import ImageFile


def texture(px: int, seed: int, sigma: float = 2.0) -> NDArray[np.float32]:
    """Smoothed noise with values in [0, 1], (px, px)."""
    noise = np.random.default_rng(seed).standard_normal((px, px), np.float32)
    smooth = gaussian_filter(noise, sigma, mode="wrap")
    scaled: NDArray[np.float32] = np.clip(0.5 + smooth / smooth.std() / 6, 0, 1)
    return scaled


def picture(px: int, seed: int) -> NDArray[np.uint8]:
    """A colour picture, (px, px, 3)."""
    channels = [texture(px, 3 * seed + channel) for channel in range(3)]
    return np.rint(np.stack(channels, axis=-1) * 255).astype(np.uint8)


def picture_files(folder: Path, count: int, px: int) -> tuple[ImageFile, ...]:
    """PNG files of pictures, written where they are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for index in range(count):
        name = f"{px}px_{index:03}.png"
        if not (folder / name).exists():
            Image.fromarray(picture(px, index)).save(folder / name)
        files.append(ImageFile(folder / name, name))
    return tuple(files)


def object_picture(px: int, degrees: float = 0.0, shift_yx: tuple[float, float] = (0.0, 0.0)) -> NDArray[np.float32]:
    """Gray levels (px, px) of a bright wrench-like object on a dark background, turned clockwise and then shifted."""
    turn = np.exp(-1j * np.deg2rad(degrees))
    rows, columns = np.mgrid[:px, :px] - (px - 1) / 2
    turned = ((columns - shift_yx[1]) + 1j * (rows - shift_yx[0])) * turn / px
    x, y = turned.real, turned.imag
    shaft = _inside(0.28 - abs(x + 0.02), px) * _inside(0.05 - abs(y), px)
    head = _inside(0.12 - np.hypot(x - 0.22, y), px) * (1 - _inside(0.05 - np.hypot(x - 0.26, y), px))
    tooth = _inside(0.04 - abs(x + 0.2), px) * _inside(0.04 - abs(y + 0.08), px)
    return np.asarray(40 + 150 * np.clip(shaft + head + tooth, 0, 1), np.float32)


def _inside(distance: NDArray[np.float64], px: int) -> NDArray[np.float64]:
    """1 inside of a border, 0 outside, and a ramp of about two pixels."""
    return np.clip(distance * px / 2 + 0.5, 0, 1)


def anomaly_maps(count: int, px: int, seed: int = 0) -> list[tuple[NDArray[np.float32], NDArray[np.bool_] | None]]:
    """Smooth maps with their masks: three of four show a defect or two, a little brighter than the rest."""
    rng = np.random.default_rng(seed)
    base_HW = texture(px, seed, sigma=4.0)
    pairs: list[tuple[NDArray[np.float32], NDArray[np.bool_] | None]] = []
    for index in range(count):
        map_HW = np.roll(base_HW, rng.integers(px, size=2), axis=(0, 1)) + 0.02 * rng.standard_normal(
            (px, px), np.float32
        )
        if index % 4 == 0:
            pairs.append((map_HW, None))
            continue
        mask_HW = np.zeros((px, px), bool)
        for _ in range(1 + index % 2):
            y, x = rng.integers(px - px // 8, size=2)
            mask_HW[y : y + px // 8, x : x + px // 16] = True
        map_HW[mask_HW] += np.float32(0.25)
        pairs.append((map_HW, mask_HW))
    return pairs
