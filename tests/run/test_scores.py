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

from benchmarks.data.index import read_category
from benchmarks.data.masks import read_mask
from benchmarks.run.measure import result_of
from benchmarks.run.scores import ScoreMaps, Scores
from methods.contract import MethodError
from tests.conftest import save

PROTOCOL = OmegaConf.create({"minimum_area": 0.01, "area_grid": [0.001], "aupro_limit": 0.3})  # 6 of 24 x 24 pixels


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
    trainer = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device("cpu")))
    maps_BHW = torch.zeros(2, 24, 24)
    maps_BHW[1, 5, 5] = value
    maps.on_predict_batch_start(trainer)
    with pytest.raises(MethodError, match=r"004\.png is unusable: the map has 1 values that are NaN or infinite"):
        maps.on_predict_batch_end(trainer, None, maps_BHW)
