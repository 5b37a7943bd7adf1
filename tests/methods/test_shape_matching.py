"""Rigid shape-based matching: poses of drawn screws and nuts and of real bottles, failed matches, and the warps."""

import io
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from skimage.transform import AffineTransform, warp
from torch import Tensor

from methods.blocks.rigid_warp import Pose, align, to_image_frame
from methods.blocks.shape_matching import ShapeMatcher
from methods.blocks.shape_model import direction_field, gradient_field, score_at, score_maps, shape_model
from methods.contract import MethodError

Gray = NDArray[np.float64]

PX = 700


def screw() -> Gray:
    """A dark screw on a bright background: head, shaft, thread and tip."""
    canvas = Image.new("L", (2 * PX, 2 * PX), 200)
    draw = ImageDraw.Draw(canvas)
    draw.polygon([(300, 605), (410, 605), (450, 665), (450, 735), (410, 795), (300, 795)], fill=70)
    draw.polygon([(440, 662), (1010, 662), (1120, 700), (1010, 738), (440, 738)], fill=110)
    for x in range(620, 1010, 33):
        draw.polygon([(x, 645), (x + 14, 645), (x + 24, 755), (x + 10, 755)], fill=60)
    return np.asarray(canvas.reduce(2), dtype=float)


def nut() -> Gray:
    """A bright nut on a dark background, with four slanted flanges: exactly the same after a quarter turn, not after a flip."""
    canvas = Image.new("L", (2 * PX, 2 * PX), 30)
    draw = ImageDraw.Draw(canvas)
    draw.ellipse([240, 240, 1160, 1160], fill=150)
    draw.polygon([(1120, 660), (1320, 580), (1340, 720), (1130, 830)], fill=190)
    draw.ellipse([520, 520, 880, 880], fill=20)
    drawn = np.asarray(canvas.reduce(2), dtype=float)
    return np.mean([np.rot90(drawn, quarter) for quarter in range(4)], axis=0)


def bottle(mvtec_ad: Path, index: int) -> Gray:
    with Image.open(mvtec_ad / "bottle" / "train" / "good" / f"{index:03}.png") as file:
        return np.asarray(file.convert("L"), dtype=float)


