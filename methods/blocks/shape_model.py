"""Shape models: edge points with gradient directions, and how well they fit an image at a pose.

Steger, "Similarity measures for occlusion, clutter, and illumination invariant object recognition", DAGM 2001; "Occlusion,
clutter, and illumination invariant object recognition", ISPRS 2002. Positions and gradients are complex numbers x + iy (x to
the right, y down), so that a rotation is a multiplication by exp(i angle), for both. A pose is (angle in rad, shift y,
shift x), in pixels of the original image whatever the pyramid level.
"""

import math
from dataclasses import dataclass

import torch
from kornia.filters import gaussian_blur2d, spatial_gradient
from scipy.fft import next_fast_len
from torch import Tensor
from torch.nn import functional as F

MAX_POINTS = 2000  # of a model: more cost time and gain nothing
EDGE_REACH = 1  # px from a model point to its edge in the image; farther ones may be the next turn of a thread


@dataclass(frozen=True)
class ShapeModel:
    """The edge points of the reference at one pyramid level."""

    level: int
    """0 = the original size, each further level half the size of the one before."""
    centre: complex
    """The image's centre, in pixels of the level."""
    points_N: Tensor
    """Complex positions relative to the centre, in pixels of the level, to a fraction of a pixel."""
    directions_N: Tensor
    """Complex gradient directions, of length 1."""

    @property
    def radius(self) -> float:
        """Distance from the centre to the farthest point, in pixels of the level."""
        return float(self.points_N.abs().max())

    def placed(self, poses_P3: Tensor) -> tuple[Tensor, Tensor]:
        """Positions, in pixels of the level, and directions of the points at each pose, both (P, N)."""
        angle_P1, y_P1, x_P1 = poses_P3.T[:, :, None]
        turn_P1 = torch.polar(torch.ones_like(angle_P1), angle_P1)
        centre_P1 = self.centre + torch.complex(x_P1, y_P1) / 2**self.level
        return turn_P1 * self.points_N + centre_P1, turn_P1 * self.directions_N


def gradient_field(gray_HW: Tensor, level: int) -> Tensor:
    """Complex gradient (H / 2^level, W / 2^level) of the smoothed image, in gray levels per pixel of the level."""
    level_BCHW = F.avg_pool2d(gray_HW[None, None], 2**level)
    smooth_BCHW = gaussian_blur2d(level_BCHW, (7, 7), (1.0, 1.0))
    gradient_2HW = spatial_gradient(smooth_BCHW)[0, 0]
    return torch.complex(gradient_2HW[0], gradient_2HW[1])


def direction_field(gradient_HW: Tensor, contrast: float) -> Tensor:
    """Gradients scaled to length 1, and 0 where the gradient is not above `contrast`."""
    return gradient_HW.sgn().where(gradient_HW.abs() > contrast, 0)


