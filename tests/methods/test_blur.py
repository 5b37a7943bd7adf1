"""Gaussian blur of maps against scipy's."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from methods.blocks.blur import gaussian_blur


@pytest.mark.parametrize("size", [(40, 61), (7, 20)])  # the second is smaller than the kernel
@pytest.mark.parametrize("sigma", [1.3, 4.0])
def test_as_scipy_does_it(size: tuple[int, int], sigma: float) -> None:
    maps = np.random.default_rng(0).random((2, *size))
    expected = np.stack([gaussian_filter(one, sigma) for one in maps])
    torch.testing.assert_close(gaussian_blur(torch.from_numpy(maps), sigma).numpy(), expected, rtol=1e-6, atol=1e-7)


def test_nothing_is_smoothed_by_nothing() -> None:
    maps_BHW = torch.rand(2, 5, 6)
    assert torch.equal(gaussian_blur(maps_BHW, 0), maps_BHW)
