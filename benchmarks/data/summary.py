"""What was understood of a folder, in words, each guess with the option that overrides it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.errors import UserError
from benchmarks.common.words import number_of
from benchmarks.data.images import Header, decode
from benchmarks.data.index import Category, ImageFile, Level
from benchmarks.data.survey import Survey

Kind = Literal["object", "texture"]
LOOKED_AT = 24
LOOK_PX = 32
PLACED = 0.1  # of the fifteen built-in categories and four of MVTec AD, surfaces explain up to 0.02, objects 0.22 (screw) and more


@dataclass(frozen=True)
class Summary:
    """What a folder was taken for. `str()` is the text."""

    survey: Survey
    layout: str
    good: int
    bad: int
    kinds: tuple[str, ...]
    masks: int
    train: int
    test_good: int
    split: str
    sizes: tuple[tuple[int, int], ...]
    """(height, width) of the images, the commonest first."""
    gray: bool
    bits: int
    kind: Kind
    """Whether they look like an object or a surface."""
    because: str
    fit: Literal["squash", "pad"]
    """How images that are not square are best brought to a method's size."""

    def __str__(self) -> str:
        lines = [
            f"{self.survey.category.name}: {self._counts()}, {self._pixels()}; read as {self.layout}",
            f"  test images: {self.split}"
            if self.split
            else f"  {self.train} to fit to and hold out, {self.test_good} good to test",
            f"  looks like {'an object' if self.kind == 'object' else 'a surface'}, because {self.because}. "
            f"Otherwise: --kind {'texture' if self.kind == 'object' else 'object'}",
        ]
        if self.fit == "pad":
            lines.append("  not square: padded to a square, not squashed")
        levels: tuple[Level, ...] = ("error", "warning", "note")
        for level in levels:
            lines += [f"  {level}: {text}" for text in self.survey.texts(level)]
        return "\n".join(lines)

    def _counts(self) -> str:
        bad = f"{self.bad} bad in {number_of(len(self.kinds), 'kind')}" if self.bad else "no bad one"
        return f"{self.good} good, {bad}, {self.masks or 'no'} masks"

    def _pixels(self) -> str:
        height, width = self.sizes[0] if self.sizes else (0, 0)
        others = f" and {number_of(len(self.sizes) - 1, 'other size')}" if len(self.sizes) > 1 else ""
        return f"{width} x {height}{others} {'gray' if self.gray else 'colour'}{'' if self.bits == 8 else f', {self.bits} bits'}"


def summarise(category: Category, survey: Survey) -> Summary:
    """Count, and look at a few training images. No test image is decoded."""
    images = [*category.train, *category.test]
    bad = [image for image in category.test if image.is_defective]
    headers = [survey.headers[image.path] for image in images if image.path in survey.headers]
    kind, because = kind_of(category.train)
    sizes = Counter(header.size for header in headers)
    return Summary(
        survey,
        category.layout,
        len(images) - len(bad),
        len(bad),
        tuple(sorted({image.defect_type for image in bad})),
        sum(image.mask is not None for image in bad),
        len(category.train),
        len(category.test) - len(bad),
        category.split,
        tuple(size for size, _ in sizes.most_common()),
        bool(headers) and all(header.grayscale for header in headers),
        max((header.bits for header in headers), default=8),
        kind,
        because,
        "squash" if _all_square(headers) else "pad",
    )


def _all_square(headers: Sequence[Header]) -> bool:
    return all(header.size[0] == header.size[1] for header in headers)


def kind_of(train: Sequence[ImageFile]) -> tuple[Kind, str]:
    """An object lies in one place, so that the mean image shows it; a surface looks alike everywhere, so that its mean is flat."""
    explained = _explained(_small(train[:: -(-len(train) // LOOKED_AT)]))
    share = f"{100 * explained:.0f} % of what varies from pixel to pixel is the same in all images"
    if explained >= PLACED:
        return "object", f"the mean of the good images shows it in one place ({share})"
    return "texture", f"the mean of the good images is nearly flat ({share})"


def _small(images: Sequence[ImageFile]) -> NDArray[np.float64]:
    found = []
    for image in images:
        try:
            found.append(decode(image.path, "gray", LOOK_PX, "area")[..., 0])
        except UserError:
            continue  # the survey names it
    return np.array(found, dtype=np.float64).reshape(-1, LOOK_PX, LOOK_PX)


def _explained(images_NHW: NDArray[np.float64]) -> float:
    """The share of the images' variance over place that their mean has too, freed of what chance alone leaves in a mean of N."""
    count = len(images_NHW)
    if count < 2:
        return 1.0
    centred_NHW = images_NHW - images_NHW.mean(axis=(1, 2), keepdims=True)
    total, of_mean = float((centred_NHW**2).mean()), float((centred_NHW.mean(axis=0) ** 2).mean())
    if total == 0:
        return 0.0
    return max(0.0, (count * of_mean / total - 1) / (count - 1))
