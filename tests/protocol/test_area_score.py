"""`score_A` against its definition: every threshold tried, components labelled by scipy."""

import numpy as np
import pytest
from scipy import ndimage
from skimage.morphology import area_opening

from benchmarks.protocol.area_score import area_in_pixels, area_scores

EIGHT_CONNECTED = np.ones((3, 3))


def brute_force(map_HW: np.ndarray, area: int) -> float:
    for level in np.unique(map_HW)[::-1]:
        labels, count = ndimage.label(map_HW >= level, structure=EIGHT_CONNECTED)
        if count and np.bincount(labels.ravel())[1:].max() >= area:
            return float(level)
    raise AssertionError("the lowest level holds every pixel")


def maps() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    noise = rng.random((23, 31))
    return {
        "noise": noise,
        "smooth": ndimage.gaussian_filter(noise, 2),
        "ties": np.round(ndimage.gaussian_filter(noise, 1), 2),
        "two values": (noise > 0.6).astype(float),
        "constant": np.full((9, 7), 0.5),
        "float32": noise.astype(np.float32),
        "float32 of both signs": ((noise - 0.5) * 10.0 ** (40 * noise - 30)).astype(np.float32),
        "float32 zeros of both signs": np.where(noise > 0.5, np.float32(0.0), np.float32(-0.0)),
        "negative": noise - 5,
        "one row": noise[:1],
        "one pixel": noise[:1, :1],
        "diagonal": np.eye(12),
    }


@pytest.mark.parametrize("name", maps())
def test_equals_the_definition_at_every_area(name: str) -> None:
    map_HW = maps()[name]
    areas = sorted({1, 2, 3, 5, 9, 10, 40, map_HW.size // 2, map_HW.size} & set(range(1, map_HW.size + 1)))
    assert area_scores(map_HW, areas).tolist() == [brute_force(map_HW, area) for area in areas]


def test_equals_the_maximum_of_the_area_opening() -> None:
    map_HW = ndimage.gaussian_filter(np.random.default_rng(1).random((64, 64)), 2)
    for area in (1, 7, 50, 400):
        assert area_scores(map_HW, [area])[0] == area_opening(map_HW, area, connectivity=2).max()


def test_a_plateau_of_two_peaks_worked_by_hand() -> None:
    map_HW = np.array([[9, 0, 0, 7], [0, 8, 0, 7], [0, 0, 0, 7]])  # 9 and 8 touch by a corner
    assert area_scores(map_HW, [1, 2, 3, 4, 5, 6]).tolist() == [9, 8, 7, 0, 0, 0]


def test_order_of_areas_is_kept_and_one_pass_equals_many() -> None:
    map_HW = np.random.default_rng(2).random((20, 20))
    areas = [50, 1, 400, 8, 8]
    assert area_scores(map_HW, areas).tolist() == [area_scores(map_HW, [area])[0] for area in areas]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_maps_that_are_not_finite_are_refused(bad: float) -> None:
    map_HW = np.zeros((4, 4))
    map_HW[1, 2] = bad
    with pytest.raises(ValueError, match="1 values that are NaN or infinite"):
        area_scores(map_HW, [1])


@pytest.mark.parametrize("areas", [[], [0], [17]])
def test_areas_out_of_range_are_refused(areas: list[int]) -> None:
    with pytest.raises(ValueError, match="areas must lie between 1 and 16"):
        area_scores(np.zeros((4, 4)), areas)


def test_area_in_pixels_is_a_share_of_the_image_and_at_least_one() -> None:
    assert area_in_pixels(0.001, 900 * 900) == 810
    assert area_in_pixels(1e-5, 128 * 128) == 1
