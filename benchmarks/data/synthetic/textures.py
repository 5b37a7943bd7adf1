"""The five textures: every image is another piece of the same surface."""

import numpy as np

from benchmarks.data.synthetic.canvas import Canvas, Colour, Pixels, Plane, Rng, Scene


def carpet(px: int, rng: Rng) -> Scene:
    """A plain weave of gray wool: threads of two directions, over and under in turn."""
    canvas = Canvas(px, (0.40, 0.39, 0.38))
    x, y = canvas.posed(rng, shift=1, angle=0.04)
    u = 10 * x + 0.12 * canvas.noise(rng, 12)
    v = 10 * y + 0.12 * canvas.noise(rng, 12)
    warp_on_top = (np.floor(u) + np.floor(v)) % 2 == 0
    across, along = np.where(warp_on_top, u, v) % 1, np.where(warp_on_top, v, u) % 1
    height = np.sqrt(np.sin(np.pi * across)) * (0.55 + 0.45 * np.sin(np.pi * along))
    canvas.shade(0.45 + 0.85 * height + np.where(warp_on_top, 0.06, -0.06) + 0.09 * canvas.noise(rng, 64))
    return _surface(canvas, behind=(0.12, 0.11, 0.11))


def grid(px: int, rng: Rng) -> Scene:
    """A diamond mesh of round wires before a light ground."""
    canvas = Canvas(px, (0.80, 0.80, 0.80))
    canvas.shade(1 + 0.02 * canvas.noise(rng, 5))
    behind = canvas.pixels.copy()
    x, y = canvas.posed(rng, shift=1, angle=0.04)
    wobble = 0.02 * canvas.noise(rng, 8)
    u, v = 3.4 * (x + 0.8 * y) + wobble, 3.4 * (x - 0.8 * y) - wobble
    first, second = _wire(canvas, u), _wire(canvas, v)
    first_on_top = (np.round(u) + np.round(v)) % 2 == 0
    for (opacity, tone), visible in ((first, True), (second, True), (first, first_on_top)):
        canvas.paint(opacity * visible, np.repeat(tone[..., None], 3, axis=2))
    return Scene(canvas, np.ones_like(x), behind)


def _wire(canvas: Canvas, u: Plane) -> tuple[Plane, Plane]:
    """Opacity and tone of the wires along the whole numbers of u: a dark edge, a light ridge."""
    distance, radius = np.abs(u - np.round(u)) / 4.4, 0.038
    tone = 0.18 + 0.42 * np.sqrt(np.clip(1 - (distance / radius) ** 2, 0, 1))
    return canvas.cover(distance - radius), tone


def leather(px: int, rng: Rng) -> Scene:
    """Brown grain: pebbles between creases, lit from the upper left."""
    canvas = Canvas(px, (0.42, 0.26, 0.16))
    creases = _ridges(canvas.noise(rng, 22)) + _ridges(canvas.noise(rng, 22)) + 0.5 * _ridges(canvas.noise(rng, 40))
    down, right = np.gradient(creases, 128 / px)
    canvas.shade(1 - 0.24 * np.minimum(creases, 1.2) + 0.35 * (down + right) + 0.03 * canvas.noise(rng, 6))
    return _surface(canvas, behind=(0.10, 0.06, 0.04))


def _ridges(field: Plane) -> Plane:
    """1 along the zero lines of a random field, falling off beside them."""
    return np.exp(-((field / 0.28) ** 2))


def tile(px: int, rng: Rng) -> Scene:
    """Polished stone: light ground with flakes of three colours."""
    canvas = Canvas(px, (0.74, 0.72, 0.69))
    canvas.shade(1 + 0.015 * canvas.noise(rng, 10))
    for cells, level, colour in (
        (34, 0.7, (0.60, 0.58, 0.54)),
        (26, 1.3, (0.55, 0.46, 0.38)),
        (44, 1.7, (0.33, 0.32, 0.33)),
    ):
        canvas.paint(np.clip(3 * (canvas.noise(rng, cells) - level), 0, 1), colour)
    return _surface(canvas, behind=(0.35, 0.34, 0.33))


def wood(px: int, rng: Rng) -> Scene:
    """Upright grain: annual rings that wander slowly, and fine fibres."""
    canvas = Canvas(px, (0.62, 0.43, 0.26))
    rings = 4 * (canvas.x + rng.uniform(-1, 1)) + 0.45 * canvas.noise(rng, 2, 6) + 0.05 * canvas.noise(rng, 10, 30)
    late_wood = (0.5 + 0.5 * np.sin(2 * np.pi * rings)) ** 2
    fibres = canvas.noise(rng, 5, 100)
    pores = np.clip(canvas.noise(rng, 14, 110) - 1.2, 0, 1)
    canvas.shade(1.06 - 0.22 * late_wood + 0.05 * fibres - 0.25 * pores)
    return _surface(canvas, behind=(0.15, 0.09, 0.05))


def _surface(canvas: Canvas, behind: Colour) -> Scene:
    below: Pixels = np.broadcast_to(np.asarray(behind), canvas.pixels.shape)
    return Scene(canvas, np.ones((canvas.px, canvas.px)), below)
