"""Regions of a map, as boxes in the image file."""

import numpy as np
from PIL import Image

from benchmarks.inspect.inspector import regions_of
from benchmarks.inspect.overlay import PX, overlay


def map_with(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    map_HW = np.zeros((50, 100), np.float32)
    for top, left, height, width in boxes:
        map_HW[top : top + height, left : left + width] = 2.0
    return map_HW


def test_boxes_are_in_pixels_of_the_image_largest_first() -> None:
    found = regions_of(map_with((0, 0, 2, 2), (10, 20, 5, 8)), 1.0, 4 / 5000, (500, 2000))
    assert [(r.left, r.top, r.width, r.height) for r in found] == [(400, 100, 160, 50), (0, 0, 40, 20)]
    assert found[0].area == 40 / 5000 and found[0].peak == 2.0


def test_regions_below_the_minimum_area_or_not_above_the_threshold_are_left_out() -> None:
    map_HW = map_with((0, 0, 2, 2), (10, 20, 5, 8))
    assert len(regions_of(map_HW, 1.0, 5 / 5000, (50, 100))) == 1
    assert regions_of(map_HW, 2.0, 1 / 5000, (50, 100)) == ()


def test_pixels_that_touch_by_a_corner_are_one_region() -> None:
    assert len(regions_of(map_with((0, 0, 2, 2), (2, 2, 2, 2)), 1.0, 8 / 5000, (50, 100))) == 1


def test_sixteen_bits_are_shown_by_those_that_are_used() -> None:
    gray = Image.fromarray(np.full((50, 100), 2048, np.uint16))
    shown = np.asarray(overlay(gray, map_with(), 0.0, 1.0, bits=12))
    assert (shown[10, [5, -5]] == 128).all(), "half of 4095, on both panels"


def test_the_colour_scale_is_that_of_the_threshold_not_of_the_image() -> None:
    gray = Image.new("L", (100, 50), 128)
    low, high = (np.asarray(overlay(gray, np.full((50, 100), value, np.float32), 0.0, 1.0)) for value in (0.5, 2.0))
    left, right = low.shape[1] // 4, -low.shape[1] // 4
    assert low.shape == high.shape and low.shape[1] <= 2 * PX + 8
    assert (low[10, left] == [128, 128, 128]).all(), "the left panel shows the image as it is"
    assert low[10, right][1] > high[10, right][1], "below the threshold yellow, above it red"
