"""Decoded images as torch datasets. Both fetch a whole batch at once (`__getitems__`), which spares a call per image."""

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from benchmarks.data.augmentation import Views, view_matrices


class ViewBatch(NamedTuple):
    """Augmented samples before they are rendered: source pixels and, for each, where its view lies in them (`view_matrices`)."""

    pixels_BHWC: Tensor
    place_B23: Tensor


class Images(Dataset[Tensor]):
    """Some of the images, whole and as they are, float batches (B, C, H, W)."""

    def __init__(self, pixels_NHWC: NDArray[np.uint8], chosen: NDArray[np.int64]) -> None:
        self.pixels_NHWC, self.chosen = pixels_NHWC, chosen

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitems__(self, indices: list[int]) -> Tensor:
        return to_float(torch.from_numpy(self.pixels_NHWC[self.chosen[indices]]))


class AugmentedViews(Dataset[ViewBatch]):
    """Views of images, on the images' device; where patches are wanted, only the window around each patch is handed on."""

    def __init__(self, pixels_NHWC: Tensor, views: Views, patch: int | None) -> None:
        self.pixels_NHWC, self.views = pixels_NHWC, views
        _, height, width, _ = pixels_NHWC.shape
        reach = math.ceil(patch * math.sqrt(2)) + 3 if patch else max(height, width)  # a patch turned by 45 degrees
        self.sample_hw = (patch, patch) if patch else (height, width)
        self.window_hw = min(height, reach), min(width, reach)

    def __len__(self) -> int:
        return len(self.views.image_N)

    def __getitems__(self, indices: list[int]) -> ViewBatch:
        image_B, centre_B2 = self.views.image_N[indices], self.views.centre_N2[indices]
        origin_B2 = self._window_origins(centre_B2)
        turn_B22 = self.views.turn_N22[indices]
        place_B23 = view_matrices(turn_B22, centre_B2 - origin_B2, self.sample_hw, self.window_hw)
        return ViewBatch(
            self._windows(image_B, origin_B2),
            torch.from_numpy(place_B23).float(),
        )

    def _windows(self, image_B: NDArray[np.int64], origin_B2: NDArray[np.int64]) -> Tensor:
        height, width = self.window_hw
        if (height, width) == self.pixels_NHWC.shape[1:3]:
            return self.pixels_NHWC[torch.from_numpy(image_B).to(self.pixels_NHWC.device, non_blocking=True)]
        windows = [
            self.pixels_NHWC[image, top : top + height, left : left + width]
            for image, (left, top) in zip(image_B.tolist(), origin_B2.tolist(), strict=True)
        ]
        return torch.stack(windows)

    def _window_origins(self, centre_B2: NDArray[np.float64]) -> NDArray[np.int64]:
        """(x, y) of the windows' upper left pixels, kept inside the image."""
        window_xy = np.array(self.window_hw[::-1])
        image_xy = np.array(self.pixels_NHWC.shape[2:0:-1])
        return np.clip(np.rint(centre_B2 - (window_xy - 1) / 2), 0, image_xy - window_xy).astype(np.int64)


def batches(dataset: Dataset[Any], batch_size: int, order: torch.Generator | None = None) -> DataLoader[Any]:
    """A loader over one of the datasets above: in their order, or shuffled by a generator."""
    return DataLoader(dataset, batch_size, shuffle=order is not None, generator=order, collate_fn=_as_it_is)


def to_float(pixels_BHWC: Tensor) -> Tensor:
    """uint8 (B, H, W, C) to float32 in [0, 1], (B, C, H, W) in channels-last layout."""
    return pixels_BHWC.permute(0, 3, 1, 2).float().div_(255)


def _as_it_is(batch: Any) -> Any:
    return batch
