"""The synthetic dataset on disk, in the layout of MVTec AD."""

import tempfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from benchmarks.common.errors import UserError, nearest
from benchmarks.data.index import GOOD
from benchmarks.data.synthetic.recipes import RECIPES
from benchmarks.data.synthetic.render import render

CATEGORIES: tuple[str, ...] = tuple(RECIPES)
FORMAT = 1
"""Raised whenever the drawings change, so that images of different versions never share a folder."""
MIN_PX = 32


@dataclass(frozen=True)
class SyntheticSpec:
    """How large the images are and how many a category has.

    Raises:
        UserError: a value out of range.
    """

    px: int = 128
    train_good: int = 40
    test_good: int = 12
    per_defect: int = 6
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("px", MIN_PX), ("train_good", 1), ("test_good", 1), ("per_defect", 1), ("seed", 0)):
            value = getattr(self, name)
            if value < least:
                raise UserError(
                    f"The synthetic dataset needs {name} of at least {least}, not {value}: set data.spec.{name}."
                )

    def key(self) -> str:
        """A folder name that is different for different images: `v1-128px-40-12-6-seed0`."""
        return f"v{FORMAT}-{self.px}px-{self.train_good}-{self.test_good}-{self.per_defect}-seed{self.seed}"


def write_dataset(
    spec: SyntheticSpec, root: Path, categories: Sequence[str] = CATEGORIES, progress: bool = True
) -> list[Path]:
    """Write several categories under `root`; those that are there already are kept. Returns their folders.

    Raises:
        UserError: an unknown category.
    """
    bar = tqdm(categories, desc="Drawing the synthetic dataset", unit="category", disable=not progress)
    return [write_category(spec, category, root) for category in bar]


def write_category(spec: SyntheticSpec, category: str, root: Path) -> Path:
    """Write `root/category`, all of it or nothing, unless it is there already (then it must be made from the same `spec`).

    Raises:
        UserError: an unknown category.
    """
    if category not in RECIPES:
        raise UserError(f"The synthetic dataset has no category '{category}'. {nearest(category, CATEGORIES)}")
    target = root / category
    if target.is_dir():
        return target
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix=f".{category}.") as temporary:
        complete = Path(temporary) / category
        _write(spec, category, complete)
        try:
            complete.rename(target)
        except OSError:  # another process was faster: its images are the same
            if not target.is_dir():
                raise
    return target


def _write(spec: SyntheticSpec, category: str, folder: Path) -> None:
    for split, kind, count in _folders(spec, category):
        for index in range(count):
            pixels, mask = render(category, spec.px, _seeds(spec, category, split, kind, index), _defect(kind))
            _save(folder / split / kind / f"{index:03}.png", pixels)
            if kind != GOOD:
                _save(folder / "ground_truth" / kind / f"{index:03}_mask.png", mask)


def _folders(spec: SyntheticSpec, category: str) -> Iterator[tuple[str, str, int]]:
    """Split, kind (`good` or a defect) and number of images of each folder."""
    yield "train", GOOD, spec.train_good
    yield "test", GOOD, spec.test_good
    for defect in RECIPES[category].defects:
        yield "test", defect, spec.per_defect


def _seeds(spec: SyntheticSpec, category: str, split: str, kind: str, index: int) -> np.random.SeedSequence:
    """An image's own stream: the same whichever other images are drawn."""
    return np.random.SeedSequence([spec.seed, zlib.crc32(f"{category}/{split}/{kind}".encode()), index])


def _defect(kind: str) -> str | None:
    return None if kind == GOOD else kind


def _save(path: Path, pixels: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
