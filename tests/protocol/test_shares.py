"""Every share lies in [0, 1] exactly, whatever the rounding: random, tied, perfect and inverted scores, regions of any size."""

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.protocol.image_metrics import image_metrics
from benchmarks.protocol.intervals import image_bootstrap, wilson
from benchmarks.protocol.pixel_metrics import PixelScores

KINDS = st.sampled_from(["random", "tied", "perfect", "inverted", "constant"])


def scores_of(kind: str, defective: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float32]:
    """Scores of any shape, for labels of that shape."""
    noise = rng.random(defective.shape).astype(np.float32)
    shift = {"perfect": 2, "inverted": -2}.get(kind, 0) * defective
    return (noise.round(1) if kind == "tied" else noise * (kind != "constant")) + shift.astype(np.float32)


def gathered(kind: str, seed: int, images: int) -> PixelScores:
    rng, pixels = np.random.default_rng(seed), PixelScores()
    for _ in range(images):
        mask_HW = np.zeros((20, 20), bool)
        mask_HW[3:6, 3 : 3 + rng.integers(1, 9)] = True
        mask_HW[10 : 10 + rng.integers(0, 7), 12:15] = True
        pixels.add(scores_of(kind, mask_HW, rng), mask_HW)
    return pixels


@settings(max_examples=60, deadline=None)
@given(kind=KINDS, seed=st.integers(0, 2**32 - 1), images=st.integers(1, 6), limit=st.floats(0.01, 1))
def test_pixel_metrics(kind: str, seed: int, images: int, limit: float) -> None:
    pixels = gathered(kind, seed, images).sorted()
    assert pixels is not None
    found = asdict(pixels.metrics(0.5, limit))
    shares = [found[name] for name in ("auroc", "average_precision", "region_overlap", "iou", "aupro")]
    assert all(0 <= share <= 1 for share in shares), found
    curve = np.concatenate(pixels.pro_curve())
    assert curve.min() >= 0 and curve.max() <= 1
    if kind == "perfect":
        assert found["auroc"] == 1 and found["aupro"] == pytest.approx(1) and found["average_precision"] == 1
    if kind == "inverted":
        assert found["auroc"] == 0


def test_an_image_without_a_defect_pixel_or_without_a_normal_one_has_no_pixel_metrics() -> None:
    map_HW = np.ones((4, 4), np.float32)
    for mask_HW in (np.zeros((4, 4), bool), np.ones((4, 4), bool)):
        pixels = PixelScores()
        pixels.add(map_HW, mask_HW)
        assert pixels.sorted() is None


@settings(max_examples=60, deadline=None)
@given(kind=KINDS, seed=st.integers(0, 2**32 - 1), images=st.integers(2, 40))
def test_image_metrics(kind: str, seed: int, images: int) -> None:
    rng = np.random.default_rng(seed)
    defective = rng.random(images) < 0.5
    found = image_metrics(scores_of(kind, defective, rng).astype(np.float64), defective)
    if defective.all() or not defective.any():
        assert found is None
        return
    assert found is not None and all(0 <= share <= 1 for share in asdict(found).values()), found


@settings(max_examples=100, deadline=None)
@given(total=st.integers(1, 10_000), data=st.data())
def test_intervals_hold_their_share(total: int, data: st.DataObject) -> None:
    correct = data.draw(st.integers(0, total))
    low, high = wilson(correct, total)
    assert 0 <= low <= correct / total + 1e-12 and correct / total - 1e-12 <= high <= 1


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), seeds=st.integers(1, 4), images=st.integers(1, 30), share=st.floats(0, 1))
def test_bootstrap(seed: int, seeds: int, images: int, share: float) -> None:
    low, high = image_bootstrap(np.random.default_rng(seed).random((seeds, images)) < share)
    assert 0 <= low <= high <= 1
