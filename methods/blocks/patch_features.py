"""Features of image patches: each patch goes through the network by itself, at a size of its own."""

import torch
from torch import Tensor
from torch.nn import functional as F

from methods.blocks.features import FeatureSource

PIXELS_AT_ONCE = 2**18  # that enter the network, 1024 patches of 16 px: bounds the memory at some 100 MB


def features_of_patches(
    source: FeatureSource, image_CHW: Tensor, corners_N2: Tensor, patch: int, input_px: int
) -> Tensor:
    """One vector (N, D) per patch: the source's only layer, averaged over its pixels, a chunk of patches at a time.

    Args:
        corners_N2: first pixels (y, x) of the patches.
        patch: their side in pixels.
        input_px: side at which they enter the network; those of another size are resized bilinearly.
    """
    windows_CYXPP = image_CHW.unfold(1, patch, 1).unfold(2, patch, 1)  # a view: pixels are copied by indexing
    chunks = torch.split(corners_N2, max(1, PIXELS_AT_ONCE // input_px**2))
    return torch.cat([_features(source, windows_CYXPP[:, y, x].transpose(0, 1), input_px) for y, x in map(_yx, chunks)])


def _yx(corners_N2: Tensor) -> tuple[Tensor, Tensor]:
    y_N, x_N = corners_N2.unbind(1)
    return y_N, x_N


def _features(source: FeatureSource, patches_NCHW: Tensor, input_px: int) -> Tensor:
    if patches_NCHW.shape[-1] != input_px:
        patches_NCHW = F.interpolate(patches_NCHW, size=input_px, mode="bilinear")
    features_NDHW: Tensor
    (features_NDHW,) = source(patches_NCHW).values()
    return features_NDHW.mean(dim=(2, 3))
