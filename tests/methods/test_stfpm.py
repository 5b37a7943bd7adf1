"""STFPM's loss and map against loops in float64; the epoch that is kept; what is trained."""

import math

import pytest
import torch

from methods.contract import MethodError
from methods.stfpm import STFPM, feature_differences, product_map
from tests.methods.test_feature_trained import made
from tests.methods.training import fit, noise_images

pytestmark = pytest.mark.filterwarnings("ignore")


def pyramids(seed: int) -> list[torch.Tensor]:
    """Features of two images in two layers, (2, 5, 6, 4) and (2, 3, 3, 2)."""
    generator = torch.Generator().manual_seed(seed)
    shapes = ((2, 5, 6, 4), (2, 3, 3, 2))
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]


def difference_by_loops(teacher: torch.Tensor, student: torch.Tensor, image: int, row: int, column: int) -> float:
    t, s = teacher[image, :, row, column].tolist(), student[image, :, row, column].tolist()
    t_length, s_length = (math.sqrt(sum(value**2 for value in vector)) for vector in (t, s))
    return sum((a / t_length - b / s_length) ** 2 for a, b in zip(t, s, strict=True))


def test_the_loss_is_the_mean_over_positions_and_images_summed_over_layers() -> None:
    teacher, student = pyramids(0), pyramids(1)
    expected = 0.0
    for t, s in zip(teacher, student, strict=True):
        images, _, height, width = t.shape
        total = sum(
            difference_by_loops(t, s, image, row, column)
            for image in range(images)
            for row in range(height)
            for column in range(width)
        )
        expected += total / (images * height * width)
    method = made(STFPM)
    method.fit_features = lambda images: teacher  # type: ignore[attr-defined]
    method._features = lambda network, images: student  # type: ignore[attr-defined]
    assert method.loss(torch.zeros(2, 3, 8, 8)).item() == pytest.approx(expected, rel=1e-12)  # type: ignore[attr-defined]


def test_the_map_is_the_product_of_the_layers_on_the_first_ones_grid() -> None:
    teacher, student = pyramids(2), pyramids(3)
    found = product_map(feature_differences(teacher, student))
    assert found.shape == (2, 6, 4)
    for image, row, column in ((0, 0, 0), (1, 5, 3), (0, 2, 1)):
        fine = difference_by_loops(teacher[0], student[0], image, row, column)
        y, x = min(max(row / 2 - 0.25, 0), 2), min(max(column / 2 - 0.25, 0), 1)  # half the side, pixel centres
        coarse = 0.0
        for j in {math.floor(y), math.ceil(y)}:
            for i in {math.floor(x), math.ceil(x)}:
                share = (1 - abs(y - j)) * (1 - abs(x - i))
                coarse += share * difference_by_loops(teacher[1], student[1], image, j, i)
        assert found[image, row, column].item() == pytest.approx(fine * coarse, rel=1e-9)


def test_only_the_student_is_trained() -> None:
    method = STFPM("resnet18", "random", ["layer1", "layer2", "layer3"], 0.4, 0.9, 1e-4, 0)
    assert sum(tensor.numel() for tensor in method.parameters() if tensor.requires_grad) == 2_782_784
    teacher = {name: tensor.clone() for name, tensor in method.source.state_dict().items()}
    fit(method, noise_images())
    assert all(torch.equal(tensor, teacher[name]) for name, tensor in method.source.state_dict().items())


def test_the_epoch_with_the_lowest_held_out_error_is_kept() -> None:
    """Each validation finds a student whose error a test sets: of 0.5, 0.2, 0.3 the second is kept."""
    method = made(STFPM)
    for epoch, error in enumerate((0.5, 0.2, 0.3)):
        with torch.no_grad():
            next(method.student.parameters()).fill_(epoch)  # type: ignore[operator,union-attr]
        method.log = lambda *_: None  # type: ignore[assignment,method-assign,misc]
        method.on_validation_epoch_start()
        method._errors.append(torch.tensor([error]))  # type: ignore[operator,union-attr]
        method.on_validation_epoch_end()
    assert (next(method.best_student.parameters()) == 1).all()  # type: ignore[operator,union-attr]
    assert method.best_error.item() == pytest.approx(0.2)  # type: ignore[operator,union-attr]


def test_a_trained_student_maps_an_image_lower_than_before_and_its_error_is_the_mean_of_its_map() -> None:
    images = noise_images()
    before = fit(made(STFPM), images, epochs=1, held_out=images)
    after = fit(made(STFPM), images, epochs=8, held_out=images)
    assert after.anomaly_map(images).mean() < 0.8 * before.anomaly_map(images).mean()
    teacher = list(after.source(images).values())  # type: ignore[operator]
    differences = feature_differences(teacher, after._features(after.best_student, images))  # type: ignore[operator]
    torch.testing.assert_close(product_map(differences).mean(), after.best_error, rtol=1e-4, atol=0)


def test_the_epoch_is_chosen_by_errors_in_float32() -> None:
    images, errors = noise_images(), []
    method = fit(made(STFPM), images, epochs=1, held_out=images)
    for half in (True, False):
        method.on_validation_epoch_start()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            method.validation_step(images)  # type: ignore[operator]
        errors.append(torch.cat(method._errors))  # type: ignore[arg-type]
    assert torch.equal(*errors)


def test_the_student_needs_a_resnet() -> None:
    with pytest.raises(MethodError, match=r"STFPM trains a network of its backbone's build: .*resnet18.*, not timm:"):
        STFPM("timm:vit_tiny_patch16_224", "random", ["blocks.1"], 0.4, 0.9, 1e-4, 0)
