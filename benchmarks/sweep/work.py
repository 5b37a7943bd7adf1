"""What the time of a cell grows with, read from its configuration: so that cells measured at one budget tell of another."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Work:
    """None where the configuration does not tell; the time is then taken as it was measured."""

    training: float | None
    """Pixels shown in training: samples x epochs x pixels of a sample. None for methods that are fitted in closed form."""
    scoring: float | None
    """Pixels that a method works on to score all images: images x tiles x pixels of a tile x search steps."""


def work_of(method: Mapping[str, Any], kind: str, original_px: float | None, images: int | None) -> Work:
    """The work of a cell.

    Args:
        method: `method` of the resolved configuration.
        kind: of the category.
        original_px: side of the images' files, for methods that do not resize.
        images: held-out and test images.
    """
    seen, train, model = method["inputs"][kind], method["train"], method["model"]
    side, patch = seen.get("px") or original_px, seen.get("patch")
    if side is None:
        return Work(None, None)
    samples = train.get("samples")
    training = None if samples is None else samples * train["epochs"] * (patch or side) ** 2
    if images is None:
        return Work(training, None)
    steps = model.get("search", {}).get("steps", 1)
    return Work(training, images * steps * (_tiles(side, patch, model["stride"]) * patch**2 if patch else side**2))


def _tiles(side: float, tile: int, stride: int) -> int:
    """How many tiles cover an image, as `methods.blocks.tiling` lays them."""
    return (math.ceil((side - tile) / stride) + 1) ** 2
