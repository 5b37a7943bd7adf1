"""From a recipe to the pixels of one image and the exact mask of its defect."""

import numpy as np
from numpy.typing import NDArray

from benchmarks.data.synthetic.canvas import Pixels, Plane, Rng, Scene
from benchmarks.data.synthetic.defects import Defect
from benchmarks.data.synthetic.recipes import RECIPES
from benchmarks.protocol.regions import label_regions

VISIBLE = 8 / 255
"""A pixel belongs to the defect if one of its channels changed by this much: about four times the usual sensor noise."""
SENSOR_NOISE = (1.4 / 255, 2.8 / 255)
"""Range of its standard deviation. It varies between images, so that the size of a file tells nothing about a defect."""
SHARE = (0.003, 0.05)
"""Share of the image that a defect may take."""
LUMA = (0.299, 0.587, 0.114)


def render(
    category: str, px: int, seeds: np.random.SeedSequence, defect: str | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw one image: pixels (px, px) or (px, px, 3), and its mask (px, px), 255 on the defect and 0 elsewhere.

    Scene, defect, light and sensor have streams of their own, so that the same seeds without `defect` give exactly the same pixels
    outside the mask.
    """
    recipe = RECIPES[category]
    of_scene, of_defect, of_camera = (np.random.default_rng(child) for child in seeds.spawn(3))
    scene = recipe.draw(px, of_scene)
    pixels, mask = scene.canvas.pixels, np.zeros((px, px), bool)
    if defect is not None:
        pixels, mask = _with_defect(scene, of_defect, recipe.defects[defect], recipe.gray)
    return _photograph(pixels, of_camera, recipe.gray), mask.astype(np.uint8) * 255


def _with_defect(scene: Scene, rng: Rng, defect: Defect, gray: bool) -> tuple[Pixels, NDArray[np.bool_]]:
    """The scene with a defect of sensible size, and where it is. What changed invisibly is taken back."""
    good, mask = scene.canvas.pixels, np.zeros(scene.surface.shape, bool)
    while not SHARE[0] <= mask.mean() <= SHARE[1]:
        altered = defect(scene, rng)
        mask = _without_specks(_change(altered - good, gray) > VISIBLE)
    return np.where(mask[..., None], altered, good), mask


def _change(difference: Pixels, gray: bool) -> Plane:
    return np.abs(difference @ LUMA) if gray else np.abs(difference).max(axis=-1)


def _without_specks(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Only the regions that are at least a tenth as large as the largest one, so that no region is a stray pixel."""
    labels, _ = label_regions(mask)
    sizes = np.bincount(labels.ravel())
    large = sizes >= 0.1 * sizes[1:].max(initial=1)
    kept: NDArray[np.bool_] = mask & large[labels]
    return kept


def _photograph(pixels: Pixels, rng: Rng, gray: bool) -> NDArray[np.uint8]:
    """Uneven light, sensor noise, 8 bits."""
    px = len(pixels)
    ramp = np.linspace(-1, 1, px)
    level, right, down = rng.normal(0, (0.02, 0.02, 0.02))
    lit = pixels * (1 + level + right * ramp + down * ramp[:, None])[..., None]
    exposed = lit @ LUMA if gray else lit
    noisy = exposed + rng.normal(0, rng.uniform(*SENSOR_NOISE), exposed.shape)
    quantised: NDArray[np.uint8] = np.round(255 * np.clip(noisy, 0, 1)).astype(np.uint8)
    return quantised
