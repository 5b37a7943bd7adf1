"""What the time of a cell grows with, read from its configuration: so that cells measured at one budget tell of another."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Work:
    """None where the configuration does not tell; the time is then taken as it was measured."""

    training: float | None
    """Pixels shown in training, over all fits of a cell: samples x epochs x pixels of a sample, each training image a sample where
    none are drawn. Of methods that are fitted in closed form the number of fits."""
    scoring: float | None
    """Pixels that a method works on to score all images: images x tiles x pixels of a tile x search steps."""


def work_of(method: Mapping[str, Any], kind: str, original_px: float | None, images: int | None, fits: int = 1) -> Work:
    """The work of a cell.

    Args:
        method: `method` of the resolved configuration.
        kind: of the category.
        original_px: side of the images' files, for methods that do not resize.
        images: held-out and test images; each as often as it is scored.
        fits: of the cell, see `fits_of`.
    """
    seen, train, model = (_part(method, name) for name in ("inputs", "train", "model"))
    seen, search = _part(seen, kind), _part(model, "search")
    side, patch, stride = seen.get("px") or original_px, seen.get("patch"), model.get("stride")
    if side is None:
        return Work(None, None)
    samples = train.get("samples") or 1  # all training images, whose number is nearly the same in cells of one method
    training = fits * (samples * train["epochs"] * (patch or side) ** 2 if train.get("epochs") else 1.0)
    if images is None:
        return Work(training, None)
    # another's method may pass over its images as it likes
    pixels = _tiles(side, patch, stride) * patch**2 if patch and isinstance(stride, int) else side**2
    return Work(training, images * search.get("steps", 1) * pixels)


def fits_of(protocol: Mapping[str, Any]) -> int:
    """How often a cell fits its method: once, or with `held_out=cross` once for each fold."""
    return int(protocol["folds"]) if protocol.get("held_out") == "cross" else 1


def _part(settings: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Settings of a name; none where a method says something else by that name."""
    part = settings.get(name)
    return part if isinstance(part, Mapping) else {}


def _tiles(side: float, tile: int, stride: int) -> int:
    """How many tiles cover an image, as `methods.blocks.tiling` lays them."""
    return (math.ceil((side - tile) / stride) + 1) ** 2
