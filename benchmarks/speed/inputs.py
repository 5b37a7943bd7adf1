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
