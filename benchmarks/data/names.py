"""What the names of folders mean: good images, masks, the parts for training and testing."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common.errors import UnusableData

GOOD_NAMES = frozenset({"good", "ok", "normal", "pass", "io"})
MASK_NAMES = ("ground_truth", "groundtruth", "gt", "masks", "mask")
TRAIN_NAMES = frozenset({"train", "training"})
TEST_NAMES = frozenset({"test", "testing"})
IMAGE_NAMES = frozenset({"images", "image", "imgs", "img"})
"""Folders that say nothing of their images, such as `bad/images` beside `bad/masks`."""


@dataclass(frozen=True)
class Layout:
    """How a category's folder is read (`data.layout`). The defaults read anybody's; each overrides a guess."""

    good: Sequence[str] = ()
    """Folders, or labels of a table, that are good; empty: good, ok, normal, pass, io in any case, alone or as first word."""
    ignore: Sequence[str] = ()
    """Folders that are passed over."""
    masks: Sequence[str] = MASK_NAMES
    """Folders that hold masks."""
    table: str | None = None
    """A CSV below data.root that lists the images of all categories."""
    test_share: float = 0.2
    """Share of the good images drawn for testing, where there is no test part."""
    test_seed: int = 0
    """Of that draw. It is the dataset's: all seeds of a run share their test images."""

    def is_good(self, name: str) -> bool:
        if self.good:
            return name in {str(good) for good in self.good}
        return re.split(r"[\W_]+", name.casefold().replace("i.o", "io"))[0] in GOOD_NAMES

    def is_masks(self, name: str) -> bool:
        return name.casefold() in {str(masks).casefold() for masks in self.masks}

    def nothing_drawn(self, place: Path, good: int) -> UnusableData:
        """What to say of good images alone of which none is drawn for testing."""
        return UnusableData(
            f"{place} has {good} good image(s) and no defective one, and data.layout.test_share={self.test_share:g} draws none of "
            "them for testing: add good images, or raise data.layout.test_share."
        )