def shape_model(gray_HW: Tensor, level: int, contrast: float) -> ShapeModel:
    """The points where the gradient is above `contrast` and largest across the edge."""
    gradient_HW = gradient_field(gray_HW, level)
    y_N, x_N = (gradient_HW.abs() > contrast).nonzero(as_tuple=True)
    positions_N, directions_N = torch.complex(x_N.float(), y_N.float()), gradient_HW[y_N, x_N].sgn()
    offsets_N = edge_offsets(gradient_HW.abs(), positions_N, directions_N, reach=0)
    kept = offsets_N.isfinite().nonzero()[:, 0]
    kept = kept[:: len(kept) // MAX_POINTS + 1]
    height, width = gray_HW.shape
    centre = complex(width / 2**level - 1, height / 2**level - 1) / 2
    return ShapeModel(level, centre, (positions_N + offsets_N * directions_N - centre)[kept], directions_N[kept])


def edge_offsets(magnitude_HW: Tensor, positions_N: Tensor, normals_N: Tensor, reach: int) -> Tensor:
    """Signed distance (N) along the normal from a position to the strongest edge within `reach` px; nan where there is none.

    An edge is a maximum of the gradient magnitude along the normal, located by a parabola through three samples.
    """
    steps_K = torch.arange(-reach - 1, reach + 2, device=positions_N.device)
    profile_NK = _bilinear(magnitude_HW, positions_N[:, None] + steps_K * normals_N[:, None])
    best_N = profile_NK[:, 1:-1].argmax(dim=1) + 1
    left_N, peak_N, right_N = (profile_NK.gather(1, best_N[:, None] + k)[:, 0] for k in (-1, 0, 1))
    curvature_N = 2 * peak_N - left_N - right_N
    is_maximum_N = (peak_N >= left_N) & (peak_N >= right_N) & (curvature_N > 0)
    return (steps_K[best_N] + (right_N - left_N) / (2 * curvature_N)).where(is_maximum_N, torch.nan)


def score_at(model: ShapeModel, field_HW: Tensor, poses_P3: Tensor) -> Tensor:
    """Steger's similarity (P) at each pose: the mean cosine between the directions of model and image.

    Points that fall outside of the image, or where it has no contrast, count as 0.
    """
    positions_PN, directions_PN = model.placed(poses_P3)
    return (_nearest(field_HW, positions_PN) * directions_PN.conj()).real.mean(dim=1)


def score_maps(model: ShapeModel, field_HW: Tensor, angles_A: Tensor, reach: tuple[int, int]) -> Tensor:
    """`score_at` for all shifts of whole pixels of the level up to `reach` = (y, x): (A, 2 reach_y + 1, 2 reach_x + 1).

    For one angle, the sum over the points at every shift is the cross-correlation of two complex fields, hence an FFT.
    """
    rows, columns = (  # so many that no point comes back in at the opposite border
        next_fast_len(math.ceil(side / 2 + model.radius) + shift + 2)
        for side, shift in zip(field_HW.shape, reach, strict=True)
    )
    positions_AN, directions_AN = model.placed(F.pad(angles_A[:, None], (0, 2)))
    y_AN, x_AN = positions_AN.imag.round().long() % rows, positions_AN.real.round().long() % columns
    angle_A1 = torch.arange(len(angles_A), device=field_HW.device)[:, None]
    template_AHW = field_HW.new_zeros(len(angles_A), rows, columns)
    template_AHW.index_put_((angle_A1, y_AN, x_AN), directions_AN, accumulate=True)
    spectrum_HW = torch.fft.fft2(field_HW, s=(rows, columns))
    sums_AHW = torch.fft.ifft2(spectrum_HW * torch.fft.fft2(template_AHW).conj()).real
    window_AHW: Tensor = sums_AHW.roll(reach, dims=(1, 2))[:, : 2 * reach[0] + 1, : 2 * reach[1] + 1]
    return window_AHW / len(model.points_N)


def least_squares_step(model: ShapeModel, gradient_HW: Tensor, field_HW: Tensor, pose_3: Tensor, turns: bool) -> Tensor:
    """One Gauss-Newton step (3) from a pose towards the least distance between model points and image edges.

    Distances are measured along the model's normals. Tukey weights, and the cosine between model and image gradient, keep
    other edges out. What the edges do not determine gets no step, such as the angle of a disc; nor does the angle unless
    the model `turns`.
    """
    positions_N, normals_N = (values_PN[0] for values_PN in model.placed(pose_3[None]))
    distances_N = edge_offsets(gradient_HW.abs(), positions_N, normals_N, reach=EDGE_REACH)
    tukey_N = (1 - (distances_N / (EDGE_REACH + 1)) ** 2).clamp(min=0) ** 2
    cosine_N = (_nearest(field_HW, positions_N) * normals_N.conj()).real.clamp(min=0)
    weights_N = (tukey_N * cosine_N).nan_to_num(0)
    turning_N = turns * (1j * model.points_N * model.directions_N.conj()).real / model.radius
    jacobian_N3 = torch.stack([turning_N, normals_N.imag, normals_N.real], dim=1).double()
    weighted_3N = (weights_N[:, None] * jacobian_N3).T
    inverse_33 = torch.linalg.pinv(weighted_3N @ jacobian_N3, hermitian=True, rtol=1e-3)
    turn_px, y_px, x_px = inverse_33 @ weighted_3N @ distances_N.nan_to_num(0).double()  # turn: at the farthest point
    return torch.stack([turn_px / model.radius, y_px * 2**model.level, x_px * 2**model.level]).float()


def _nearest(field_HW: Tensor, positions_PN: Tensor) -> Tensor:
    """Values of the nearest pixels at complex positions, 0 outside of the image."""
    height, width = field_HW.shape
    y, x = positions_PN.imag.round().long(), positions_PN.real.round().long()
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    return field_HW.flatten()[(y * width + x).where(inside, 0)].where(inside, 0)


def _bilinear(values_HW: Tensor, positions_NK: Tensor) -> Tensor:
    """Values at complex positions, 0 outside of the image."""
    height, width = values_HW.shape
    scale_2 = torch.tensor([2 / (width - 1), 2 / (height - 1)], device=values_HW.device)
    grid_NK2 = torch.view_as_real(positions_NK) * scale_2 - 1
    return F.grid_sample(values_HW[None, None], grid_NK2[None], align_corners=True)[0, 0]