def pose_matrix(pose: Pose, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Pose's formula, written anew: reference (x, y) to image (x, y)."""
    centre = np.array([(shape[1] - 1) / 2, (shape[0] - 1) / 2])
    cos, sin = math.cos(math.radians(pose.angle_deg)), math.sin(math.radians(pose.angle_deg))
    rotation = np.array([[cos, -sin], [sin, cos]])
    matrix = np.eye(3)
    matrix[:2, :2] = rotation
    matrix[:2, 2] = centre - rotation @ centre + (pose.shift_x, pose.shift_y)
    return matrix


def moved(reference: Gray, pose: Pose, order: int = 3, **options: object) -> Gray:
    """The image in which the reference lies at a pose, by scikit-image; its border is repeated outside."""
    inverse_map = AffineTransform(matrix=np.linalg.inv(pose_matrix(pose, reference.shape)))
    return warp(reference, inverse_map, order=order, preserve_range=True, **{"mode": "edge", **options})


def relit(image: Gray, rng: np.random.Generator, noise: float = 5) -> Gray:
    """Another brightness, a bright and a dark side, and noise."""
    slope = np.outer(np.ones(len(image)), np.linspace(-0.15, 0.15, image.shape[1]))
    lit = image * rng.uniform(0.6, 1.2) * (1 + slope) + rng.uniform(-15, 15)
    return np.clip(lit + rng.normal(0, noise, image.shape), 0, 255)


def tensor(image: Gray) -> Tensor:
    return torch.tensor(image.copy(), dtype=torch.float32)


def matcher(reference: Gray, max_angle_deg: float, max_shift: float = 0.1) -> ShapeMatcher:
    shape_matcher = ShapeMatcher(max_angle_deg, max_shift)
    shape_matcher.learn(tensor(reference))
    return shape_matcher


def assert_found(found: Pose | None, true: Pose, period_deg: float = 360) -> None:
    assert found is not None
    turn = (found.angle_deg - true.angle_deg + period_deg / 2) % period_deg - period_deg / 2
    assert abs(turn) < 1
    assert math.hypot(found.shift_y - true.shift_y, found.shift_x - true.shift_x) < 1


# ---- known poses


@pytest.mark.parametrize(("draw", "period_deg"), [(screw, 360), (nut, 90)])
def test_finds_every_angle_of_drawn_objects_under_other_light(draw: Callable[[], Gray], period_deg: float) -> None:
    rng = np.random.default_rng(0)
    reference = draw()
    shape_matcher = matcher(reference, max_angle_deg=180)
    for _ in range(6):
        shift_y, shift_x = rng.uniform(-0.08 * PX, 0.08 * PX, 2)
        true = Pose(rng.uniform(-180, 180), shift_y, shift_x, 1.0)
        assert_found(shape_matcher.match(tensor(relit(moved(reference, true), rng))), true, period_deg)


def test_finds_a_small_turn_in_a_small_range() -> None:
    true = Pose(-7.3, 11.6, -20.2, 1.0)
    assert_found(matcher(screw(), max_angle_deg=10).match(tensor(moved(screw(), true))), true)


def test_finds_the_pose_in_an_image_that_is_not_square_and_of_odd_size() -> None:
    reference, true = screw()[101:578, 3:], Pose(3.0, -9.5, 14.2, 1.0)
    assert reference.shape == (477, 697)
    assert_found(matcher(reference, max_angle_deg=10).match(tensor(moved(reference, true))), true)


def test_an_object_in_dim_light_keeps_its_score() -> None:
    found = matcher(nut(), 0).match(tensor(0.6 * nut()))
    assert found is not None
    assert found.score > 0.95


@pytest.mark.parametrize(("shift_y", "shift_x"), [(0, 0), (24, -17), (-40, 35), (7.5, 12.25), (-3.3, 0.6)])
def test_finds_known_shifts_of_a_real_bottle(mvtec_ad: Path, shift_y: float, shift_x: float) -> None:
    true = Pose(0.0, shift_y, shift_x, 1.0)
    reference = bottle(mvtec_ad, 0)
    found = matcher(reference, max_angle_deg=0).match(tensor(moved(reference, true)))
    assert_found(found, true)
    assert found is not None
    assert found.angle_deg == 0
    assert found.score > 0.95


def test_matches_other_real_bottles_at_small_shifts(mvtec_ad: Path) -> None:
    shape_matcher = matcher(bottle(mvtec_ad, 0), max_angle_deg=0)
    for index in (50, 100, 150, 200):
        found = shape_matcher.match(tensor(bottle(mvtec_ad, index)))
        assert found is not None
        assert found.score > 0.7
        assert max(abs(found.shift_y), abs(found.shift_x)) < 25


def test_without_a_range_every_pose_is_the_identity() -> None:
    assert matcher(np.zeros((PX, PX)), 0, max_shift=0).match(torch.zeros(PX, PX)) == Pose(0.0, 0.0, 0.0, 1.0)


# ---- failed matches


def test_an_image_without_the_object_is_no_match() -> None:
    rng = np.random.default_rng(0)
    coarse_noise = Image.fromarray(rng.uniform(0, 255, (70, 70)).astype(np.uint8)).resize((PX, PX))
    others = [
        np.full((PX, PX), 120.0),
        rng.uniform(0, 255, (PX, PX)),
        np.asarray(coarse_noise, dtype=float),
        nut(),
        255 - screw(),
    ]
    shape_matcher = matcher(screw(), max_angle_deg=180)
    assert [shape_matcher.match(tensor(other)) for other in others] == [None] * len(others)


@pytest.mark.parametrize(
    "outside",
    [Pose(0.0, 0.1 * PX, 0.0, 1.0), Pose(0.0, 0.0, 42.0, 1.0), Pose(13.0, 0.0, 0.0, 1.0), Pose(30.0, 0.0, 0.0, 1.0)],
)
def test_an_object_out_of_range_is_no_match(outside: Pose) -> None:
    assert matcher(screw(), max_angle_deg=10, max_shift=0.05).match(tensor(moved(screw(), outside))) is None


def test_a_turned_object_is_no_match_where_no_angle_is_searched() -> None:
    assert matcher(screw(), max_angle_deg=0).match(tensor(moved(screw(), Pose(90.0, 0.0, 0.0, 1.0)))) is None


def test_says_what_cannot_be_matched() -> None:
    with pytest.raises(MethodError, match="0 edge points"):
        matcher(np.full((PX, PX), 50.0), 0)
    with pytest.raises(MethodError, match="700x600 and 700x700"):
        matcher(screw(), 0).match(torch.zeros(700, 600))
    with pytest.raises(ValueError, match="max_shift"):
        ShapeMatcher(max_angle_deg=10, max_shift=0)


# ---- score and state


def test_score_maps_are_the_sum_over_points_written_as_loops() -> None:
    reference = screw()[240:460:4, 100:600:4]
    model = shape_model(tensor(reference), 0, contrast=8)
    image = np.random.default_rng(0).uniform(0, 255, (20, 30)).repeat(3, 0)[:55].repeat(5, 1)[:, :125]
    field_HW = direction_field(gradient_field(tensor(image), 0), 4)
    angles_A, reach = torch.tensor([0.0, 0.7, -2.5]), (30, 12)
    maps = score_maps(model, field_HW, angles_A, reach)
    assert maps.shape == (3, 61, 25)
    for a, y, x in [(0, 0, 0), (0, 30, 12), (1, 60, 24), (1, 13, 20), (2, 41, 3), (2, 60, 0)]:
        shift_y, shift_x = y - reach[0], x - reach[1]
        slow = slow_score(model.points_N, model.directions_N, field_HW, float(angles_A[a]), shift_y, shift_x)
        fast = score_at(model, field_HW, torch.tensor([[angles_A[a], shift_y, shift_x]]))
        assert float(maps[a, y, x]) == pytest.approx(slow, abs=1e-5)
        assert float(fast) == pytest.approx(slow, abs=1e-5)


def slow_score(points: Tensor, directions: Tensor, field_HW: Tensor, angle: float, shift_y: int, shift_x: int) -> float:
    height, width = field_HW.shape
    total, cos, sin = 0.0, math.cos(angle), math.sin(angle)
    for point, direction in zip(points.tolist(), directions.tolist(), strict=True):
        x = round(cos * point.real - sin * point.imag + (width - 1) / 2) + shift_x
        y = round(sin * point.real + cos * point.imag + (height - 1) / 2) + shift_y
        turned = (cos * direction.real - sin * direction.imag, sin * direction.real + cos * direction.imag)
        if 0 <= x < width and 0 <= y < height:
            total += turned[0] * float(field_HW[y, x].real) + turned[1] * float(field_HW[y, x].imag)
    return total / len(points)


def test_model_points_lie_on_the_edge_to_a_fraction_of_a_pixel() -> None:
    y, x = np.mgrid[:101, :101] - 50.0
    disc = 200 / (1 + np.exp(np.hypot(y, x) - 30.3))  # bright, with its edge at 30.3 px from the centre
    model = shape_model(tensor(disc), 0, contrast=8)
    assert model.points_N.abs().numpy() == pytest.approx(30.3, abs=0.15)
    inwards = -(model.points_N / model.points_N.abs())
    assert (model.directions_N * inwards.conj()).real.min() > 0.99


def test_a_reloaded_matcher_finds_the_same_pose() -> None:
    image = tensor(moved(screw(), Pose(33.0, 5.0, 9.0, 1.0)))
    learned = matcher(screw(), 180)
    saved = io.BytesIO()
    torch.save(learned.state_dict(), saved)
    saved.seek(0)
    reloaded = matcher(nut(), 180)
    reloaded.load_state_dict(torch.load(saved, weights_only=True))
    fresh = torch.nn.ModuleDict({"matcher": ShapeMatcher(180, 0.1)})
    fresh.load_state_dict({f"matcher.{name}": value for name, value in learned.state_dict().items()})
    assert learned.match(image) == reloaded.match(image) == fresh["matcher"].match(image)


# ---- warps


POSE = Pose(23.7, 14.3, -31.8, 1.0)


def picture() -> Gray:
    """Sharp edges and noise: interpolated at a slightly wrong place it would differ at once."""
    return np.random.default_rng(0).uniform(0, 60, (300, 420)) + screw()[200:500, 140:560] / 2


@pytest.mark.parametrize("real", [False, True])
def test_align_is_scikit_images_warp_into_the_reference_frame(real: bool, request: pytest.FixtureRequest) -> None:
    image = bottle(request.getfixturevalue("mvtec_ad"), 0)[:600] if real else picture()
    aligned, inside = align(tensor(image), POSE)
    to_image = AffineTransform(matrix=pose_matrix(POSE, image.shape))
    expected = warp(image, to_image, order=1, mode="edge", preserve_range=True)
    assert aligned.dtype == torch.float32
    differences = np.abs(aligned.numpy() - expected)[inside.numpy()]
    assert differences.max() < (0.02 if real else 1e-3)  # coordinates are rounded more coarsely in a larger image
    rows, columns = np.indices(image.shape)
    x, y = to_image(np.stack([columns.ravel(), rows.ravel()], axis=1)).T
    expected_inside = (x >= 0) & (x <= image.shape[1] - 1) & (y >= 0) & (y <= image.shape[0] - 1)
    assert (inside.numpy().ravel() == expected_inside).mean() > 0.9999


def test_to_image_frame_is_scikit_images_warp_out_of_it() -> None:
    brought_back = to_image_frame(tensor(picture()), POSE)
    expected = moved(picture(), POSE, order=1)
    support = moved(np.ones_like(picture()), POSE, order=1, mode="constant")
    assert np.abs(brought_back.numpy() - expected)[support > 1 - 1e-9].max() < 1e-3
    assert (support == 0).any()
    assert not brought_back.numpy()[support == 0].any()


def test_a_map_comes_back_to_where_it_was() -> None:
    y, x = np.mgrid[:300, :420]
    smooth = tensor(100 + 50 * np.sin(y / 20) * np.cos(x / 25))
    aligned, inside = align(smooth, POSE)
    back = to_image_frame(torch.where(inside, aligned, 0), POSE)
    assert (back - smooth)[120:180, 150:250].abs().max() < 0.2
    support = to_image_frame(inside.float(), POSE)
    assert not back[support == 0].any()


def test_align_at_the_identity_changes_nothing() -> None:
    aligned, inside = align(tensor(picture()), Pose(0.0, 0.0, 0.0, 1.0))
    assert inside.all()
    assert torch.allclose(aligned, tensor(picture()), atol=1e-3)
