"""Drift is said when good images' scores leave those of the held-out ones, and only then."""

import numpy as np

from benchmarks.inspect.drift import WINDOW, Drift


def warnings(scores: np.ndarray, held_out: np.ndarray, threshold: float) -> list[str]:
    drift = Drift(held_out.tolist(), threshold)
    return [warning for score in scores if (warning := drift.add(float(score))) is not None]


def test_scores_of_the_same_process_raise_no_warning() -> None:
    rng = np.random.default_rng(0)
    held_out = rng.normal(0, 1, 60)
    assert warnings(rng.normal(0, 1, 20 * WINDOW), held_out, float(held_out.max())) == []


def test_higher_scores_below_the_threshold_are_drift_and_the_direction_is_said() -> None:
    rng = np.random.default_rng(0)
    held_out = rng.normal(0, 1, 60)
    found = warnings(rng.normal(1.2, 0.3, WINDOW), held_out, 3.0)
    assert len(found) == 1 and "score higher than the 60 held-out ones" in found[0]
    assert "lower" in warnings(rng.normal(-2, 0.3, WINDOW), held_out, 3.0)[0]


def test_defective_images_do_not_count() -> None:
    held_out = np.linspace(0, 1, 50)
    assert warnings(np.full(5 * WINDOW, 7.0), held_out, 1.0) == []


def test_nothing_is_said_before_fifty_good_images() -> None:
    assert warnings(np.full(WINDOW - 1, 0.99), np.linspace(0, 0.1, 50), 1.0) == []
