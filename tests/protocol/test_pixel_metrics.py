"""Pixel metrics against cases worked by hand, scikit-learn, a slow reference, and other programs."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import repeat
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks.protocol import sorted_parts
from benchmarks.protocol.area_score import area_scores
from benchmarks.protocol.insertion_points import insertion_points
from benchmarks.protocol.pixel_metrics import PixelMetrics, PixelScores, SortedPixels, resize_map
from benchmarks.protocol.regions import regions_above

Images = list[tuple[NDArray[np.float32], NDArray[np.bool_]]]


def gathered(images: Images) -> SortedPixels | None:
    pixels = PixelScores()
    for map_HW, mask_HW in images:
        pixels.add(map_HW, mask_HW)
    return pixels.sorted()


def metrics(images: Images, threshold: float | None = 0.0, limit: float = 0.3) -> PixelMetrics:
    found = gathered(images)
    assert found is not None
    return found.metrics(threshold, limit)


def row(normal: list[float], *regions: list[float]) -> Images:
    """One image of one row: the normal pixels, then the regions, each after a normal pixel of the lowest score -9."""
    values, mask = list(normal), [False] * len(normal)
    for region in regions:
        values += [*region, -9.0]
        mask += [True] * len(region) + [False]
    return [(np.array([values], np.float32), np.array([mask]))]


def drawn(count: int = 6, px: int = 60, ties: bool = False, seed: int = 0) -> Images:
    """Smooth noise, higher in the defects; two or three regions in most images, none in the first."""
    rng = np.random.default_rng(seed)
    images = []
    for index in range(count):
        mask_HW = ndimage.gaussian_filter(rng.random((px, px)), 5) > 0.54 if index else np.zeros((px, px), bool)
        map_HW = ndimage.gaussian_filter(rng.normal(size=(px, px)), 1) * 2 + mask_HW
        images.append(((map_HW.round(1) if ties else map_HW).astype(np.float32), mask_HW))
    return images


def test_one_region() -> None:
    found = metrics([(np.array([[1, 2, 3, 4, 3.5, 2.5]], np.float32), np.arange(6)[None] >= 4)], threshold=3)
    assert found.auroc == pytest.approx(1 - (1 / 4 + 2 / 4) / 2)
    assert found.average_precision == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert found.aupro == pytest.approx(0.05 * 0.5 / 0.3)  # half covered from 1/4 on, nothing before
    assert found.region_overlap == 0.5 and found.iou == pytest.approx(1 / 3) and found.regions == 1


def test_without_a_threshold_what_depends_on_it_is_none() -> None:
    images = row([1, 2, 3], [4])
    assert metrics(images, threshold=None) == replace(metrics(images, threshold=2), region_overlap=None, iou=None)


def test_equal_scores_are_one_threshold() -> None:
    """The curve rises in a straight line from (0, 0) to (1/2, 1), whatever the order of the equal pixels."""
    images = [(np.array([[1, 1, 2, 2, 2]], np.float32), np.arange(5)[None] == 4)]
    assert metrics(images).auroc == 0.75
    assert metrics(images).aupro == pytest.approx(0.3 * 0.6 / 2 / 0.3)
    assert metrics(images, limit=0.5).aupro == pytest.approx(0.5)
    assert metrics(images, limit=1.0).aupro == pytest.approx(0.75)


def test_all_scores_equal() -> None:
    found = metrics([(np.full((4, 5), 7, np.float32), np.arange(20).reshape(4, 5) < 5)], threshold=7)
    assert (found.auroc, found.average_precision) == (0.5, pytest.approx(1 / 4))
    assert found.aupro == pytest.approx(0.15)
    assert (found.region_overlap, found.iou) == (0, 0)


def test_perfect_and_worst() -> None:
    best, worst = metrics(row([0, 1], [2, 3]), threshold=1), metrics(row([4, 5, 6, 7], [2, 3]), threshold=1)
    assert (best.auroc, best.average_precision, best.region_overlap, best.iou) == (1, 1, 1, 1)
    assert best.aupro == pytest.approx(1)
    assert worst.aupro == 0 and worst.auroc == pytest.approx(0.2)


def test_a_region_of_one_pixel_counts_like_a_large_one() -> None:
    found = metrics(row([0, 1], [5], [0, 0, 0, 0, 5, 0]), threshold=1)
    assert found.regions == 2 and found.region_overlap == pytest.approx((1 + 1 / 6) / 2)


def test_regions_are_8_connected() -> None:
    mask = np.eye(4, dtype=bool)
    assert metrics([(np.eye(4, dtype=np.float32), mask)]).regions == 1


def test_an_empty_mask_makes_normal_pixels_and_no_region() -> None:
    empty = (np.full((1, 4), 9, np.float32), np.zeros((1, 4), bool))
    assert metrics(row([0, 1, 2, 3], [5])).aupro == pytest.approx(1)
    with_empty = metrics([*row([0, 1, 2], [5]), empty])
    assert with_empty.aupro == 0 and with_empty.auroc == pytest.approx(0.5)  # 4 of 8 normal pixels above the defect


def test_without_defect_or_without_normal_pixels_there_are_no_metrics() -> None:
    zeros = np.zeros((3, 3), np.float32)
    assert gathered([(zeros, zeros > 0)]) is None
    assert gathered([(zeros, zeros == 0)]) is None


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_map_that_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="1 values that are NaN or infinite"):
        gathered([(np.array([[0, value]], np.float32), np.array([[False, True]]))])


def test_a_threshold_between_two_32_bit_numbers() -> None:
    """0.1 is not a 32-bit number; the pixel just above it is found, the one just below is not."""
    above = np.float32(0.1)
    below = np.nextafter(above, np.float32(0))
    assert float(below) < 0.1 < float(above)
    assert metrics(row([0], [above, below]), threshold=0.1).region_overlap == 0.5
    assert regions_above(np.array([[above, 0, below]]), 0.1, 1) == 1
    assert metrics(row([0], [1]), threshold=1e300).region_overlap == 0


class Repeated:
    """One part of normal pixels many times over, as `SortedParts` gives them."""

    def __init__(self, part_N: NDArray[np.float32], times: int) -> None:
        self.part_N, self.times = part_N, times

    def __len__(self) -> int:
        return len(self.part_N) * self.times

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        return repeat(self.part_N, self.times)


def test_more_normal_pixels_than_32_bits_count() -> None:
    """300 parts, as many as 5,000 images of a megapixel make; zeros that nobody reads take no memory."""
    normal: Any = Repeated(np.zeros(1 << 24, np.float32), 300)
    found = SortedPixels(normal, np.ones(4, np.float32), np.full(4, 0.25), regions=1).metrics(0.5, 0.3)
    assert (found.auroc, found.average_precision, found.iou) == (1, 1, 1) and found.aupro == pytest.approx(1)


def test_places_are_those_of_searchsorted() -> None:
    rng = np.random.default_rng(0)
    for levels, normal, scores in ((5, 40, 30), (1000, 300, 200), (10, 1, 20), (1, 50, 50), (3, 0, 4)):
        sorted_N, score_C = (np.sort(rng.integers(0, levels, n)).astype(np.float32) for n in (normal, scores))
        for start in (0, int(np.searchsorted(sorted_N, score_C[0]))):
            left_C, right_C = insertion_points(sorted_N, score_C, start)
            np.testing.assert_array_equal(left_C, np.searchsorted(sorted_N, score_C, "left"))
            np.testing.assert_array_equal(right_C, np.searchsorted(sorted_N, score_C, "right"))


def pro_over_all_thresholds(images: Images, limit: float) -> float:
    """The definition, with a loop: region overlap and false-positive rate at every score that occurs."""
    labelled = [(map_HW, *ndimage.label(mask_HW, np.ones((3, 3)))) for map_HW, mask_HW in images]
    normal = np.concatenate([map_HW[labels == 0] for map_HW, labels, _ in labelled])
    regions = [map_HW[labels == k] for map_HW, labels, count in labelled for k in range(1, count + 1)]
    levels = np.unique(np.concatenate([normal, *regions]))[::-1]
    fpr = np.array([0.0] + [np.mean(normal >= level) for level in levels])
    pro = np.array([0.0] + [np.mean([np.mean(region >= level) for region in regions]) for level in levels])
    inside = fpr <= limit
    last = int(inside.sum())
    if last < len(fpr):
        at_limit = pro[last - 1] + (pro[last] - pro[last - 1]) * (limit - fpr[last - 1]) / (fpr[last] - fpr[last - 1])
        fpr, pro = np.append(fpr[inside], limit), np.append(pro[inside], at_limit)
    return float(np.trapezoid(pro, fpr)) / limit


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
def test_aupro_against_the_loop_over_all_thresholds(ties: bool, limit: float) -> None:
    images = drawn(4, 40, ties)
    assert metrics(images, limit=limit).aupro == pytest.approx(pro_over_all_thresholds(images, limit), abs=1e-12)


@pytest.mark.parametrize("ties", [False, True])
def test_against_scikit_learn(ties: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.protocol.pixel_metrics.CHUNK", 100)
    images = drawn(ties=ties)
    scores = np.concatenate([map_HW.ravel() for map_HW, _ in images])
    defect = np.concatenate([mask_HW.ravel() for _, mask_HW in images])
    found = metrics(images, threshold=0.5)
    assert found.auroc == pytest.approx(roc_auc_score(defect, scores), abs=1e-12)
    assert found.average_precision == pytest.approx(average_precision_score(defect, scores), abs=1e-12)
    assert found.iou == pytest.approx((defect & (scores > 0.5)).sum() / (defect | (scores > 0.5)).sum(), abs=1e-15)
    overlaps = []
    for map_HW, mask_HW in images:
        labels, count = ndimage.label(mask_HW, np.ones((3, 3)))
        overlaps += [np.mean(map_HW[labels == k] > 0.5) for k in range(1, count + 1)]
    assert found.regions == len(overlaps) > 10
    assert found.region_overlap == pytest.approx(np.mean(overlaps), abs=1e-12)


@pytest.mark.parametrize("ties", [False, True])
def test_parts_in_memory_and_on_disk_give_the_same_numbers(ties: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    images = drawn(ties=ties)
    whole = gathered(images)
    monkeypatch.setattr(sorted_parts, "PART", 997)
    monkeypatch.setattr(sorted_parts, "IN_MEMORY", 3)
    parted = gathered(images)
    assert whole and parted and len(list(whole.normal)) == 1 and len(list(parted.normal)) > 10
    for numbers in (whole, parted):
        assert all((np.diff(part_N) >= 0).all() for part_N in numbers.normal)
    together = np.sort(np.concatenate([part_N.copy() for part_N in parted.normal]))
    np.testing.assert_array_equal(together, next(iter(whole.normal)))
    assert parted.metrics(0.5, 0.3) == whole.metrics(0.5, 0.3)
    fpr, pro = parted.pro_curve()
    assert (
        len(fpr) > 30
        and np.isin(fpr[1:-1], (len(together) - np.searchsorted(together, together)) / len(together)).all()
    )
    assert np.trapezoid(pro, fpr) == pytest.approx(np.trapezoid(*whole.pro_curve()[::-1]), abs=1e-3)


def test_an_offset_changes_nothing_but_ranks_do() -> None:
    """Raw scores: no sigmoid, no normalisation."""
    images = [((map_HW * 64).round(), mask_HW) for map_HW, mask_HW in drawn()]
    shifted = [(map_HW + 2**20, mask_HW) for map_HW, mask_HW in images]
    assert metrics(images, threshold=32) == metrics(shifted, threshold=32 + 2**20)


@pytest.mark.parametrize("part", [1000, 1 << 24])
def test_pro_curve_is_the_one_whose_area_is_reported(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorted_parts, "PART", part)
    found = gathered(drawn(8, 100))
    assert found is not None
    fpr, pro = found.pro_curve(2000)
    assert len(fpr) <= 2000 and (fpr[0], fpr[-1], pro[-1]) == (0, 1, 1)
    assert (np.diff(fpr) >= 0).all() and (np.diff(pro) >= -1e-12).all()
    assert np.trapezoid(pro, fpr) == pytest.approx(found.metrics(0, 1.0).aupro, abs=1e-4)
    top = max(part_N[-1] for part_N in found.normal)
    assert pro[0] == pytest.approx(found.metrics(float(top), 1.0).region_overlap)


def test_the_gpu_gives_the_same_numbers() -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("needs an NVIDIA GPU")
    pixels = PixelScores()
    for map_HW, mask_HW in drawn(ties=True):
        pixels.add(map_HW, mask_HW)
    found = pixels.sorted("cuda")
    assert found is not None and found.metrics(0.5, 0.3) == metrics(drawn(ties=True), threshold=0.5)


def test_maps_are_resized_as_torch_does() -> None:
    import torch

    map_HW = np.random.default_rng(0).random((16, 24)).astype(np.float32)
    expected = torch.nn.functional.interpolate(torch.from_numpy(map_HW)[None, None], (40, 50), mode="bilinear")[0, 0]
    np.testing.assert_allclose(resize_map(map_HW, 40, 50), expected.numpy(), atol=1e-6)
    assert resize_map(map_HW, 16, 24) is map_HW


def test_false_alarms_agree_with_the_decision() -> None:
    """An image has a region above the threshold exactly if its score_A exceeds it."""
    for map_HW, _ in drawn(5, 40, ties=True):
        score = area_scores(map_HW, [12])[0]
        assert regions_above(map_HW, score, 12) == 0
        assert regions_above(map_HW, np.nextafter(score, -np.inf), 12) >= 1
    two = np.array([[1, 1, 0, 1, 1, 1], [0, 0, 0, 0, 0, 1]], np.float32)
    assert [regions_above(two, 0.5, area) for area in (1, 2, 3, 4, 5)] == [2, 2, 1, 1, 0]


def test_against_mvtecs_evaluation_program() -> None:
    """Its code, as `adeval` carries it, with every normal pixel as a threshold.

    It joins the upper corners of the curve's steps, which lie one normal pixel apart: too high by at most half a pixel's width.
    """
    pytest.importorskip("cv2", reason="adeval needs OpenCV", exc_type=ImportError)
    official = pytest.importorskip("adeval.au_pro", reason="pip install adeval")
    images = drawn(8, 128, seed=1)
    maps, masks = zip(*images, strict=True)
    normal = int(sum((~mask_HW).sum() for mask_HW in masks))
    for limit in (0.05, 0.3):
        expected, _ = official.calculate_au_pro(masks, maps, limit, num_thresholds=normal)
        assert 0 <= expected - metrics(images, limit=limit).aupro <= 1 / (2 * normal * limit) < 2e-4


@pytest.mark.parametrize("bins", [1000, 100_000])
def test_against_adeval(bins: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """adeval bins the scores: 1000 bins (its default) stay within 1e-3, 100,000 within 2e-5.

    Its `aupr` is not compared: it joins the points of the precision-recall curve, which average precision does not.
    """
    pytest.importorskip("cv2", reason="adeval needs OpenCV", exc_type=ImportError)
    adeval = pytest.importorskip("adeval", reason="pip install adeval")
    monkeypatch.setattr(
        np, "trapz", np.trapezoid, raising=False
    )  # gone since NumPy 2.4; adeval 1.1.0 still calls it so
    images = drawn(8, 128, seed=2)
    maps, masks = (list(part) for part in zip(*images, strict=True))
    auroc, _, aupro = adeval.auroc_aupr_aupro(maps, [mask_HW.astype(np.uint8) for mask_HW in masks], nstrips=bins)
    found = metrics(images)
    assert (found.auroc, found.aupro) == pytest.approx((auroc, aupro), abs=1e-3 if bins == 1000 else 2e-5)


@pytest.mark.parametrize("ties", [False, True])
def test_against_anomalib(ties: bool) -> None:
    """Exact too, in 32-bit sums."""
    aupro = pytest.importorskip("anomalib.metrics.aupro", reason="pip install anomalib", exc_type=ImportError)
    import torch

    images = drawn(8, 128, ties, seed=3)
    maps, masks = (torch.from_numpy(np.stack(part)) for part in zip(*images, strict=True))
    for limit in (0.05, 0.3):
        metric = aupro._AUPRO(fpr_limit=limit)
        metric.update(maps, masks.int())
        assert metrics(images, limit=limit).aupro == pytest.approx(float(metric.compute()), abs=2e-6)
