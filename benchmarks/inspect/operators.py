"""What a traced graph takes in place of faiss, of kernels of our own and of operators that ONNX lacks.

They stand here, not in the methods: these compute as ever, and runs that are stored stay valid. That a substitute gives the same
maps is checked by each export.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from methods import patchcore, supersimplenet
from methods.blocks import neighbours, ssim


@contextmanager
def expressible() -> Iterator[None]:
    """While it lasts, methods compute by operators that ONNX has."""
    substitutes: list[tuple[Any, str, Any]] = [
        (neighbours, "nearest", nearest),
        (patchcore, "nearest", nearest),
        (ssim.SSIM, "forward", similarity),
        (supersimplenet, "gaussian_blur", gaussian_blur),
    ]
    originals = [(place, name, getattr(place, name)) for place, name, _ in substitutes]
    for place, name, substitute in substitutes:
        setattr(place, name, substitute)
    try:
        yield
    finally:
        for place, name, original in originals:
            setattr(place, name, original)


def nearest(queries_NK: Tensor, points_MK: Tensor, count: int) -> Tensor:
    """For `neighbours.nearest`: by |a|^2 - 2ab + |b|^2, in which |a|^2 changes no order."""
    centre_K = points_MK.mean(dim=0)  # small norms keep more digits
    points_MK, queries_NK = points_MK - centre_K, queries_NK - centre_K
    distances_NM = points_MK.square().sum(dim=1) - 2 * queries_NK @ points_MK.T
    return distances_NM.topk(count, dim=1, largest=False).indices


def similarity(self: ssim.SSIM, a_BCHW: Tensor, b_BCHW: Tensor) -> Tensor:
    """For `SSIM.forward` on a CPU: step for step what the kernels compute, each product and sum rounded once, as they do it.

    On flat bright windows a variance is what is left of moments a thousand times as large: in any other order the map differs by up
    to 1e-3.
    """
    squares = fused(a_BCHW, a_BCHW, b_BCHW * b_BCHW)
    moments = blurred(torch.cat([a_BCHW, b_BCHW, squares, a_BCHW * b_BCHW], dim=1), [float(w) for w in self.window])
    mean_a, mean_b, mean_squares, mean_product = moments.chunk(4, dim=1)
    squared_means, means_product = fused(mean_a, mean_a, mean_b * mean_b), mean_a * mean_b
    luminance = (2 * means_product + self.c1) / (squared_means + self.c1)
    structure = (2 * (mean_product - means_product) + self.c2) / (mean_squares - squared_means + self.c2)
    similarity_BCHW: Tensor = luminance * structure
    return similarity_BCHW


def blurred(maps_BCHW: Tensor, window: list[float]) -> Tensor:
    """Maps correlated with the window, first down, then across; their border is reflected."""
    height, width = (int(side) for side in maps_BCHW.shape[2:])
    padded = F.pad(maps_BCHW, [len(window) // 2] * 4, mode="reflect")
    down, across = torch.zeros_like(padded[:, :, :height]), torch.zeros_like(maps_BCHW)
    for k, weight in enumerate(window):
        down = fused(padded[:, :, k : k + height], torch.tensor(weight), down)
    for k, weight in enumerate(window):
        across = fused(down[..., k : k + width], torch.tensor(weight), across)
    return across


def fused(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """a * b + c in float32, rounded once: the product of two float32 numbers is exact in float64."""
    return (a.double() * b.double() + c.double()).float()


def gaussian_blur(images_B1HW: Tensor, taps: int, sigma: float) -> Tensor:
    """For torchvision's: its kernel and its mirrored border, with a kernel whose shape the tracer knows."""
    offsets_K = torch.arange(taps, dtype=torch.float32) - (taps - 1) * 0.5
    kernel_K = torch.exp(-0.5 * (offsets_K / sigma).square())
    kernel_K = kernel_K / kernel_K.sum()
    padded_B1HW = F.pad(images_B1HW, [taps // 2] * 4, mode="reflect")
    return F.conv2d(padded_B1HW, torch.outer(kernel_K, kernel_K)[None, None])
