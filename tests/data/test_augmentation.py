"""Rendered views against a slow pixel-by-pixel reference, and the ranges that they are drawn from."""

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from benchmarks.common.errors import UserError
from benchmarks.data.augmentation import Augmentation, Views, draw_views, render
from benchmarks.data.datasets import AugmentedViews, to_float

ALL = Augmentation(rotation_deg=180, translation=0.1, mirror=["horizontal", "vertical"], border="border")
NONE = Augmentation(rotation_deg=0, translation=0, mirror=[], border="border")


def images(count: int = 3, height: int = 60, width: int = 60) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def draw(augmentation: Augmentation, samples: int, patch: int | None, height: int = 60, width: int = 60) -> Views:
    return draw_views(augmentation, samples, 3, (height, width), patch, np.random.default_rng(1))


def slow_view(image_HWC: np.ndarray, turn: np.ndarray, centre: np.ndarray, size: int) -> np.ndarray:
    """Pixel (x, y) shows the source at centre + turn @ ((x, y) - middle)."""
    ys, xs = np.mgrid[:size, :size] - (size - 1) / 2
    source_x = centre[0] + turn[0, 0] * xs + turn[0, 1] * ys
    source_y = centre[1] + turn[1, 0] * xs + turn[1, 1] * ys
    channels = [
        map_coordinates(c / 255.0, [source_y, source_x], order=1, mode="nearest") for c in np.moveaxis(image_HWC, -1, 0)
    ]
    return np.stack(channels)


@pytest.mark.parametrize("patch", [None, 24])
def test_rendered_views_equal_the_reference(patch: int | None) -> None:
    pixels, views = images(), draw(ALL, 12, patch)
    batch = AugmentedViews(torch.from_numpy(pixels), views, patch).__getitems__(list(range(12)))
    size = patch or 60
    rendered = render(to_float(batch.pixels_BHWC), batch.place_B23, (size, size), "border")
    for index in range(12):
        expected = slow_view(pixels[views.image_N[index]], views.turn_N22[index], views.centre_N2[index], size)
        np.testing.assert_allclose(rendered[index].numpy(), expected, atol=1e-4)


def test_without_ranges_the_image_comes_back() -> None:
    pixels, views = images(), draw(NONE, 5, None)
    batch = AugmentedViews(torch.from_numpy(pixels), views, None).__getitems__([0, 1, 2, 3, 4])
    rendered = render(to_float(batch.pixels_BHWC), batch.place_B23, (60, 60), "border")
    torch.testing.assert_close(rendered, to_float(torch.from_numpy(pixels[views.image_N])), atol=1e-5, rtol=0)


def test_patches_stay_inside_a_wide_image() -> None:
    views = draw(ALL, 500, 24, height=40, width=90)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (24 - 1) / 2
    points = views.centre_N2[:, None] + np.einsum("nij,cj->nci", views.turn_N22, corners)
    assert points[..., 0].min() >= 0 and points[..., 0].max() <= 89
    assert points[..., 1].min() >= 0 and points[..., 1].max() <= 39


def test_ranges_are_kept_and_used() -> None:
    narrow = Augmentation(rotation_deg=10, translation=0.05, mirror=["horizontal"], border="border")
    views = draw(narrow, 2000, None)
    shifts = views.centre_N2 - 29.5
    assert 2.9 < np.abs(shifts).max() <= 3
    mirrored = views.turn_N22[:, 0, 0] < 0
    assert 0.4 < mirrored.mean() < 0.6 and (views.turn_N22[:, 1, 1] > 0).all()
    angles = np.rad2deg(np.arcsin(np.abs(views.turn_N22[:, 1, 0])))
    assert 9.5 < angles.max() <= 10


def test_the_generator_decides() -> None:
    first, second = draw(ALL, 50, 24), draw(ALL, 50, 24)
    assert np.array_equal(first.centre_N2, second.centre_N2) and np.array_equal(first.turn_N22, second.turn_N22)


def test_a_patch_that_does_not_fit_is_refused() -> None:
    """Turned by 45 degrees its pixels' centres are 49 sqrt(2) = 69.3 apart."""
    with pytest.raises(UserError, match=r"patch of 50 px does not fit into an image of 60 x 60 px.*px to 71"):
        draw(ALL, 100, 50)


def test_a_patch_as_large_as_the_image_fits_unturned() -> None:
    views = draw(NONE, 5, 60)
    assert np.array_equal(views.centre_N2, np.full((5, 2), 29.5))
