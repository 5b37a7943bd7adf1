"""Objects made of repeated or protruding parts: screw, toothbrush, transistor, zipper."""

import numpy as np

from benchmarks.data.synthetic.canvas import Canvas, Plane, Point, Rng, Scene, box, circle, segment, union
from benchmarks.data.synthetic.round_objects import SHIFT


def screw(px: int, rng: Rng) -> Scene:
    """A wood screw from the side, in any rotation: countersunk head, smooth neck, thread, tip."""
    canvas = Canvas(px, (0.82, 0.82, 0.82))
    behind = canvas.pixels.copy()
    x, y = canvas.posed(rng, shift=0.06, angle=np.pi)
    phase = rng.uniform(-0.15, 0.15)  # the screw is turned about its axis
    half = _half_width(x, y, phase)
    metal = canvas.cover(np.maximum(0.8 * (np.abs(y) - half), np.abs(x) - 0.84))
    canvas.paint(metal, (0.46, 0.46, 0.46))
    roundness = np.clip(np.abs(y) / np.maximum(half, 0.02), 0, 1)
    canvas.shade(1.35 - 0.85 * roundness**2 + 0.04 * canvas.noise(rng, 40), metal)
    flank = np.sin(2 * np.pi * ((x + 0.35 * y) / THREAD_PITCH + phase))
    canvas.shade(1 + 0.35 * flank, metal * canvas.cover(np.abs(x - 0.34) - 0.44))
    return Scene(canvas, metal, behind, canvas.positions(x, y, ((-0.35, 0), (0, 0), (0.35, 0), (0.7, 0))))


THREAD_PITCH = 0.105


def _half_width(x: Plane, y: Plane, phase: float) -> Plane:
    """Half the screw's width at each place of its axis; the thread's two sides are half a pitch apart."""
    head = np.interp(x, [-0.84, -0.78, -0.62], [0.28, 0.28, 0.10])
    core = np.interp(x, [0.55, 0.84], [0.095, 0.012])
    crest = np.abs(2 * ((x / THREAD_PITCH + phase + 0.5 * (y > 0)) % 1) - 1)
    depth = np.interp(x, [-0.16, -0.08, 0.60, 0.80], [0, 0.06, 0.06, 0.01])
    return np.where(x < -0.6, head, core + depth * crest)


def toothbrush(px: int, rng: Rng) -> Scene:
    """The head of a toothbrush from the front: rows of white and blue tufts on a plate."""
    canvas = Canvas(px, (0.12, 0.12, 0.13))
    x, y = canvas.posed(rng, SHIFT, angle=0.02)
    plate = np.minimum(box(x, y + 0.08, 0.46, 0.84, 0.42), box(x, y - 0.9, 0.16, 0.4, 0.1))
    canvas.paint(canvas.cover(plate), (0.44, 0.66, 0.66))
    canvas.shade(0.75, np.exp(-((plate / 0.04) ** 2)) * canvas.cover(plate))
    behind = canvas.pixels.copy()
    tufts = [(column * 0.22, row * 0.185 - 0.1) for row in range(-3, 4) for column in (-1, 0, 1)]
    tufts += [(-0.11, -0.82), (0.11, -0.82)]
    uneven = rng.normal(0, 0.006, (len(tufts), 2))
    distance = union(circle(x - u - du, y - v - dv, 0.088) for (u, v), (du, dv) in zip(tufts, uneven, strict=True))
    bristles = canvas.cover(distance)
    canvas.paint(bristles, (0.93, 0.94, 0.95))
    canvas.paint(bristles * canvas.cover(np.maximum(np.abs(x) - 0.1, -0.74 - y)), (0.16, 0.34, 0.70))
    canvas.shade(0.62 + 0.40 * np.clip(-distance / 0.06, 0, 1) + 0.10 * canvas.noise(rng, 80), bristles)
    return Scene(canvas, canvas.cover(plate), behind, canvas.positions(x, y, tufts))


FEET = (-2 / 7, 0.0, 2 / 7)
"""Where the legs stand: in three neighbouring holes of the board."""


def transistor(px: int, rng: Rng) -> Scene:
    """A black package whose three legs reach down to a perforated board."""
    canvas = Canvas(px, (0.72, 0.70, 0.66))
    hole = np.hypot((canvas.x * 3.5 + 0.5) % 1 - 0.5, (canvas.y * 3.5 + 0.5) % 1 - 0.5) / 3.5
    canvas.paint(canvas.cover(hole - 0.085), (0.80, 0.47, 0.24))
    canvas.paint(canvas.cover(hole - 0.045), (0.30, 0.20, 0.14))
    behind = canvas.pixels.copy()
    x, y = canvas.posed(rng, SHIFT, angle=0.015)
    legs = np.zeros_like(x)
    for foot in FEET:
        leg = np.minimum(
            segment(x, y, (0.7 * foot, 0), (foot, 0.3), 0.045), segment(x, y, (foot, 0.3), (foot, 0.86), 0.045)
        )
        canvas.paint(canvas.cover(leg), (0.78, 0.79, 0.80))
        canvas.shade(0.6 + 0.5 * np.clip(-leg / 0.03, 0, 1), canvas.cover(leg))
        legs = np.maximum(legs, canvas.cover(leg))
    case = canvas.cover(box(x, y + 0.36, 0.46, 0.40, 0.05))
    canvas.paint(case, (0.13, 0.13, 0.14))
    canvas.paint(case * canvas.cover(box(x, y + 0.70, 0.46, 0.06)), (0.24, 0.24, 0.25))
    canvas.shade(1 + 0.10 * canvas.noise(rng, 50), case)
    for line in (-0.45, -0.30):
        canvas.paint(0.5 * canvas.cover(box(x, y - line, 0.24, 0.022)), (0.50, 0.50, 0.50))
    return Scene(canvas, np.maximum(case, legs), behind, canvas.positions(x, y, [(foot, 0.45) for foot in FEET]))


def zipper(px: int, rng: Rng) -> Scene:
    """A closed zipper: two woven tapes and a row of interlocking teeth."""
    canvas = Canvas(px, (0.38, 0.38, 0.38))
    x, y = canvas.posed(rng, SHIFT, angle=0.01)
    weave = np.sin(2 * np.pi * 14 * (x + 0.5 * y)) * np.sin(2 * np.pi * 14 * (y - 0.2 * x))
    canvas.shade(1 + 0.14 * weave + 0.05 * canvas.noise(rng, 60))
    canvas.paint(canvas.cover(0.80 - np.abs(x)), (0.86, 0.86, 0.86))
    canvas.shade(0.55, canvas.cover(np.abs(x) - 0.24))
    behind, teeth = canvas.pixels.copy(), _teeth()
    distance = union(box(x - u, y - v, 0.13, 0.034, 0.02) for u, v in teeth)
    canvas.paint(canvas.cover(distance), (0.70, 0.70, 0.70))
    canvas.shade(0.65 + 0.5 * np.clip(-distance / 0.034, 0, 1), canvas.cover(distance))
    inside = tuple(tooth for tooth in teeth if abs(tooth[1]) < 0.85)
    return Scene(canvas, canvas.cover(np.abs(x) - 0.78), behind, inside)


def _teeth() -> list[Point]:
    """Centres of the teeth, of the left and the right tape in turn."""
    return [((-0.09, 0.09)[step % 2], (step - 17) * 0.065) for step in range(35)]
