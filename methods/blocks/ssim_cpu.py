"""Structural similarity and its gradient on a CPU: image by image, window by window, on rows that stay in the cache.

The same values as `methods.blocks.ssim` gets from matrices, which at 256 px do 256 multiplications where 11 are not by zero.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

Array = NDArray[np.float32]
Window = tuple[
    np.float32, ...
]  # a tuple, not an array: its length is known when a kernel is compiled, so its loop is unrolled

kernel = numba.njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")


class Similarity(torch.autograd.Function):
    """SSIM of two float32 tensors (B, C, H, W), of the same shape, under a symmetric window; differentiable by both."""

    @staticmethod
    def forward(ctx: Any, a_BCHW: Tensor, b_BCHW: Tensor, window: Window, c1: float, c2: float) -> Tensor:
        a_NHW, b_NHW = _images(a_BCHW), _images(b_BCHW)
        similarity_NHW = torch.empty_like(a_NHW)
        wanted = any(ctx.needs_input_grad)
        slopes_N4HW = a_NHW.new_empty(len(a_NHW), 4, *(a_NHW.shape[1:] if wanted else (0, 0)))
        _on_threads(_similarity, (a_NHW, b_NHW, similarity_NHW, slopes_N4HW), (window, np.float32(c1), np.float32(c2)))
        ctx.window = window
        ctx.save_for_backward(a_BCHW, b_BCHW, slopes_N4HW)
        return similarity_NHW.view(a_BCHW.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream_BCHW: Tensor) -> tuple[Tensor | None, ...]:
        a_BCHW, b_BCHW, slopes_N4HW = ctx.saved_tensors
        upstream_NHW = _images(upstream_BCHW)

        def gradient(one_BCHW: Tensor, other_BCHW: Tensor, mean: int) -> Tensor:
            gradient_NHW = torch.empty_like(upstream_NHW)
            images = _images(one_BCHW), _images(other_BCHW), upstream_NHW, slopes_N4HW, gradient_NHW
            _on_threads(_gradient, images, (mean, ctx.window))
            return gradient_NHW.view(one_BCHW.shape)

        by_a, by_b = ctx.needs_input_grad[:2]
        return (
            gradient(a_BCHW, b_BCHW, mean=0) if by_a else None,
            gradient(b_BCHW, a_BCHW, mean=1) if by_b else None,
            None,
            None,
            None,
        )


def _images(maps_BCHW: Tensor) -> Tensor:
    return maps_BCHW.detach().contiguous().flatten(0, 1)


def _on_threads(work: Callable[..., None], images: Sequence[Tensor], settings: Sequence[Any]) -> None:
    """Share the images between as many threads as torch uses."""
    threads = torch.get_num_threads()
    shares = zip(*(maps.tensor_split(threads) for maps in images), strict=True)
    with ThreadPoolExecutor(threads) as pool:
        for job in [pool.submit(work, *(maps.numpy() for maps in share), *settings) for share in shares]:
            job.result()


@kernel
def _similarity(
    a_NHW: Array,
    b_NHW: Array,
    similarity_NHW: Array,
    slopes_N4HW: Array,
    window: Window,
    c1: np.float32,
    c2: np.float32,
) -> None:
    """Fill in the similarities, and where there is room for them their derivatives by the four moments: the mean of a, the mean
    of b, the sum of the mean squares, the mean product."""
    count, height, width = a_NHW.shape
    reach = len(window) // 2
    padded = np.empty((height + 2 * reach, width + 2 * reach), np.float32)
    moments_4HW = np.empty((4, height, width), np.float32)
    for n in range(count):
        a_HW, b_HW = a_NHW[n], b_NHW[n]
        for moment, values_HW in enumerate((a_HW, b_HW, a_HW * a_HW + b_HW * b_HW, a_HW * b_HW)):
            _reflect(values_HW, reach, padded)
            _blur(padded, window, moments_4HW[moment])
        _combine(moments_4HW, c1, c2, similarity_NHW[n])
        if slopes_N4HW.size:
            _differentiate(moments_4HW, c1, c2, slopes_N4HW[n])


@kernel
def _combine(moments_4HW: Array, c1: np.float32, c2: np.float32, similarity_HW: Array) -> None:
    mean_a_HW, mean_b_HW, squares_HW, product_HW = moments_4HW[0], moments_4HW[1], moments_4HW[2], moments_4HW[3]
    two = np.float32(2)
    for y in range(similarity_HW.shape[0]):
        for x in range(similarity_HW.shape[1]):
            mean_a, mean_b = mean_a_HW[y, x], mean_b_HW[y, x]
            squared_means, means_product = mean_a * mean_a + mean_b * mean_b, mean_a * mean_b
            luminance = (two * means_product + c1) / (squared_means + c1)
            structure = (two * (product_HW[y, x] - means_product) + c2) / (squares_HW[y, x] - squared_means + c2)
            similarity_HW[y, x] = luminance * structure


@kernel
def _differentiate(moments_4HW: Array, c1: np.float32, c2: np.float32, slopes_4HW: Array) -> None:
    mean_a_HW, mean_b_HW, squares_HW, product_HW = moments_4HW[0], moments_4HW[1], moments_4HW[2], moments_4HW[3]
    by_mean_a_HW, by_mean_b_HW, by_squares_HW, by_product_HW = (
        slopes_4HW[0],
        slopes_4HW[1],
        slopes_4HW[2],
        slopes_4HW[3],
    )
    two = np.float32(2)
    for y in range(mean_a_HW.shape[0]):
        for x in range(mean_a_HW.shape[1]):
            mean_a, mean_b = mean_a_HW[y, x], mean_b_HW[y, x]
            squared_means, means_product = mean_a * mean_a + mean_b * mean_b, mean_a * mean_b
            luminance, below_l = two * means_product + c1, squared_means + c1
            structure, below_s = two * (product_HW[y, x] - means_product) + c2, squares_HW[y, x] - squared_means + c2
            by_means_product = two * (structure - luminance) / (below_l * below_s)
            by_squared_means = luminance * structure / (below_l * below_s) * (below_l - below_s) / (below_l * below_s)
            by_mean_a_HW[y, x] = by_means_product * mean_b + two * by_squared_means * mean_a
            by_mean_b_HW[y, x] = by_means_product * mean_a + two * by_squared_means * mean_b
            by_squares_HW[y, x] = -luminance * structure / (below_l * below_s * below_s)
            by_product_HW[y, x] = two * luminance / (below_l * below_s)


@kernel
def _gradient(
    one_NHW: Array,
    other_NHW: Array,
    upstream_NHW: Array,
    slopes_N4HW: Array,
    gradient_NHW: Array,
    mean: int,
    window: Window,
) -> None:
    """Fill in the gradients by one of the inputs. A pixel has its share in the moments around it and around its reflections."""
    count, height, width = one_NHW.shape
    reach = len(window) // 2
    padded = np.zeros((height + 4 * reach, width + 4 * reach), np.float32)
    inner = padded[2 * reach : 2 * reach + height, 2 * reach : 2 * reach + width]
    spread_3PP = np.empty((3, height + 2 * reach, width + 2 * reach), np.float32)
    by_mean, by_squares, by_product = spread_3PP[:, reach : reach + height, reach : reach + width]
    for n in range(count):
        for moment, slope in enumerate((mean, 2, 3)):
            inner[:] = upstream_NHW[n] * slopes_N4HW[n, slope]
            _blur(padded, window, spread_3PP[moment])
            _fold_back(spread_3PP[moment], reach)
        gradient_NHW[n] = by_mean + np.float32(2) * one_NHW[n] * by_squares + other_NHW[n] * by_product


@kernel
def _blur(padded: Array, window: Window, blurred_HW: Array) -> None:
    """Correlate (H + 2R, W + 2R) with the window in both directions."""
    height, width = blurred_HW.shape
    line = np.empty(padded.shape[1], np.float32)
    for y in range(height):
        for x in range(line.size):
            total = np.float32(0)
            for k in range(len(window)):
                total += window[k] * padded[y + k, x]
            line[x] = total
        for x in range(width):
            total = np.float32(0)
            for k in range(len(window)):
                total += window[k] * line[x + k]
            blurred_HW[y, x] = total


@kernel
def _reflect(values_HW: Array, reach: int, padded: Array) -> None:
    """Copy the values into the middle, and reflect them at the pixels on the border."""
    height, width = values_HW.shape
    padded[reach : reach + height, reach : reach + width] = values_HW
    for step in range(1, reach + 1):
        padded[reach - step] = padded[reach + step]
        padded[reach + height - 1 + step] = padded[reach + height - 1 - step]
    for step in range(1, reach + 1):
        padded[:, reach - step] = padded[:, reach + step]
        padded[:, reach + width - 1 + step] = padded[:, reach + width - 1 - step]


@kernel
def _fold_back(padded: Array, reach: int) -> None:
    """The adjoint of reflecting: add what lies beyond the border to the pixels that it reflects."""
    rows, columns = padded.shape
    for step in range(1, reach + 1):
        padded[:, reach + step] += padded[:, reach - step]
        padded[:, columns - 1 - reach - step] += padded[:, columns - 1 - reach + step]
    for step in range(1, reach + 1):
        padded[reach + step] += padded[reach - step]
        padded[rows - 1 - reach - step] += padded[rows - 1 - reach + step]
