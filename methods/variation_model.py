"""Variation model: every pixel against its own mean and deviation over aligned good images.

Paper: Bergmann et al., MVTec AD, CVPR 2019, section 4.1; HALCON's variation model (Steger, Ulrich, Wiedemann, Machine Vision
Algorithms and Applications, 2018, section 3.4.1.4). Idea: objects in one pose differ at each pixel by no more than production
and lighting allow; a defect does. Alignment is rigid shape-based matching against the first training image.
Cost: nothing is trained; some tenths of a second per megapixel image for the matching, more where every angle is searched.
"""

import zlib
from collections.abc import Mapping
from typing import Any

import torch
from kornia.filters import spatial_gradient
from torch import Tensor

from methods.blocks.rigid_warp import align, to_image_frame
from methods.blocks.shape_matching import ShapeMatcher
from methods.contract import FittedMethod, MethodError

GRAY_LEVELS = 255


class VariationModel(FittedMethod):
    """Map = |gray - mean| / max(deviation, floor), in the image's own frame; 0 where alignment leaves no support.

    Args:
        alignment: search range, `max_angle_deg` and `max_shift` (share of the image side).
        min_score: similarity below which an image counts as not matched.
        contrast: gradients up to this one, in gray levels per pixel, are no edges.
        min_cover: share of the aligned images that must show a pixel; others have no statistics, and score 0.
        deviation_floor: least standard deviation, in gray levels.
        training: `standard`, mean and deviation over the aligned images; `direct`, HALCON's other way: the first image, and its
            edge amplitude in place of a deviation.
    """

    mean_HW: Tensor
    deviation_HW: Tensor
    support_HW: Tensor

    def __init__(
        self,
        alignment: Mapping[str, Any],
        min_score: float,
        contrast: float,
        min_cover: float,
        deviation_floor: float,
        training: str = "standard",
    ) -> None:
        super().__init__()
        self.matcher = ShapeMatcher(alignment["max_angle_deg"], alignment["max_shift"], min_score, contrast)
        if training not in ("standard", "direct"):
            raise MethodError(f"method.model.training is standard or direct, not {training!r}.")
        self.min_cover, self.deviation_floor, self.training_mode = min_cover, deviation_floor, training
        for name in ("mean_HW", "deviation_HW", "support_HW"):
            self.register_buffer(name, torch.empty(0, 0))
        self.unaligned_training = 0
        self._unaligned_scored: set[int] = set()  # each image once: some are mapped again and again

    def observe(self, images_BCHW: Tensor) -> None:
        for gray_HW in _gray_levels(images_BCHW):
            if self.matcher.reference_HW.numel() == 0:
                self.matcher.learn(gray_HW)
                self._count_HW = torch.zeros_like(gray_HW, dtype=torch.float64)
                self._sum_HW, self._squares_HW = torch.zeros_like(self._count_HW), torch.zeros_like(self._count_HW)
            self._add(gray_HW)

    def _add(self, gray_HW: Tensor) -> None:
        """Add one image to the sums; one that does not match is left out, as it would blur them."""
        pose = self.matcher.match(gray_HW)
        if pose is None:
            self.unaligned_training += 1
            return
        aligned_HW, inside_HW = align(gray_HW, pose)
        aligned_HW = aligned_HW.double() * inside_HW
        self._count_HW += inside_HW
        self._sum_HW += aligned_HW
        self._squares_HW += aligned_HW.square()

    def fit(self) -> None:
        """Mean and population standard deviation of each pixel over the images that show it, or the first image and its edges."""
        if self.training_mode == "direct":
            self.mean_HW, self.deviation_HW = self.matcher.reference_HW, edge_amplitude(self.matcher.reference_HW)
            self.deviation_HW = self.deviation_HW.clamp(min=self.deviation_floor)
            self.support_HW = torch.ones_like(self.mean_HW, dtype=torch.bool)
            del self._count_HW, self._sum_HW, self._squares_HW
            return
        images = self._count_HW.max()
        if images < 2:
            raise MethodError(
                "The variation model found the object of its first training image in no other one: widen category.alignment "
                "(max_angle_deg, max_shift), or use a method that needs no alignment."
            )
        count_HW = self._count_HW.clamp(min=1)
        mean_HW = self._sum_HW / count_HW
        variance_HW = (self._squares_HW / count_HW - mean_HW.square()).clamp(min=0)
        self.mean_HW = mean_HW.float()
        self.deviation_HW = variance_HW.sqrt().clamp(min=self.deviation_floor).float()
        self.support_HW = self._count_HW >= self.min_cover * images
        del self._count_HW, self._sum_HW, self._squares_HW

    def anomaly_map(self, images_BCHW: Tensor) -> Tensor:
        return torch.stack([self._map(gray_HW) for gray_HW in _gray_levels(images_BCHW)])

    def _map(self, gray_HW: Tensor) -> Tensor:
        pose = self.matcher.match(gray_HW)
        if pose is None:
            self._unaligned_scored.add(zlib.crc32(gray_HW.cpu().numpy().tobytes()))
            return self._deviations(gray_HW) * self.support_HW
        aligned_HW, inside_HW = align(gray_HW, pose)
        return to_image_frame(self._deviations(aligned_HW) * (self.support_HW & inside_HW), pose)

    def _deviations(self, gray_HW: Tensor) -> Tensor:
        return (gray_HW - self.mean_HW).abs() / self.deviation_HW

    def facts(self) -> dict[str, str | int | float]:
        return {"unaligned_training": self.unaligned_training, "unaligned_scored": len(self._unaligned_scored)}


def edge_amplitude(gray_HW: Tensor) -> Tensor:
    """(|dx| + |dy|) / 4 of the 3 x 3 Sobel filters, HALCON's sobel_amp in its mode sum_abs; in gray levels, borders repeated."""
    derivatives = spatial_gradient(gray_HW[None, None], normalized=False)[0, 0]
    return derivatives.abs().sum(dim=0) / 4


def _gray_levels(images_BCHW: Tensor) -> Tensor:
    return images_BCHW[:, 0] * GRAY_LEVELS
