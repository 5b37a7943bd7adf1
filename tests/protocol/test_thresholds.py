"""What each rule promises, kept over 10,000 redraws of exchangeable scores; ranks worked by hand; refusals."""

import numpy as np
import pytest

from benchmarks.common.errors import UserError
from benchmarks.protocol.cross import cross_promise, cross_scores
from benchmarks.protocol.thresholds import Rule, conformal_threshold, images_for

REDRAWS = 10_000


def realised(rule: Rule, held_out: int, digits: int | None) -> tuple[float, float]:
    """False-alarm rate over redraws, and its Monte-Carlo error; rounded scores have ties."""
    rng = np.random.default_rng(0)
    scores_RN = rng.gamma(2, size=(REDRAWS, held_out + 1))
    if digits is not None:
        scores_RN = scores_RN.round(digits)
    rate = float(np.mean([row_N[-1] > rule.threshold(row_N[:-1]) for row_N in scores_RN]))
    return rate, 4 * np.sqrt(max(rate, 1e-3) / REDRAWS)


@pytest.mark.parametrize("digits", [None, 0], ids=["distinct", "ties"])
@pytest.mark.parametrize(
    "rule", ["maximum", "quantile:0.95", "quantile:0.5", "conformal:0.05", "conformal:0.1", "conformal:0.34"]
)
@pytest.mark.parametrize("held_out", [19, 20, 33])
def test_realised_false_alarm_rate_keeps_the_promise(rule: str, held_out: int, digits: int | None) -> None:
    promise = Rule.of(rule).promise(held_out)
    assert promise is not None
    rate, error = realised(Rule.of(rule), held_out, digits)
    assert rate <= promise + error


def test_a_conformal_promise_is_not_wasted() -> None:
    """Where (n + 1) alpha is whole and no scores are equal, the realised rate is alpha itself."""
    rate, error = realised(Rule.of("conformal:0.1"), 29, None)
    assert rate == pytest.approx(0.1, abs=error)


@pytest.mark.parametrize(("alpha", "needed"), [(0.05, 19), (0.1, 9), (0.01, 99), (0.3, 3), (0.02, 49), (0.9, 1)])
def test_images_needed(alpha: float, needed: int) -> None:
    assert images_for(alpha) == needed
    assert conformal_threshold(np.arange(needed, dtype=float), alpha) == needed - 1  # then it is their maximum
    if needed > 1:
        with pytest.raises(ValueError, match=f"needs {needed} held-out"):
            conformal_threshold(np.arange(needed - 1, dtype=float), alpha)


def test_conformal_rank_by_hand() -> None:
    scores_V = np.random.default_rng(0).permutation(np.arange(1.0, 30.0))  # 1 to 29
    for alpha, rank in ((0.1, 27), (0.5, 15), (0.2, 24), (0.07, 28), (0.9, 3)):  # ceil(30 (1 - alpha))
        assert conformal_threshold(scores_V, alpha) == rank


def test_other_rules() -> None:
    scores_V = np.array([3.0, 1.0, 2.0])
    assert Rule.of("maximum").threshold(scores_V) == Rule.of("quantile:1").threshold(scores_V) == 3
    assert Rule.of("quantile:0.5").threshold(scores_V) == 2
    assert Rule.of("given:-7.25").threshold(np.empty(0)) == -7.25
    assert Rule.of("given:1").promise(100) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "max",
        "conformal",
        "conformal:0",
        "conformal:1",
        "conformal:x",
        "quantile:1.5",
        "given:nan",
        "maximum:1",
        "sigma:3",
    ],
)
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"not a threshold rule.*conformal:0.05"):
        Rule.of(text)


@pytest.mark.parametrize("tied", [False, True], ids=["distinct", "ties"])
def test_cross_scores_decide_as_the_ranks_do(tied: bool) -> None:
    rng = np.random.default_rng(1)
    fold_V = rng.permutation(np.arange(17) % 4)
    held_out_V, test_KN = rng.normal(size=17), rng.normal(size=(4, 60)) * 1.3
    if tied:
        held_out_V, test_KN = held_out_V.round(1), test_KN.round(1)
    scores_N = cross_scores(held_out_V, fold_V, test_KN)
    rank_N = np.array([sum(held_out_V[v] < test_KN[fold_V[v], n] for v in range(17)) for n in range(60)])
    for place, limit in enumerate(np.sort(held_out_V), start=1):
        alarm_N, by_rank_N = scores_N > limit, rank_N >= place
        assert not (alarm_N & ~by_rank_N).any()
        if not tied:
            assert (alarm_N == by_rank_N).all()


def test_a_score_beyond_all_held_out_ones_is_the_mean() -> None:
    held_out_V, fold_V = np.array([1.0, 2.0]), np.array([0, 1])
    assert cross_scores(held_out_V, fold_V, np.array([[5.0, -3.0], [7.0, -1.0]])).tolist() == [6.0, -2.0]


@pytest.mark.parametrize(("images", "folds"), [(30, 30), (30, 5)])
def test_cross_conformal_keeps_its_promise(images: int, folds: int) -> None:
    """The model is the mean of the images it is fitted to, the score an image's distance to it."""
    alpha, fold_N = 0.1, np.arange(images) % folds
    images_RN = np.random.default_rng(2).exponential(size=(REDRAWS // 5, images + 1))
    good_RN = images_RN[:, :-1]
    sum_RK = np.stack([good_RN[:, fold_N != k].mean(axis=1) for k in range(folds)], axis=1)
    held_out_RN = np.abs(good_RN - sum_RK[:, fold_N])
    new_RK = np.abs(images_RN[:, -1:] - sum_RK)
    alarms = [
        cross_scores(row_N, fold_N, row_K[:, None])[0] > conformal_threshold(row_N, alpha)
        for row_N, row_K in zip(held_out_RN, new_RK, strict=True)
    ]
    assert np.mean(alarms) <= cross_promise(alpha, images, folds)
    assert np.mean(alarms) <= 1.2 * alpha  # in practice near alpha


def test_cross_promise() -> None:
    assert cross_promise(0.05, 30, 30) == pytest.approx(0.1)
    assert cross_promise(0.05, 30, 5) == pytest.approx(0.1 + (1 - 5 / 30) / 6)
    assert cross_promise(0.6, 30, 5) == 1


def test_cross_scores_refuse_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="2 models"):
        cross_scores(np.zeros(3), np.zeros(3, int), np.zeros((2, 4)))
