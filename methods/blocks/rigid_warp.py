"""The rigid pose of an object, and the two warps between its image and the reference frame."""

from dataclasses import dataclass

import torch
from kornia.geometry.transform import warp_affine
from torch import Tensor


@dataclass(frozen=True)
class Pose:
    """Where the reference lies in an image: `p_image = R(angle) (p_reference - c) + c + shift`.

    p = (x, y) in pixels, x to the right and y down, the centre of the first pixel at (0, 0); c = ((W - 1) / 2, (H - 1) / 2).
    R(a) = [[cos a, -sin a], [sin a, cos a]]: as y points down, a positive angle turns clockwise to the eye.
    """

    angle_deg: float
    shift_y: float
    shift_x: float
    score: float
    """Similarity of image and reference at this pose, at most 1."""


def align(image_HW: Tensor, pose: Pose) -> tuple[Tensor, Tensor]:
    """Bring an image into the reference frame, bilinearly.

    Returns:
        The aligned image (H, W), and bool (H, W): the pixels that come from inside the image. Outside of it the image's
        border is repeated.
    """
    matrix_33 = _reference_to_image(image_HW, pose).inverse()
    inside_HW = _warp(torch.ones_like(image_HW), matrix_33, "zeros") > 1 - 1e-3
    return _warp(image_HW, matrix_33, "border"), inside_HW


def to_image_frame(map_HW: Tensor, pose: Pose) -> Tensor:
    """Bring a map (H, W) of the reference frame back to the image's own frame, bilinearly; 0 where the map has no support."""
    return _warp(map_HW, _reference_to_image(map_HW, pose), "zeros")


def _reference_to_image(image_HW: Tensor, pose: Pose) -> Tensor:
    height, width = image_HW.shape
    centre_2 = torch.tensor([(width - 1) / 2, (height - 1) / 2], dtype=torch.float64)
    angle = torch.deg2rad(torch.tensor(pose.angle_deg, dtype=torch.float64))
    rotation_22 = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()]).reshape(2, 2)
    matrix_33 = torch.eye(3, dtype=torch.float64)
    matrix_33[:2, :2] = rotation_22
    matrix_33[:2, 2] = centre_2 - rotation_22 @ centre_2 + torch.tensor([pose.shift_x, pose.shift_y])
    return matrix_33


def _warp(map_HW: Tensor, matrix_33: Tensor, padding: str) -> Tensor:
    """Warp by the matrix that maps source to target pixels; in float64, as float32 puts samples of a large image 1e-4 px off."""
    height, width = map_HW.shape
    warped_BCHW = warp_affine(
        map_HW.double()[None, None],
        matrix_33[None, :2].to(map_HW.device),
        (height, width),
        mode="bilinear",
        padding_mode=padding,
        align_corners=True,  # pixel centres at whole numbers, as in Pose
    )
    return warped_BCHW[0, 0].to(map_HW.dtype)
