"""Stand-in defects: drawn into good images where no bad part is at hand. They are no real defects, and every reader is told so.

Two families, each at several sizes and contrasts: spots and scratches (the built-in dataset's generators of irregular blobs), and
cut-and-paste of a patch of the same part from elsewhere (Li et al., CutPaste, CVPR 2021). All parameters: ours.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Pixels = NDArray[np.uint8]
Rng = np.random.Generator

SIZES = (0.02, 0.04, 0.08, 0.16)
"""Extent of a defect, as a share of the image's shorter side."""
CONTRASTS = (0.1, 0.2, 0.4, 0.8)
"""Share of the gray range by which a spot or scratch differs; for a pasted patch, its opacity."""


@dataclass(frozen=True)
class StandIn:
    """One drawn defect, and the pixels (H, W, C) that show it."""

    kind: str
    size: float
    contrast: float
    pixels_HWC: Pixels


def stand_ins(images: list[Pixels], rng: Rng) -> Iterator[StandIn]:
    """Every kind, size and contrast once, each drawn into the next of the good images, at a random place on the part."""
    number = 0
    for kind in KINDS:
        for size in SIZES:
            for contrast in CONTRASTS:
                pixels_HWC = images[number % len(images)]
                yield StandIn(kind, size, contrast, KINDS[kind](pixels_HWC, size, contrast, rng))
                number += 1


def spot(pixels_HWC: Pixels, size: float, contrast: float, rng: Rng) -> Pixels:
    """An irregular spot, darker or lighter than its surroundings."""
    y, x, radius = *_position(pixels_HWC, rng), size * min(pixels_HWC.shape[:2]) / 2
    rows, columns = np.indices(pixels_HWC.shape[:2])
    angle = np.arctan2(rows - y, columns - x)
    waves = sum(rng.uniform(0, 0.15) * np.cos(k * angle + rng.uniform(0, 2 * np.pi)) for k in (2, 3, 5))
    return _tinted(pixels_HWC, radius * (1 + waves) - np.hypot(rows - y, columns - x), contrast, rng)


def scratch(pixels_HWC: Pixels, size: float, contrast: float, rng: Rng) -> Pixels:
    """A thin, slightly bent line, four times as long as a spot of the same size is wide."""
    y, x = _position(pixels_HWC, rng)
    side = min(pixels_HWC.shape[:2])
    turn, bend = rng.uniform(0, np.pi), rng.uniform(-0.3, 0.3)
    rows, columns = np.indices(pixels_HWC.shape[:2])
    along = (columns - x) * np.cos(turn) + (rows - y) * np.sin(turn)
    length = 4 * size * side / 2
    across = (rows - y) * np.cos(turn) - (columns - x) * np.sin(turn) - bend * along**2 / max(length, 1)
    width = max(0.8, 0.08 * size * side)
    return _tinted(pixels_HWC, np.minimum(width - np.abs(across), length - np.abs(along)), contrast, rng)


def pasted(pixels_HWC: Pixels, size: float, contrast: float, rng: Rng) -> Pixels:
    """A square of the same image from elsewhere, turned by a random angle."""
    height, width = pixels_HWC.shape[:2]
    side = max(3, round(size * min(height, width)))
    top, left = (int(rng.integers(0, length - side + 1)) for length in (height, width))
    patch = ndimage.rotate(
        pixels_HWC[top : top + side, left : left + side].astype(np.float64),
        rng.uniform(20, 340),
        reshape=False,
        order=1,
        mode="reflect",
    )
    y, x = _position(pixels_HWC, rng)
    top, left = (int(np.clip(centre - side / 2, 0, length - side)) for centre, length in ((y, height), (x, width)))
    changed = pixels_HWC.astype(np.float64)
    window = changed[top : top + side, left : left + side]
    window += contrast * (patch - window)
    return np.round(changed).astype(np.uint8)


KINDS: dict[str, Callable[[Pixels, float, float, Rng], Pixels]] = {
    "spot": spot,
    "scratch": scratch,
    "pasted patch": pasted,
}


def _tinted(pixels_HWC: Pixels, inside_HW: NDArray[np.float64], contrast: float, rng: Rng) -> Pixels:
    """Pixels moved towards black or white, by the contrast, where the signed distance (in pixels) is positive."""
    opacity_HW1 = np.clip(inside_HW + 0.5, 0, 1)[..., None]
    local = float((pixels_HWC.mean(axis=2, keepdims=True) * opacity_HW1).sum() / max(opacity_HW1.sum(), 1e-9))
    sign = -1 if local > 127 or (local > 60 and rng.random() < 0.5) else 1  # where there is room for the change
    changed = pixels_HWC + sign * 255 * contrast * opacity_HW1
    return np.round(np.clip(changed, 0, 255)).astype(np.uint8)


def _position(pixels_HWC: Pixels, rng: Rng) -> tuple[int, int]:
    """A random place on the part: where the image has structure, away from its border."""
    gray_HW = pixels_HWC.mean(axis=2)
    height, width = gray_HW.shape
    margin_y, margin_x = height // 10, width // 10
    inner = ndimage.gaussian_gradient_magnitude(gray_HW, max(1.0, min(height, width) / 64))
    inner = ndimage.uniform_filter(inner, max(3, min(height, width) // 8))[
        margin_y : height - margin_y, margin_x : width - margin_x
    ]
    candidates = np.flatnonzero(inner >= np.quantile(inner, 0.5))
    row, column = np.unravel_index(candidates[rng.integers(len(candidates))], inner.shape)
    return int(row) + margin_y, int(column) + margin_x
