"""Augmentation of the deep methods: every sample is one affine view of a training image.

Stated in the paper (section 4.1): textures are random crops of rotated rectangles, objects are translated, rotated and mirrored
where the object permits it, 10,000 samples per category. As in the paper the samples are a fixed set: they are drawn once, as a
table of positions, and rendered in batches on the device.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from benchmarks.common.errors import UserError
from benchmarks.data.images import Border, Mirror


@dataclass(frozen=True)
class Augmentation:
    """Ranges of one category (`conf/category`): rotation in degrees to either side, translation as a share of the image side."""

    rotation_deg: float
    translation: float
    mirror: Sequence[Mirror]
    """Axes along which the image may be flipped."""
    border: Border
    """How `grid_sample` fills what lies outside of the image; "border" is the nearest pixel."""
    reason: str = ""


@dataclass(frozen=True)
class Views:
    """N drawn samples: pixel (x, y) of a sample shows the source at `centre + turn @ ((x, y) - middle of the sample)`."""

    image_N: NDArray[np.int64]
    turn_N22: NDArray[np.float64]
    centre_N2: NDArray[np.float64]
    """(x, y) in the source image, in pixels."""


def draw_views(
    augmentation: Augmentation,
    samples: int,
    images: int,
    image_hw: tuple[int, int],
    patch: int | None,
    rng: np.random.Generator,
) -> Views:
    """Draw the sample set: whole images moved about (patch None), or patches of rotated rectangles within the image.

    Raises:
        UserError: a patch is larger than the image.
    """
    angle_N = np.deg2rad(rng.uniform(-augmentation.rotation_deg, augmentation.rotation_deg, samples))
    cos_N, sin_N = np.cos(angle_N), np.sin(angle_N)
    size_xy = np.array(image_hw[::-1], dtype=np.float64)
    if patch is None:
        room_N2 = np.broadcast_to(augmentation.translation * size_xy, (samples, 2))
    else:
        reach_N = (patch - 1) * (abs(cos_N) + abs(sin_N))
        room_N2 = (size_xy - 1 - reach_N[:, None]) / 2
        if room_N2.min() < 0:
            widest = math.radians(min(augmentation.rotation_deg, 45))
            needed = 1 + math.ceil((patch - 1) * (math.cos(widest) + math.sin(widest)))
            raise UserError(
                f"A rotated patch of {patch} px does not fit into an image of {image_hw[1]} x {image_hw[0]} px: raise "
                f"method.inputs.<kind>.px to {needed}, or lower category.augmentation.rotation_deg."
            )
    centre_N2 = (size_xy - 1) / 2 + rng.uniform(-1, 1, (samples, 2)) * room_N2
    flip_N2 = np.ones((samples, 2))
    for axis, name in enumerate(get_args(Mirror)):
        if name in augmentation.mirror:
            flip_N2[:, axis] = rng.choice([-1, 1], samples)
    turn_N22 = np.stack([np.stack([cos_N, -sin_N], -1), np.stack([sin_N, cos_N], -1)], -2) * flip_N2[:, None, :]
    return Views(rng.integers(images, size=samples), turn_N22, centre_N2)


def view_matrices(
    turn_N22: NDArray[np.float64],
    centre_N2: NDArray[np.float64],
    sample_hw: tuple[int, int],
    source_hw: tuple[int, int],
) -> NDArray[np.float64]:
    """Where views lie in their sources, (N, 2, 3): matrices in the unit of `render`, -1 at the first pixel and 1 at the last."""
    sample_2, source_2 = (np.array(size_hw[::-1]) - 1 for size_hw in (sample_hw, source_hw))
    return np.concatenate([turn_N22 * sample_2 / source_2[:, None], (2 * centre_N2 / source_2 - 1)[..., None]], axis=2)


def render(sources_BCHW: Tensor, place_B23: Tensor, size_hw: tuple[int, int], border: str) -> Tensor:
    """Render one view of each source image, bilinear, (B, C, *size_hw), on the device of the sources.

    Nothing here waits for a GPU, so that it is handed the next steps while it works on this one.
    """
    grid_BHW2 = affine_grid(place_B23, [len(sources_BCHW), 1, *size_hw], align_corners=True)
    return grid_sample(sources_BCHW, grid_BHW2, padding_mode=border, align_corners=True)
