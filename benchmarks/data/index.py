"""The index of a category: its files, their kinds and masks. `layouts` makes it from names; no image is opened for it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from benchmarks.common.words import printable

GOOD = "good"

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """Something about a category's files that its user should know.

    An `error` would falsify a number, a `warning` says what is left out, a `note` what is only odd or was guessed.
    """

    level: Level
    text: str
    """With the count, the first example and the remedy."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", printable(self.text))


def counted(level: Level, found: Sequence[object], text: str) -> list[Finding]:
    """One finding for all that are alike; `{n}` and `{first}` in its text are their count and the first. None if there are none."""
    return [Finding(level, text.replace("{n}", str(len(found))).replace("{first}", str(found[0])))] if found else []


def named(level: Level, texts: Sequence[str]) -> list[Finding]:
    """One finding for messages about single files: the first, and how many others there are."""
    more = f" And {len(texts) - 1} more like it." if len(texts) > 1 else ""
    return [Finding(level, texts[0] + more)] if texts else []


@dataclass(frozen=True)
class ImageFile:
    """One image of a category: its file, its defect type (`good` if none) and its mask, if there is one."""

    path: Path
    name: str
    """Path inside the category, with forward slashes, as records hold it: `test/good/000.png`."""
    defect_type: str = GOOD
    mask: Path | None = None
    place: str = ""
    """Where it would lie in MVTec AD's layout, without suffix (`test/scratch/000`); there its map lies. Empty: as its name."""

    @property
    def is_defective(self) -> bool:
        return self.defect_type != GOOD


@dataclass(frozen=True)
class Category:
    """The files of one category, in a fixed order."""

    name: str
    root: Path
    train: tuple[ImageFile, ...]
    test: tuple[ImageFile, ...]
    findings: tuple[Finding, ...] = field(default=(), compare=False)
    """What the names of its files gave cause to say."""
    layout: str = "MVTec AD's"
    split: str = ""
    """How good test images were drawn, where the folder has no test part of its own."""

    @property
    def has_masks(self) -> bool:
        """Whether every defective test image has a ground-truth mask, as pixel metrics need."""
        defective = [image for image in self.test if image.is_defective]
        return bool(defective) and all(image.mask for image in defective)
