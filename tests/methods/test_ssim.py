"""SSIM maps against scikit-image and kornia, on noise and on structured images."""

from collections.abc import Callable
from pathlib import Path

import kornia
import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from benchmarks.data.datasets import to_float
from benchmarks.data.images import decode
from methods.blocks.ssim import SSIM

Similarity = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
BORDER = 5  # half a window: libraries differ in how they go on beyond the image


@pytest.fixture(params=["kernels", "matrices"])
def ssim(request: pytest.FixtureRequest) -> Similarity:
    """Both ways to the same values: that of a CPU and that of a GPU."""
    module = SSIM(11, 1.5, 0.01**2, 0.03**2)
    return module if request.param == "kernels" else module.by_matrices


def pair(height: int = 48, width: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    ramp = torch.linspace(0, 1, width).expand(2, 1, height, width)
    a = (0.5 * ramp + 0.5 * torch.rand(2, 1, height, width, generator=generator)).clamp(0, 1)
    return a, (a + 0.2 * torch.randn(a.shape, generator=generator)).clamp(0, 1)


def real_pair(mvtec_ad: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Two bottles against two others: flat, saturated background beside sharp edges."""
    files = [mvtec_ad / "bottle" / "train" / "good" / f"{index:03}.png" for index in range(4)]
    pixels_NHW1 = np.stack([decode(file, "gray", px=128) for file in files])
    return to_float(torch.from_numpy(pixels_NHW1)).split(2)  # type: ignore[return-value]


@pytest.mark.parametrize("real", [False, True])
def test_equals_scikit_image_inside(ssim: Similarity, real: bool, request: pytest.FixtureRequest) -> None:
    a, b = real_pair(request.getfixturevalue("mvtec_ad")) if real else pair()
    ours = ssim(a, b)
    for index in range(2):
        _, expected = structural_similarity(
            a[index, 0].numpy(),
            b[index, 0].numpy(),
            data_range=1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            full=True,
        )
        inside = np.s_[BORDER:-BORDER, BORDER:-BORDER]
        np.testing.assert_allclose(ours[index, 0].numpy()[inside], expected[inside], atol=1e-3 if real else 1e-5)


def test_equals_kornia_everywhere(ssim: Similarity) -> None:
    a, b = pair()
    expected = kornia.metrics.ssim(a, b, window_size=11, padding="same")
    torch.testing.assert_close(ssim(a, b), expected, atol=2e-5, rtol=0)


def test_an_image_is_like_itself_and_unlike_its_negative(ssim: Similarity) -> None:
    a, _ = pair()
    torch.testing.assert_close(ssim(a, a), torch.ones_like(a))
    assert ssim(a, 1 - a).mean() < 0


def test_gradients_are_kornias(ssim: Similarity) -> None:
    """By either image, of a sum that gives each pixel a weight of its own."""
    a, b = (images.requires_grad_() for images in pair(32, 32))
    weights = torch.rand(a.shape, generator=torch.Generator().manual_seed(1))
    ours = torch.autograd.grad((ssim(a, b) * weights).sum(), (a, b))
    theirs = torch.autograd.grad((kornia.metrics.ssim(a, b, window_size=11, padding="same") * weights).sum(), (a, b))
    for our, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our, their, atol=1e-5 * their.abs().max().item(), rtol=1e-3)


@pytest.mark.parametrize("window", [3, 7])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_kernels_equal_matrices_for_other_windows_shapes_and_threads(window: int, threads: int) -> None:
    torch.set_num_threads(threads)
    a, b = torch.rand(2, 3, 2, 9, 21, generator=torch.Generator().manual_seed(0))
    b.requires_grad_()
    ssim = SSIM(window, 1.5, 1e-4, 9e-4)
    ours, theirs = ssim(a, b), ssim.by_matrices(a, b)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    our, their = (torch.autograd.grad(similarity.square().sum(), b)[0] for similarity in (ours, theirs))
    torch.testing.assert_close(our, their, atol=1e-5 * their.abs().max().item(), rtol=1e-3)


@pytest.mark.parametrize(("c1", "c2"), [(0.01, 0.03)])
def test_constants_of_a_flat_pair_worked_by_hand(c1: float, c2: float) -> None:
    """Without variance SSIM is (2 m n + c1) / (m^2 + n^2 + c1)."""
    a, b = torch.full((1, 1, 16, 16), 0.2), torch.full((1, 1, 16, 16), 0.6)
    expected = (2 * 0.2 * 0.6 + c1) / (0.2**2 + 0.6**2 + c1)
    torch.testing.assert_close(SSIM(11, 1.5, c1, c2)(a, b), torch.full_like(a, expected), atol=1e-4, rtol=0)
