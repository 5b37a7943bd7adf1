"""Maps of padded and cropped images lie where their images' pixels lie."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.data.images import Fit, decode
from benchmarks.data.placement import area_on_image, map_on_image
from tests.conftest import save

SIZES = [(40, 100), (100, 40), (64, 64), (33, 71)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("fit", ["squash", "pad", "crop"])
def test_the_gray_values_of_an_image_as_a_map_come_back_to_their_place(
    tmp_path: Path, size: tuple[int, int], fit: Fit
) -> None:
    y, x = np.mgrid[: size[0], : size[1]]
    image = (60 + 100 * y / size[0] + 90 * x / size[1]).astype(np.uint8)
    seen = decode(save(tmp_path / "a.png", image), "gray", 128, fit=fit)[..., 0]
    assert seen.shape == (128, 128)
    back = map_on_image(seen.astype(np.float32), size, fit)
    assert back.shape == size
    side = min(size)
    top, left = ((length - side) // 2 for length in size)
    inside = (slice(top, top + side), slice(left, left + side)) if fit == "crop" else (slice(None), slice(None))
    assert np.abs(back - image)[inside].max() <= 4
    if fit == "crop" and size[0] != size[1]:
        outside = np.ones(size, bool)
        outside[inside] = False
        assert (back[outside] == seen.min()).all()


def test_padding_repeats_the_border_and_keeps_proportions(tmp_path: Path) -> None:
    image = np.zeros((40, 80), np.uint8)
    image[10:30, 30:50] = 200  # a square
    seen = decode(save(tmp_path / "a.png", image), "gray", 80, fit="pad")[..., 0]
    rows, columns = (np.flatnonzero((seen > 100).any(axis=axis)) for axis in (1, 0))
    assert len(rows) == len(columns) == 20 and rows[0] == 30
    assert (seen[0] == seen[20]).all()


def test_shares_of_area() -> None:
    assert area_on_image(0.001, (50, 100), "squash") == 0.001
    assert area_on_image(0.001, (50, 100), "pad") == pytest.approx(0.002)
    assert area_on_image(0.001, (50, 100), "crop") == pytest.approx(0.0005)
