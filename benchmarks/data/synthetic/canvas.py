"""What every drawing shares: a canvas in unit coordinates, shapes as signed distances, smooth random fields.

Shapes are signed distance functions: negative inside, 0 on the outline, in units in which the image spans -1 to 1. A drawing
therefore looks the same at every size, and an outline is antialiased by its distance alone, without supersampling.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Plane = NDArray[np.float64]
"""(H, W): a distance, an opacity in 0..1 or a random field."""
Pixels = NDArray[np.float64]
"""(H, W, 3), RGB in 0..1."""
Colour = tuple[float, float, float]
Point = tuple[float, float]
Rng = np.random.Generator


class Canvas:
    """A square image that is painted layer by layer; x runs to the right and y down, both from -1 to 1."""

    def __init__(self, px: int, colour: Colour) -> None:
        self.px = px
        centres = (np.arange(px) + 0.5) * 2 / px - 1
        self.x, self.y = np.meshgrid(centres, centres)
        self.pixels: Pixels = np.tile(np.asarray(colour), (px, px, 1))

    def posed(self, rng: Rng, shift: float, angle: float) -> tuple[Plane, Plane]:
        """The coordinates of an object that lies up to `shift` off the centre and is turned by up to `angle` (radians)."""
        dx, dy = rng.uniform(-shift, shift, 2)
        turn = rng.uniform(-angle, angle)
        x, y = self.x - dx, self.y - dy
        return x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)

    def positions(self, x: Plane, y: Plane, points: Iterable[Point]) -> tuple[Point, ...]:
        """Where points given in posed coordinates lie on the canvas, to the pixel."""
        nearest = (np.argmin((x - u) ** 2 + (y - v) ** 2) for u, v in points)
        return tuple((float(self.x.flat[pixel]), float(self.y.flat[pixel])) for pixel in nearest)

    def cover(self, distance: Plane) -> Plane:
        """The share of each pixel that lies inside a shape."""
        return np.clip(0.5 - distance * self.px / 2, 0, 1)

    def paint(self, opacity: Plane, colour: Colour | Pixels) -> None:
        self.pixels += opacity[..., None] * (np.asarray(colour) - self.pixels)

    def shade(self, factor: Plane | float, opacity: Plane | float = 1.0) -> None:
        """Multiply the brightness by `factor` where `opacity` is 1, by less where it is below."""
        self.pixels *= np.asarray(1 + opacity * (factor - 1))[..., None]

    def noise(self, rng: Rng, rows: int, columns: int | None = None) -> Plane:
        """A smooth random field, about standard normal, with `rows` x `columns` independent cells: the same at every size."""
        lattice = rng.standard_normal((rows, columns or rows)).astype(np.float32)
        resized = Image.fromarray(lattice).resize((self.px, self.px), Image.Resampling.BICUBIC)
        return np.asarray(resized, np.float64) * 1.25  # interpolation lowers the variance


@dataclass(frozen=True)
class Scene:
    """A good image before lighting and sensor noise, with what a defect has to know about it."""

    canvas: Canvas
    surface: Plane
    """Opacity of the surface on which a defect may lie."""
    behind: Pixels
    """What comes to light where a part is missing."""
    parts: tuple[Point, ...] = ()
    """Centres of the parts that can be missing or bent; without any, everywhere on the surface."""


def circle(x: Plane, y: Plane, radius: float) -> Plane:
    return np.hypot(x, y) - radius


def ellipse(x: Plane, y: Plane, width: float, height: float) -> Plane:
    """Half axes `width` and `height`; exact on the outline, which is where it matters."""
    return (np.hypot(x / width, y / height) - 1) * min(width, height)


def box(x: Plane, y: Plane, width: float, height: float, rounding: float = 0.0) -> Plane:
    """Half sides `width` and `height`, corners rounded."""
    dx, dy = np.abs(x) - width + rounding, np.abs(y) - height + rounding
    return np.hypot(np.maximum(dx, 0), np.maximum(dy, 0)) + np.minimum(np.maximum(dx, dy), 0) - rounding


def segment(x: Plane, y: Plane, start: Point, end: Point, radius: float) -> Plane:
    """A line with round ends, `radius` thick to each side."""
    run, rise = end[0] - start[0], end[1] - start[1]
    along = ((x - start[0]) * run + (y - start[1]) * rise) / max(run**2 + rise**2, 1e-12)
    along = np.clip(along, 0, 1)
    return np.hypot(x - start[0] - along * run, y - start[1] - along * rise) - radius


def union(distances: Iterable[Plane]) -> Plane:
    """Inside if inside any of the shapes."""
    return reduce(np.minimum, distances)
