"""Another light on the good test images is said; the same light is not called another."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.choose.light import light
from benchmarks.data.index import Category
from benchmarks.data.layouts import read_folder


def category(root: Path, test_gray: float) -> Category:
    rng = np.random.default_rng(0)
    for part, count, gray in (("train/good", 30, 120.0), ("test/good", 12, test_gray), ("test/bad", 2, 20.0)):
        (root / part).mkdir(parents=True)
        for number in range(count):
            pixels = rng.normal(gray + rng.normal(0, 2), 5, (40, 40))
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(root / part / f"{number}.png")
    return read_folder(root)[0]


@pytest.mark.parametrize(("gray", "word"), [(120, "as bright as"), (140, "brighter than"), (100, "darker than")])
def test_brightness_of_good_images_is_compared(gray: float, word: str, tmp_path: Path) -> None:
    found = light(category(tmp_path, gray))
    assert found is not None and word in str(found)
    assert found.differs == (gray != 120) and found.test == pytest.approx(gray, abs=2)
