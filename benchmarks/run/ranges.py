"""What a setting's value may be: counts, shares, choices, folders. Of a wrong one the key, the value and what it takes are said."""

import math
import re
from collections.abc import Iterator
from typing import Any, get_args

from omegaconf import DictConfig, OmegaConf

from benchmarks.config.overrides import PLACES
from benchmarks.data.images import RESAMPLING, Border, Colour, Fit, Mirror

COUNT = re.compile(r"(^|[._])(batch_size|epochs|samples|search_steps|patches|images|px|patch)$")
"""Null, which takes all or has no limit, or a whole number from 1 on."""
NOT_NULL = re.compile(r"method\.train\.batch_size|method\.predict_batch_size|category\.(augmentation|alignment)")
"""What is used as it is."""
PLACE = re.compile(r"\.\d+$")
"""In a list, after the list's own key."""
WHOLE_FROM = {"protocol.folds": 2, "data.layout.test_seed": 0}
SHARES = ("protocol.validation_share", "data.layout.test_share")
CHOICES = {
    "input.colour": get_args(Colour),
    "input.fit": get_args(Fit),
    "input.resample": tuple(RESAMPLING),
    "trainer.accelerator": ("auto", "cpu", "gpu", "cuda", "mps"),
    "category.augmentation.mirror": get_args(Mirror),
    "category.augmentation.border": get_args(Border),
}
"""Of a list, what each of its values may be. Null says that a method or trainer has no such setting; a category's are all used."""
ANGLE = (0, 180, "an angle in degrees, from 0 to 180")
SHIFT = (0, 1, "a share of the image side, from 0 to 1")
RANGES = {
    "category.augmentation.rotation_deg": ANGLE,
    "category.augmentation.translation": SHIFT,
    "category.alignment.max_angle_deg": ANGLE,
    "category.alignment.max_shift": SHIFT,
}
"""The lowest and the highest number that a setting may be, and what it is."""
BITS = range(1, 17)
NEEDED = ("results.dir", "data.root")


def out_of_range(config: DictConfig) -> Iterator[str]:
    """A sentence for each value that no run can use."""
    settings = sorted(
        _flat(OmegaConf.to_container(config, resolve=True)), key=lambda found: found[0].startswith("method.")
    )
    for key, value in settings:  # a method's settings last: they follow from others
        said, choices = f"{key}={value}: ", CHOICES.get(PLACE.sub("", key))
        if isinstance(value, float) and not math.isfinite(value):
            yield f"{said}it must be a finite number."
        elif value is None and NOT_NULL.fullmatch(key):
            yield f"{said}it cannot be null."
        elif value is not None and COUNT.search(key) and not _is_whole(value, 1):
            yield f"{said}it must be a whole number from 1 on."
        elif key in WHOLE_FROM and not _is_whole(value, WHOLE_FROM[key]):
            yield f"{said}it must be a whole number from {WHOLE_FROM[key]} on."
        elif key in SHARES and not (_is_between(value, 0, 1) and value not in (0, 1)):
            yield f"{said}it is a share of the good images, between 0 and 1."
        elif key in RANGES and not _is_between(value, *RANGES[key][:2]):
            yield f"{said}it is {RANGES[key][2]}."
        elif choices and value not in choices and (value is not None or key.startswith("category.")):
            yield f"{said}it is one of {', '.join(choices)}."
        elif key == "input.bits" and value is not None and value not in BITS:
            yield f"{said}it is a number of bits from 1 to 16."
        elif key.startswith("score_at_epochs.") and not _is_whole(value, 1):
            yield f"score_at_epochs: {value} is no epoch; they count from 1."
        elif key in PLACES and not _is_path(value, config, key):
            yield f"{said}it must name a {'file' if key == 'data.csv' else 'folder'}. Quote a number: \"{key}='{value}'\"."


def _flat(node: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """All values by their dotted keys, those of lists by their place; in their order."""
    if not isinstance(node, dict | list):
        yield key, node
        return
    for name, part in node.items() if isinstance(node, dict) else enumerate(node):
        yield from _flat(part, f"{key}.{name}" if key else str(name))


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_between(value: object, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _is_path(value: object, config: DictConfig, key: str) -> bool:
    if value is None:
        return key not in NEEDED or "samples" in config.data
    return isinstance(value, str) and (bool(value.strip()) or key not in NEEDED)
