"""What a category's maps are asked: gray and empty masks, false alarms, and maps that are no maps."""

import logging
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from benchmarks.common.errors import UserError
from benchmarks.data.index import ImageFile
from benchmarks.data.layouts import read_category
from benchmarks.data.masks import read_mask
from benchmarks.run.result import result_of
from benchmarks.run.scores import ScoreMaps, Scores, Take
from benchmarks.store.scores import deciding_column
from methods.contract import MethodError
from tests.conftest import save

PROTOCOL = OmegaConf.create(  # the area: 6 of 24 x 24 pixels
    {"minimum_area": 0.01, "area_grid": [0.001], "image_score": "map_area", "aupro_limit": 0.3, "threshold": "maximum"}
)
IMAGES = torch.zeros(2, 3, 24, 24)
TRAINER = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device("cpu")))


def scored(root: Path) -> Scores:
    """Maps of 24 px: 0, in test images a block of 3 x 4 at 1, and in the first good one a second block and a single pixel."""
    category = read_category(root, "parts")
    scores = Scores(category, PROTOCOL)
    scores.add_validation(category.train[0], np.zeros((24, 24), np.float32))
    scores.start_test()
    for index, image in enumerate(category.test):
        map_HW = np.zeros((24, 24), np.float32)
        map_HW[2:5, 3:7] = 1
        if index == 0:
            assert not image.is_defective
            map_HW[10:13, 10:14] = map_HW[20, 20] = 1
        scores.add_test(image, map_HW)
    return scores


def test_false_alarms_are_regions_of_the_minimum_area_in_good_images(tree: Callable[..., Path], tmp_path: Path) -> None:
    result = result_of(scored(tree(good=3, bad=2)), tmp_path, {})
    assert result.false_alarms_per_good_image == pytest.approx((2 + 1 + 1) / 3)
    assert result.good is not None and result.good.correct == 0
    assert result.pixel is not None and result.pixel.regions == 2
    assert result.pixel.region_overlap == pytest.approx(12 / 24)  # the masks are 4 x 6
    assert result.pixel.iou == pytest.approx(24 / (48 + 25 + 12 + 12))


def test_without_masks_there_are_false_alarms_but_no_pixel_metrics(tree: Callable[..., Path], tmp_path: Path) -> None:
    result = result_of(scored(tree(good=3, bad=2, masks=False)), tmp_path, {})
    assert result.pixel is None and result.false_alarms_per_good_image is not None
    assert list(tmp_path.glob("pro_curve.csv")) == []


def test_of_a_gray_mask_the_upper_half_counts(tmp_path: Path) -> None:
    path = save(tmp_path / "mask.png", np.array([[0, 1, 127, 128, 255]], np.uint8))
    assert read_mask(path).tolist() == [[False, False, False, True, True]]


