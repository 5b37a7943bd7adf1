"""Rigid shape-based matching: the rotation and shift of a reference object in another image of the same size.

Steger 2001/2002 (see `shape_model`). All poses in range are scored at the coarsest pyramid level, one FFT correlation per
angle; the best few are followed down the pyramid in small windows, and the winner is adjusted by least squares.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from methods.blocks.rigid_warp import Pose
from methods.blocks.shape_model import (
    ShapeModel,
    direction_field,
    gradient_field,
    least_squares_step,
    score_at,
    score_maps,
    shape_model,
)
from methods.contract import MethodError

COARSEST_PX = 80  # least longer side at the coarsest level: below it, slim objects such as screws lose their shape
FINEST_PX = 160  # least longer side at the finest level: finer detail belongs to the one object, not to all of its kind
IMAGE_CONTRAST = 0.5  # share of `contrast` that an image's edges need, as it may be darker than the reference
MIN_POINTS = 20  # of a model at every level
CANDIDATES = 8  # poses of the coarsest level that are followed; half as many at each further level
WINDOW = 2  # steps of angle, and pixels of shift, searched to either side at each level
LEAST_SQUARES_STEPS = 5
ANGLES_AT_ONCE = 32  # bounds the memory


class ShapeMatcher(nn.Module):
    """Finds the pose of the reference in an image, or finds that it is not there.

    Args:
        max_angle_deg: angles up to this one to either side are searched; 180 = every angle, 0 = none.
        max_shift: shifts up to this share of the image's side are searched; 0 = every pose is the identity.
        min_score: a match with a lower score is none. 0.6 (ours) lies between the scores that were seen: good bottles 0.69 to
            1, half occluded drawings 0.5, drawings at a wrong angle up to 0.6, foreign images up to 0.4.
        contrast: gradients up to this one, in gray levels per pixel, are no edges; 8 is a step of 25 gray levels.

    Raises:
        ValueError: a range is out of bounds, or angles are to be searched but no shifts.
    """

    reference_HW: Tensor

    def __init__(self, max_angle_deg: float, max_shift: float, min_score: float = 0.6, contrast: float = 8.0) -> None:
        super().__init__()
        if not 0 <= max_angle_deg <= 180 or not 0 <= max_shift < 1:
            raise ValueError(
                f"not in range: max_angle_deg={max_angle_deg} (0 to 180), max_shift={max_shift} (0 to below 1)"
            )
        if max_angle_deg > 0 and max_shift == 0:
            raise ValueError(
                "max_shift must not be 0 where angles are searched: no object turns about the image's exact centre"
            )
        self.max_angle_deg = max_angle_deg
        self.max_shift = max_shift
        self.min_score = min_score
        self.contrast = contrast
        self.register_buffer("reference_HW", torch.empty(0, 0))
        self._models: list[ShapeModel] = []

    @torch.no_grad()
    def learn(self, reference_HW: Tensor) -> None:
        """Take the reference: gray levels (H, W), float32, 0..255.

        Raises:
            MethodError: it shows too few edges to be searched for.
        """
        self.reference_HW = reference_HW.clone()
        self._models = []
        if self.max_shift > 0:
            self._pyramid()

    @torch.no_grad()
    def match(self, image_HW: Tensor) -> Pose | None:
        """The pose of the reference in an image of its size, or None where it is not found in range.

        Raises:
            MethodError: the image has another size than the reference.
        """
        if image_HW.shape != self.reference_HW.shape:
            sizes = " and ".join("x".join(map(str, image.shape)) for image in (image_HW, self.reference_HW))
            raise MethodError(f"Image and reference have different sizes, {sizes} px: alignment needs the same.")
        if self.max_shift == 0:
            return Pose(0.0, 0.0, 0.0, score=1.0)
        models = self._pyramid()
        gradients = [gradient_field(image_HW, model.level) for model in models]
        fields = [direction_field(gradient_HW, IMAGE_CONTRAST * self.contrast) for gradient_HW in gradients]
        poses_K3 = self._candidates(models[0], fields[0])
        for model, field_HW in zip(models, fields, strict=True):
            poses_K3 = self._refined(model, field_HW, poses_K3)
        pose_3 = self._adjusted(models[-1], gradients[-1], fields[-1], poses_K3[0])
        score = float(score_at(models[-1], fields[-1], pose_3[None]))
        return self._accepted(pose_3, score)

    def _pyramid(self) -> list[ShapeModel]:
        """The models from the coarsest to the finest level, rebuilt after a change of the reference or its device."""
        if not self._models or self._models[0].points_N.device != self.reference_HW.device:
            side = max(self.reference_HW.shape)
            coarsest, finest = (max(0, int(math.log2(side / px))) for px in (COARSEST_PX, FINEST_PX))
            self._models = [self._model(level) for level in range(coarsest, finest - 1, -1)]
        return self._models

    def _model(self, level: int) -> ShapeModel:
        model = shape_model(self.reference_HW, level, self.contrast)
        if len(model.points_N) < MIN_POINTS:
            raise MethodError(
                f"The reference image shows {len(model.points_N)} edge points above contrast {self.contrast} at 1/{2**level} of "
                f"its size, too few to be found again (at least {MIN_POINTS}): lower the contrast or choose another reference."
            )
        return model

    def _candidates(self, model: ShapeModel, field_HW: Tensor) -> Tensor:
        """The best separate peaks of the score over all poses in range and one step beyond, (K, 3), at the coarsest level."""
        scale = 2**model.level
        step = 2 / model.radius  # 2 px at the farthest point, as far as the window of `_refined` reaches
        count = math.ceil(math.radians(self.max_angle_deg) / step)
        angles_A = step * torch.arange(-count, count + 1, device=field_HW.device)
        reach_y, reach_x = (math.ceil(self.max_shift * side) + 1 for side in field_HW.shape)
        scores_AHW = torch.cat(
            [score_maps(model, field_HW, some, (reach_y, reach_x)) for some in torch.split(angles_A, ANGLES_AT_ONCE)]
        )
        peaks_AHW = scores_AHW == F.max_pool3d(scores_AHW[None], kernel_size=5, stride=1, padding=2)[0]
        best_K = scores_AHW.where(peaks_AHW, -1).flatten().topk(CANDIDATES).indices
        angle_K, y_K, x_K = torch.unravel_index(best_K, scores_AHW.shape)
        return torch.stack([angles_A[angle_K], scale * (y_K - reach_y), scale * (x_K - reach_x)], dim=1)

    def _refined(self, model: ShapeModel, field_HW: Tensor, poses_K3: Tensor) -> Tensor:
        """The best pose of the window around each pose, at one level; the better half of them, best first."""
        steps = torch.arange(-WINDOW, WINDOW + 1.0, device=field_HW.device)
        angles = steps / model.radius if self.max_angle_deg else steps[:1] * 0
        window_J3 = torch.cartesian_prod(angles, steps * 2**model.level, steps * 2**model.level)
        poses_KJ3 = poses_K3[:, None] + window_J3
        scores_KJ = torch.stack([score_at(model, field_HW, poses_J3) for poses_J3 in poses_KJ3])
        score_K, best_K = scores_KJ.max(dim=1)
        better = score_K.topk((len(poses_K3) + 1) // 2).indices
        return poses_KJ3[better, best_K[better]]

    def _adjusted(self, model: ShapeModel, gradient_HW: Tensor, field_HW: Tensor, pose_3: Tensor) -> Tensor:
        turns = self.max_angle_deg > 0
        for _ in range(LEAST_SQUARES_STEPS):
            pose_3 = pose_3 + least_squares_step(model, gradient_HW, field_HW, pose_3, turns)
        return pose_3

    def _accepted(self, pose_3: Tensor, score: float) -> Pose | None:
        """The pose, unless its score is too low or it lies outside of the range."""
        angle, shift_y, shift_x = pose_3.tolist()
        angle_deg = (math.degrees(angle) + 180) % 360 - 180
        height, width = self.reference_HW.shape
        in_range = (
            abs(angle_deg) <= self.max_angle_deg
            and abs(shift_y) <= self.max_shift * height
            and abs(shift_x) <= self.max_shift * width
        )
        return Pose(angle_deg, shift_y, shift_x, score) if in_range and score >= self.min_score else None

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *args: Any) -> None:
        """Give the reference the saved one's shape first: before `learn` nobody knows it."""
        saved = state_dict.get(f"{prefix}reference_HW")
        if saved is not None:
            self.reference_HW = torch.empty_like(saved, device=self.reference_HW.device)
        self._models = []
        super()._load_from_state_dict(state_dict, prefix, *args)
