"""Defects: each takes a good scene and gives its pixels with one defect, at a random place, size and strength.

Sizes are radii or lengths in the canvas's units (the image spans 2); a range (low, high) is drawn from log-uniformly, so that
small ones are as frequent as large ones.
"""

from collections.abc import Callable

import numpy as np

from benchmarks.data.synthetic.canvas import Colour, Pixels, Plane, Point, Rng, Scene, segment, union

Defect = Callable[[Scene, Rng], Pixels]
Range = tuple[float, float]


def spot(scene: Scene, rng: Rng, colour: Colour, size: Range = (0.06, 0.2), strength: Range = (0.2, 0.8)) -> Pixels:
    """An irregular spot that is tinted, darkened or covered: stain, oil, contamination."""
    opacity = _blob(scene, rng, _place(scene, rng), _size(rng, size)) * scene.surface
    return _blend(scene.canvas.pixels, opacity * rng.uniform(*strength), colour)


def dirt(scene: Scene, rng: Rng, colour: Colour, size: Range = (0.06, 0.2)) -> Pixels:
    """An opaque crumb with a rough surface of its own."""
    opacity = _blob(scene, rng, _place(scene, rng), _size(rng, size)) * scene.surface
    rough = np.asarray(colour) * (1 + 0.25 * scene.canvas.noise(rng, 48))[..., None]
    return _blend(scene.canvas.pixels, opacity * rng.uniform(0.3, 1), rough)


def hole(scene: Scene, rng: Rng, size: Range = (0.06, 0.14)) -> Pixels:
    """A hole: what lies behind shows, under a bright rim that fades out."""
    place, radius = _place(scene, rng), _size(rng, size)
    inner = _blob(scene, rng, place, radius) * scene.surface
    distance = np.hypot(scene.canvas.x - place[0], scene.canvas.y - place[1])
    rim = np.exp(-(((distance - radius) / (0.3 * radius)) ** 2)) * scene.surface
    rimmed = scene.canvas.pixels * (1 + rng.uniform(0, 0.4) * rim)[..., None]
    return _blend(rimmed, inner * rng.uniform(0.3, 1), scene.behind)


def line(
    scene: Scene,
    rng: Rng,
    colour: Colour,
    length: Range = (0.3, 1.0),
    width: float = 0.02,
    wander: float = 0.3,
    strength: Range = (0.2, 0.9),
) -> Pixels:
    """A line that gets thin towards its ends: scratch, crack, cut, thread. `wander` is the change of direction at each step."""
    opacity = _stroke(scene, rng, _size(rng, length), width * rng.uniform(0.8, 1.6), wander) * scene.surface
    return _blend(scene.canvas.pixels, opacity * rng.uniform(*strength), colour)


def missing(scene: Scene, rng: Rng, size: Range = (0.08, 0.14)) -> Pixels:
    """A part is gone, and what lies behind shows."""
    opacity = _blob(scene, rng, _part(scene, rng), _size(rng, size))
    return _blend(scene.canvas.pixels, opacity, scene.behind)


def bent(scene: Scene, rng: Rng, size: Range = (0.15, 0.3), push: Range = (0.3, 0.6)) -> Pixels:
    """A part is pushed aside: the image is displaced around its centre by `push` times the size, fading out."""
    from scipy import ndimage  # half a second to import, which those who draw nothing are spared

    place, radius, turn = _part(scene, rng), _size(rng, size), rng.uniform(0, 2 * np.pi)
    distance = np.hypot(scene.canvas.x - place[0], scene.canvas.y - place[1])
    # the bump ends at `radius`; its slope stays below 1, so that the image does not fold
    shift = radius * rng.uniform(*push) * np.clip(1 - (distance / radius) ** 2, 0, 1) ** 2 * scene.canvas.px / 2
    rows, columns = np.indices(distance.shape)
    source = [rows - shift * np.sin(turn), columns - shift * np.cos(turn)]
    channels = np.moveaxis(scene.canvas.pixels, -1, 0)
    moved = [ndimage.map_coordinates(channel, source, order=1, mode="nearest") for channel in channels]
    return np.stack(moved, axis=-1)


def _blend(pixels: Pixels, opacity: Plane, colour: Colour | Pixels) -> Pixels:
    return pixels + opacity[..., None] * (np.asarray(colour) - pixels)


def _size(rng: Rng, size: Range) -> float:
    return float(np.exp(rng.uniform(*np.log(size))))


def _place(scene: Scene, rng: Rng) -> Point:
    """A random place well on the surface, away from the image's border."""
    canvas = scene.canvas
    inside = (scene.surface > 0.9) & (np.maximum(np.abs(canvas.x), np.abs(canvas.y)) < 0.85)
    chosen = np.flatnonzero(inside)[int(rng.random() * inside.sum())]
    return float(canvas.x.flat[chosen]), float(canvas.y.flat[chosen])


def _part(scene: Scene, rng: Rng) -> Point:
    return scene.parts[rng.integers(len(scene.parts))] if scene.parts else _place(scene, rng)


def _blob(scene: Scene, rng: Rng, place: Point, radius: float) -> Plane:
    """Opacity of an irregular, slightly drawn-out spot."""
    turn, stretch = rng.uniform(0, np.pi), rng.uniform(1, 1.5)
    x, y = scene.canvas.x - place[0], scene.canvas.y - place[1]
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    distance = np.hypot(along / stretch, across * stretch) - radius * (1 + 0.2 * scene.canvas.noise(rng, 10))
    return scene.canvas.cover(distance)


def _stroke(scene: Scene, rng: Rng, length: float, width: float, wander: float, steps: int = 10) -> Plane:
    """Opacity of a wandering line through a random place on the surface."""
    headings = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, wander, steps))
    course = np.cumsum(np.stack([np.cos(headings), np.sin(headings)], axis=1), axis=0) * length / steps
    points = course - course.mean(axis=0) + _place(scene, rng)
    widths = width * np.sin(np.pi * np.arange(1, steps) / steps) ** 0.5
    ends = zip(points[:-1], points[1:], widths, strict=True)
    return scene.canvas.cover(union(segment(scene.canvas.x, scene.canvas.y, a, b, w) for a, b, w in ends))
