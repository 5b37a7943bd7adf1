"""The variation model against its definition in numpy, with and without alignment."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage

from methods.contract import MethodError
from methods.variation_model import VariationModel

NO_SEARCH = {"max_angle_deg": 0, "max_shift": 0}


def model(alignment: dict[str, float] = NO_SEARCH, floor: float = 5) -> VariationModel:
    return VariationModel(alignment, min_score=0.6, contrast=8, min_cover=0.5, deviation_floor=floor)


def discs(shifts: list[tuple[int, int]], seed: int = 0, px: int = 160) -> torch.Tensor:
    """Bright ellipses on a dark ground with a little noise, (N, 1, px, px) in [0, 1]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:px, :px] - px / 2
    images = [((y - dy) ** 2 / 2 + (x - dx) ** 2 < 30**2) * 0.6 + 0.2 for dy, dx in shifts]
    noisy = np.stack(images)[:, None] + rng.normal(0, 0.01, (len(shifts), 1, px, px))
    return torch.from_numpy(noisy.clip(0, 1)).float()


def fitted(method: VariationModel, images: torch.Tensor) -> VariationModel:
    for batch in images.split(4):
        method.observe(batch)
    method.fit()
    return method


@pytest.mark.parametrize("floor", [0.5, 5])
def test_map_is_the_deviation_in_floored_standard_deviations(floor: float) -> None:
    train, test = discs([(0, 0)] * 10), discs([(0, 3)], seed=1)
    gray = train[:, 0].numpy().astype(np.float64) * 255
    expected = np.abs(test[0, 0].numpy() * 255 - gray.mean(0)) / np.maximum(gray.std(0), floor)
    found = fitted(model(floor=floor), train).anomaly_map(test)[0].numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_trained_directly_the_first_images_edges_stand_for_the_deviation() -> None:
    train, test = discs([(0, 0), (4, 4)]), discs([(0, 3)], seed=1)
    first = train[0, 0].numpy().astype(np.float64) * 255
    amplitude = sum(np.abs(ndimage.sobel(first, axis, mode="nearest")) for axis in (0, 1)) / 4
    method = VariationModel(NO_SEARCH, min_score=0.6, contrast=8, min_cover=0.5, deviation_floor=5, training="direct")
    found = fitted(method, train).anomaly_map(test)[0].numpy()
    expected = np.abs(test[0, 0].numpy() * 255 - first) / np.maximum(amplitude, 5)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
    with pytest.raises(MethodError, match="standard or direct, not 'single'"):
        VariationModel(NO_SEARCH, 0.6, 8, 0.5, 5, training="single")


def test_shifted_objects_are_aligned_and_scored_where_they_lie() -> None:
    shifts = [(0, 0), (3, -2), (-5, 1), (2, 6), (-1, -4), (4, 4)]
    method = fitted(model({"max_angle_deg": 0, "max_shift": 0.1}), discs(shifts))
    assert method.facts() == {"unaligned_training": 0, "unaligned_scored": 0}
    test = discs([(-4, 5)], seed=2)
    unharmed = method.anomaly_map(test)[0]
    test[0, 0, 70:80, 80:90] = 0
    harmed = method.anomaly_map(test)[0]
    assert unharmed.max() < 12 < harmed[72:78, 82:88].min()  # the shift alone would give 0.6 * 255 / 5 = 31 at the rim


def test_an_image_without_the_object_is_scored_unaligned_and_counted() -> None:
    method = fitted(model({"max_angle_deg": 0, "max_shift": 0.1}), discs([(0, 0), (1, 1), (2, 0)]))
    empty = torch.full((1, 1, 160, 160), 0.2)
    assert method.anomaly_map(empty)[0, 80, 80] > 20
    method.anomaly_map(empty)  # as the check of the contract does
    assert method.facts()["unaligned_scored"] == 1


def test_images_that_never_match_end_the_run() -> None:
    noise: Any = torch.rand(3, 1, 160, 160, generator=torch.Generator().manual_seed(0))
    with pytest.raises(MethodError, match="found the object of its first training image in no other one"):
        fitted(model({"max_angle_deg": 0, "max_shift": 0.1}), torch.cat([discs([(0, 0)]), noise]))