def test_an_empty_mask_is_told_and_its_pixels_are_normal(
    tree: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = tree(good=1, bad=2)
    save(root / "parts" / "ground_truth" / "scratch" / "001_mask.png", np.full((24, 24), 100, np.uint8))
    with caplog.at_level(logging.WARNING, "benchmarks"):
        scores = scored(root)
    assert [record.getMessage().split("/")[-1].split()[:4] for record in caplog.records] == [
        ["001_mask.png", "marks", "no", "defect:"]
    ]
    pixels = scores.pixels.sorted() if scores.pixels else None
    assert pixels is not None and pixels.regions == 1 and len(pixels.normal) == 3 * 24 * 24 - 24


def test_only_empty_masks_make_no_pixel_metrics(tree: Callable[..., Path], tmp_path: Path) -> None:
    root = tree(good=1, bad=1)
    save(root / "parts" / "ground_truth" / "scratch" / "000_mask.png", np.zeros((24, 24), np.uint8))
    assert result_of(scored(root), tmp_path, {}).pixel is None


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_map_that_is_not_finite_is_named_by_its_image(tree: Callable[..., Path], value: float) -> None:
    category = read_category(tree(), "parts")
    maps, scores = ScoreMaps(), Scores(category, PROTOCOL)
    maps.start(category.train[3:5], scores.add_validation)
    maps_BHW = torch.zeros(2, 24, 24)
    maps_BHW[1, 5, 5] = value
    maps.on_predict_batch_start(TRAINER)
    with pytest.raises(MethodError, match=r"004\.png is unusable: the map has 1 values that are NaN or infinite"):
        maps.on_predict_batch_end(TRAINER, None, maps_BHW, IMAGES)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (torch.zeros(1, 24, 24), r"For 2 images .* gave maps of shape \(1, 24, 24\), torch.float32, not \(2, 24, 24\)"),
        (torch.zeros(2, 12, 12), r"maps of shape \(2, 12, 12\)"),
        (torch.zeros(2, 1, 24, 24), r"maps of shape \(2, 1, 24, 24\), torch.float32, not \(2, 24, 24\)"),
        (None, r"gave None in place of maps \(B, H, W\)"),
        (torch.zeros(2, 24, 24, dtype=torch.float64), r"torch.float64, not \(2, 24, 24\), torch.float32"),
        ((torch.zeros(2, 24, 24), torch.zeros(3)), "and 3 scores"),
        ((torch.zeros(2, 24, 24), torch.tensor([0.0, math.nan])), r"own score of .*004\.png is nan"),
    ],
    ids=["too few", "too small", "a channel", "none", "too fine", "too many scores", "a score that is none"],
)
def test_maps_and_scores_that_do_not_fit_the_images_are_refused(
    tree: Callable[..., Path], outputs: object, message: str
) -> None:
    category = read_category(tree(), "parts")
    maps, scores = ScoreMaps(), Scores(category, PROTOCOL)
    maps.start(category.train[3:5], scores.add_validation)
    with pytest.raises(MethodError, match=message):
        maps.on_predict_batch_end(TRAINER, None, outputs, IMAGES)


def scored_by_itself(root: Path, image_score: str) -> Scores:
    """Maps of noise, and scores of a method's own that set the defective images apart."""
    category = read_category(root, "parts")
    scores = Scores(category, OmegaConf.merge(PROTOCOL, {"image_score": image_score}), own_score=True)
    maps, rng = ScoreMaps(), torch.Generator().manual_seed(0)

    def predict(images: tuple[ImageFile, ...], base: list[float], take: Take) -> None:
        maps.start(images, take)
        outputs = torch.rand(len(images), 24, 24, generator=rng), torch.tensor(base)
        maps.on_predict_batch_end(TRAINER, None, outputs, torch.zeros(len(images), 3, 24, 24))

    predict(category.train[:3], [0.1, 0.3, 0.2], scores.add_validation)
    scores.start_test()
    predict(category.test, [0.9 if image.is_defective else 0.25 for image in category.test], scores.add_test)
    return scores


def test_a_methods_own_image_score_is_kept_and_decides_where_it_is_asked_to(
    tree: Callable[..., Path], tmp_path: Path
) -> None:
    root = tree(good=3, bad=3)
    by_map, by_own = (result_of(scored_by_itself(root, score), tmp_path, {}) for score in ("map_area", "own"))
    for result in (by_map, by_own):
        assert result.own is not None and result.own.image is not None and result.own.image.auroc == 1
        assert result.own.threshold == pytest.approx(0.3)
    assert by_own.good is not None and by_own.defective is not None and by_map.defective is not None
    assert (by_own.good.correct, by_own.defective.correct) == (3, 3) != (3, by_map.defective.correct)
    assert by_own.deciding_threshold == pytest.approx(0.3) and by_map.deciding_threshold == by_map.threshold
    assert (by_own.threshold, by_own.image, by_own.pixel) == (by_map.threshold, by_map.image, by_map.pixel)
    assert (deciding_column(by_own), deciding_column(by_map)) == ("score_own", "score_0.01")


def test_an_own_score_that_nobody_has_cannot_decide(tree: Callable[..., Path]) -> None:
    category = read_category(tree(), "parts")
    with pytest.raises(UserError, match="image_score=own: this method has no image score of its own"):
        Scores(category, OmegaConf.merge(PROTOCOL, {"image_score": "own"}))
    with pytest.raises(UserError, match="is map_area or own, not mean"):
        Scores(category, OmegaConf.merge(PROTOCOL, {"image_score": "mean"}))
