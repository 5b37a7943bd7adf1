"""What each category is made of: its drawing and its kinds of defects."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from benchmarks.data.synthetic import long_objects, round_objects, textures
from benchmarks.data.synthetic.canvas import Rng, Scene
from benchmarks.data.synthetic.defects import Defect, bent, dirt, hole, line, missing, spot


@dataclass(frozen=True)
class Recipe:
    draw: Callable[[int, Rng], Scene]
    defects: Mapping[str, Defect]
    gray: bool = False
    """Whether its files are grayscale, as those of MVTec AD."""


BLACK, WHITE, BLUE, RED = (0.03, 0.03, 0.03), (0.95, 0.94, 0.92), (0.08, 0.11, 0.32), (0.55, 0.08, 0.07)
RUST, SAND = (0.42, 0.19, 0.08), (0.75, 0.66, 0.50)

RECIPES: dict[str, Recipe] = {
    "carpet": Recipe(
        textures.carpet,
        {
            "color": partial(spot, colour=RED),
            "cut": partial(line, colour=BLACK, width=0.03, wander=0.1),
            "hole": hole,
            "thread": partial(line, colour=WHITE, length=(0.6, 1.6), wander=0.5),
        },
    ),
    "grid": Recipe(
        textures.grid,
        {"bent": bent, "broken": missing, "thread": partial(line, colour=BLACK, length=(0.6, 1.4), wander=0.5)},
        gray=True,
    ),
    "leather": Recipe(
        textures.leather,
        {
            "color": partial(spot, colour=BLUE, strength=(0.35, 0.9)),
            "cut": partial(line, colour=BLACK, width=0.025, wander=0.1),
            "poke": partial(hole, size=(0.04, 0.09)),
        },
    ),
    "tile": Recipe(
        textures.tile,
        {
            "crack": partial(line, colour=BLACK, length=(0.6, 1.8), wander=0.6),
            "oil": partial(spot, colour=(0.28, 0.20, 0.08), size=(0.1, 0.25), strength=(0.35, 0.9)),
            "gray_stroke": partial(
                line, colour=(0.08, 0.08, 0.10), strength=(0.5, 0.95), length=(0.5, 1.4), width=0.04, wander=0.2
            ),
        },
    ),
    "wood": Recipe(
        textures.wood,
        {
            "color": partial(spot, colour=(0.25, 0.13, 0.10), strength=(0.12, 0.5)),
            "hole": partial(hole, size=(0.04, 0.1)),
            "scratch": partial(line, colour=(0.88, 0.74, 0.55), length=(0.4, 1.4), strength=(0.12, 0.4)),
        },
    ),
    "bottle": Recipe(
        round_objects.bottle,
        {
            "broken": partial(line, colour=WHITE, width=0.025, wander=0.9, strength=(0.05, 0.25)),
            "contamination": partial(spot, colour=SAND, size=(0.06, 0.15), strength=(0.05, 0.4)),
        },
    ),
    "cable": Recipe(
        round_objects.cable,
        {
            "bent_wire": partial(bent, size=(0.25, 0.45)),
            "cut_insulation": partial(line, colour=BLACK, width=0.03, wander=0.1),
            "missing_wire": partial(missing, size=(0.1, 0.2)),
        },
    ),
    "capsule": Recipe(
        round_objects.capsule,
        {
            "crack": partial(line, colour=BLACK, wander=0.6, width=0.025),
            "poke": partial(hole, size=(0.05, 0.1)),
            "squeeze": bent,
        },
    ),
    "hazelnut": Recipe(
        round_objects.hazelnut,
        {
            "crack": partial(line, colour=BLACK, wander=0.6, width=0.025),
            "hole": partial(hole, size=(0.06, 0.12)),
            "print": partial(spot, colour=WHITE, size=(0.08, 0.16)),
        },
    ),
    "metal_nut": Recipe(
        round_objects.metal_nut,
        {
            "bent": bent,
            "color": partial(spot, colour=RUST),
            "scratch": partial(line, colour=WHITE, wander=0.1),
        },
    ),
    "pill": Recipe(
        round_objects.pill,
        {
            "color": partial(spot, colour=(0.80, 0.62, 0.25), size=(0.07, 0.2)),
            "contamination": partial(dirt, colour=RED, size=(0.04, 0.1)),
            "crack": partial(line, colour=(0.30, 0.26, 0.24), wander=0.6),
        },
    ),
    "screw": Recipe(
        long_objects.screw,
        {
            "bent": partial(bent, size=(0.14, 0.24), push=(0.2, 0.45)),
            "rust": partial(spot, colour=BLACK, size=(0.05, 0.12), strength=(0.15, 0.6)),
            "scratch": partial(line, colour=WHITE, length=(0.2, 0.5), strength=(0.15, 0.6)),
        },
        gray=True,
    ),
    "toothbrush": Recipe(
        long_objects.toothbrush,
        {
            "bent_bristles": bent,
            "contamination": partial(dirt, colour=RUST, size=(0.05, 0.12)),
            "missing_bristles": partial(missing, size=(0.1, 0.18)),
        },
    ),
    "transistor": Recipe(
        long_objects.transistor,
        {
            "bent_lead": bent,
            "cut_lead": partial(missing, size=(0.12, 0.2)),
            "damaged_case": partial(dirt, colour=(0.45, 0.44, 0.42), size=(0.05, 0.12)),
        },
    ),
    "zipper": Recipe(
        long_objects.zipper,
        {
            "broken_teeth": partial(missing, size=(0.1, 0.16)),
            "rough": partial(line, colour=(0.75, 0.75, 0.75), wander=0.8),
            "squeezed_teeth": bent,
        },
        gray=True,
    ),
}
