"""Structural similarity, per pixel (Wang, Bovik, Sheikh, Simoncelli 2004), with a Gaussian window.

SSIM needs the two variances only as their sum, so four local moments do: two means, mean sum of squares, mean product. On a GPU
the window is applied to all four at once by two banded matrices, one for the rows and one for the columns; on a CPU by kernels of
our own (`ssim_cpu`).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from methods.blocks.ssim_cpu import Similarity


class SSIM(nn.Module):
    """SSIM maps of image pairs with values in [0, 1].

    Args:
        window: side of the window in pixels, odd.
        sigma: standard deviation of its Gaussian in pixels.
        c1, c2: the constants that keep the fractions finite, for the means and for the deviations.
    """

    def __init__(self, window: int, sigma: float, c1: float, c2: float) -> None:
        super().__init__()
        self.c1, self.c2 = c1, c2
        offset_K = torch.arange(window, dtype=torch.float64) - window // 2
        kernel_K = torch.exp(-offset_K.square() / (2 * sigma**2))
        self.kernel_K = (kernel_K / kernel_K.sum()).float()
        self.window = tuple(self.kernel_K.numpy())
        self._blurs: dict[tuple[int, torch.device], Tensor] = {}

    def forward(self, a_BCHW: Tensor, b_BCHW: Tensor) -> Tensor:
        """SSIM in [-1, 1] around each pixel, (B, C, H, W); the window is reflected at the border."""
        a_BCHW, b_BCHW = a_BCHW.float(), b_BCHW.float()  # variances are small differences of large moments
        if a_BCHW.device.type == "cpu":
            similarity_BCHW: Tensor = Similarity.apply(a_BCHW, b_BCHW, self.window, self.c1, self.c2)
            return similarity_BCHW
        with torch.autocast(a_BCHW.device.type, enabled=False):
            return self.by_matrices(a_BCHW, b_BCHW)

    def by_matrices(self, a_BCHW: Tensor, b_BCHW: Tensor) -> Tensor:
        """The same, by matrix products, on any device."""
        moments = torch.stack([a_BCHW, b_BCHW, a_BCHW.square() + b_BCHW.square(), a_BCHW * b_BCHW])
        mean_a, mean_b, squares, product = self._blurred(moments)
        means_squared, means_product = mean_a.square() + mean_b.square(), mean_a * mean_b
        variances, covariance = squares - means_squared, product - means_product
        luminance = (2 * means_product + self.c1) / (means_squared + self.c1)
        structure = (2 * covariance + self.c2) / (variances + self.c2)
        similarity: Tensor = luminance * structure
        return similarity

    def _blurred(self, maps: Tensor) -> Tensor:
        """Maps (..., H, W) convolved with the window."""
        height, width = maps.shape[-2:]
        return self._blur(height, maps) @ maps @ self._blur(width, maps).mT

    def _blur(self, length: int, like: Tensor) -> Tensor:
        """The matrix (length, length) that convolves a signal with the window: the impulse responses, side by side."""
        key = length, like.device
        if key not in self._blurs:
            reach = len(self.kernel_K) // 2
            impulses_N1L = torch.eye(length)[:, None]
            padded = F.pad(impulses_N1L, (reach, reach), mode="reflect")
            self._blurs[key] = F.conv1d(padded, self.kernel_K[None, None])[:, 0].T.contiguous().to(like)
        return self._blurs[key]
