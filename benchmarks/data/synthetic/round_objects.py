"""Objects seen from above that are round or oval: bottle, cable, capsule, hazelnut, metal nut, pill."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from benchmarks.data.synthetic.canvas import Canvas, Plane, Point, Rng, Scene, circle, ellipse, segment, union

SHIFT = 0.02
"""How far an object of fixed pose lies off the centre: about a pixel of 128."""


def bottle(px: int, rng: Rng) -> Scene:
    """The mouth of a brown bottle from above: concentric rings of glass on a light table."""
    canvas = Canvas(px, (0.93, 0.93, 0.92))
    behind = canvas.pixels.copy()
    x, y = canvas.posed(rng, SHIFT, angle=np.pi)
    radius, waves = np.hypot(x, y), 0.15 * np.cos(2 * np.arctan2(y, x)) + 0.12 * canvas.noise(rng, 5)
    glass = canvas.cover(radius - 0.86)
    for outer, colour in (
        (0.86, (0.13, 0.07, 0.04)), (0.79, (0.30, 0.15, 0.06)), (0.70, (0.55, 0.31, 0.12)), (0.63, (0.20, 0.10, 0.05)),
        (0.54, (0.07, 0.05, 0.04)), (0.45, (0.80, 0.72, 0.60)), (0.41, (0.36, 0.20, 0.10)), (0.34, (0.62, 0.42, 0.22)),
    ):  # fmt: skip
        canvas.paint(canvas.cover(radius - outer), colour)
    canvas.shade(1 + waves * (radius < 0.86))
    return Scene(canvas, glass, behind)


def cable(px: int, rng: Rng) -> Scene:
    """A cut through a three-core cable: sheath, three coloured insulations, copper strands."""
    canvas = Canvas(px, (0.80, 0.79, 0.76))
    x, y = canvas.posed(rng, SHIFT, angle=0.03)
    sheath = canvas.cover(circle(x, y, 0.90))
    canvas.paint(sheath, (0.50, 0.52, 0.53))
    canvas.paint(canvas.cover(circle(x, y, 0.80)), (0.16, 0.16, 0.17))
    behind, cores = canvas.pixels.copy(), []
    for turn, insulation in ((-90, (0.12, 0.42, 0.50)), (30, (0.50, 0.26, 0.13)), (150, (0.60, 0.60, 0.58))):
        core = (0.42 * np.cos(np.radians(turn)), 0.42 * np.sin(np.radians(turn)))
        canvas.paint(canvas.cover(circle(x - core[0], y - core[1], 0.35)), insulation)
        canvas.paint(canvas.cover(circle(x - core[0], y - core[1], 0.23)), (0.24, 0.13, 0.08))
        _strands(canvas, rng, x - core[0], y - core[1])
        cores.append(core)
    return Scene(canvas, sheath, behind, canvas.positions(x, y, cores))


def _strands(canvas: Canvas, rng: Rng, x: Plane, y: Plane) -> None:
    """Nineteen copper wires in a bundle: one, six and twelve around a centre."""
    twist = rng.uniform(-0.15, 0.15)
    rings = ((0.0, 1), (0.09, 6), (0.175, 12))
    centres = [(ring, twist + 2 * np.pi * step / count) for ring, count in rings for step in range(count)]
    wires = union(circle(x - ring * np.cos(turn), y - ring * np.sin(turn), 0.042) for ring, turn in centres)
    canvas.paint(canvas.cover(wires), (0.80, 0.50, 0.32))


FIVE: tuple[Point, ...] = (
    (0.05, -0.1),
    (-0.04, -0.1),
    (-0.045, -0.02),
    (0.02, -0.03),
    (0.05, 0.03),
    (0.02, 0.09),
    (-0.05, 0.09),
)
"""The digit as a line."""


def _polyline(x: Plane, y: Plane, points: Sequence[Point], radius: float) -> Plane:
    return union(segment(x, y, start, end, radius) for start, end in pairwise(points))


def capsule(px: int, rng: Rng) -> Scene:
    """A lying capsule, half black and half orange, with an imprint."""
    canvas = Canvas(px, (0.88, 0.88, 0.87))
    behind = canvas.pixels.copy()
    x, y = canvas.posed(rng, SHIFT, angle=0.02)
    distance = segment(x, y, (-0.5, 0), (0.5, 0), 0.36)
    body = canvas.cover(distance)
    canvas.paint(canvas.cover(segment(x, y + 0.01, (-0.5, 0.08), (0.5, 0.08), 0.37)), (0.66, 0.66, 0.66))
    canvas.paint(body, (0.80, 0.38, 0.14))
    canvas.paint(body * canvas.cover(x + 0.04), (0.13, 0.12, 0.13))
    canvas.paint(body * canvas.cover(np.abs(x + 0.04) - 0.012), (0.45, 0.22, 0.12))
    canvas.shade(1.1 - 0.45 * np.clip(1 + distance / 0.36, 0, 1) ** 3 + 0.02 * canvas.noise(rng, 6), body)
    canvas.paint(0.55 * np.exp(-((segment(x, y, (-0.5, -0.18), (0.5, -0.18), 0) / 0.045) ** 2)), (1, 0.97, 0.92))
    zeros = np.minimum(*(np.abs(ellipse(x - dx, y - 0.05, 0.05, 0.10)) - 0.014 for dx in (0.36, 0.52)))
    canvas.paint(canvas.cover(np.minimum(zeros, _polyline(x - 0.2, y - 0.05, FIVE, 0.014))), (0.95, 0.88, 0.80))
    return Scene(canvas, body, behind)


def hazelnut(px: int, rng: Rng) -> Scene:
    """A nut in any rotation: striped shell, pale rough cap, a tip at the other end."""
    canvas = Canvas(px, (0.06, 0.06, 0.07))
    behind = canvas.pixels.copy()
    x, y = canvas.posed(rng, shift=0.06, angle=np.pi)
    size = rng.uniform(0.66, 0.72)
    radius, turn = np.hypot(x, y), np.arctan2(y, x)
    distance = radius - size * (1 + 0.04 * np.cos(2 * turn) + 0.07 * np.exp(-((turn / 0.35) ** 2)))
    shell = canvas.cover(distance)
    canvas.paint(shell, (0.56, 0.34, 0.18))
    meridian = np.arctan2(y, size + 0.25 - x)
    stripes = np.sin(26 * meridian + 1.2 * canvas.noise(rng, 6)) + 0.6 * np.sin(47 * meridian + rng.uniform(0, 6))
    canvas.shade(1 + 0.06 * stripes * (0.5 + radius) + 0.05 * canvas.noise(rng, 40), shell)
    cap = shell * np.clip(0.5 - 14 * (circle(x + size * 0.95, y, size * 0.55) + 0.02 * canvas.noise(rng, 14)), 0, 1)
    canvas.paint(0.85 * cap, (0.68, 0.54, 0.38))
    canvas.shade(1 + 0.10 * canvas.noise(rng, 50), cap)
    toward_light = 1 - np.hypot(canvas.x + 0.2, canvas.y + 0.25) ** 2
    canvas.shade(0.75 + 0.45 * toward_light, shell)
    return Scene(canvas, shell, behind)


def metal_nut(px: int, rng: Rng) -> Scene:
    """A stamped nut with four flanges that all turn one way, in any rotation."""
    canvas = Canvas(px, (0.10, 0.10, 0.11))
    behind = canvas.pixels.copy()
    x, y = canvas.posed(rng, shift=0.05, angle=np.pi)
    radius, turn = np.hypot(x, y), np.arctan2(y, x)
    along = (turn * 4 / (2 * np.pi)) % 1
    outline = 0.58 + 0.24 * np.clip(along / 0.5, 0, 1) * np.clip((1 - along) / 0.10, 0, 1)
    metal = canvas.cover(0.7 * (radius - outline)) * canvas.cover(0.25 - radius)
    canvas.paint(metal, (0.58, 0.57, 0.55))
    canvas.shade(1 + 0.05 * canvas.noise(rng, 60) + 0.05 * canvas.noise(rng, 5), metal)
    canvas.shade(0.72, canvas.cover(np.abs(radius - 0.30) - 0.05) * metal)
    canvas.shade(1.30, canvas.cover(np.abs(radius - 0.52) - 0.025) * metal)
    canvas.shade(0.78, _edge(radius - outline) * metal)
    flanges = [(0.66 * np.cos(at), 0.66 * np.sin(at)) for at in np.pi / 2 * (np.arange(4) + 0.65)]
    return Scene(canvas, metal, behind, canvas.positions(x, y, flanges))


def _edge(distance: Plane) -> Plane:
    """1 on an outline, falling to 0 a little way inside."""
    return np.exp(-((distance / 0.05) ** 2))


def pill(px: int, rng: Rng) -> Scene:
    """A pale oval tablet with red specks and an embossed FF, on black."""
    canvas = Canvas(px, (0.05, 0.05, 0.05))
    behind = canvas.pixels.copy()
    x, y = canvas.posed(rng, SHIFT, angle=0.02)
    distance = ellipse(x, y, 0.84, 0.54)
    body = canvas.cover(distance)
    canvas.paint(body, (0.86, 0.83, 0.77))
    canvas.paint(0.8 * body * np.clip(2 * (canvas.noise(rng, 52) - 2.0), 0, 1), (0.70, 0.25, 0.20))
    canvas.shade(1 - 0.30 * _edge(distance * 0.6) + 0.015 * canvas.noise(rng, 8), body)
    for dx in (-0.24, 0.08):
        letter = _letter_f(x - dx, y)
        canvas.paint(0.35 * canvas.cover(letter), (0.45, 0.40, 0.36))
        canvas.paint(0.35 * canvas.cover(_letter_f(x - dx - 0.02, y - 0.02)), (0.98, 0.96, 0.92))
    return Scene(canvas, body, behind)


def _letter_f(x: Plane, y: Plane) -> Plane:
    return _polyline(x, y, ((0, 0.2), (0, 0), (0.13, 0), (0, 0), (0, -0.2), (0.17, -0.2)), 0.018)
