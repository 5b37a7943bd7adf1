"""Rows of the leaderboard from records: means, counts, intervals, the paper's values, and what is refused."""

from dataclasses import replace

import pytest

from benchmarks.errors import UserError
from benchmarks.protocol.decision import Share
from benchmarks.store.leaderboard import COLUMNS, leaderboard
from benchmarks.store.record import Record
from tests.store.test_runs import RECORD, RESULT


def seeded(seed: int, good: int, bad: int, **changes: object) -> Record:
    result = replace(RESULT, good=Share.of(good, 20), defective=Share.of(bad, 63))
    return replace(RECORD, seed=seed, result=result, identity=RECORD.identity | {"config": {"seed": seed}}, **changes)


def test_seeds_are_averaged_and_never_pooled() -> None:
    row = leaderboard([seeded(1, 18, 40), seeded(0, 20, 44), seeded(2, 19, 42)]).iloc[0]
    assert row["seeds"] == "0 1 2" and row["normal_counts"] == "20 18 19"
    assert row["normal_accuracy"] == pytest.approx(0.95) and row["normal_total"] == 20
    assert (row["normal_low"], row["normal_high"]) == pytest.approx(Share.of(19, 20).interval)
    assert row["balanced_accuracy"] == pytest.approx((0.95 + 42 / 63) / 2)
    assert row["normal_std"] == pytest.approx(0.05 * (2 / 3) ** 0.5)


def test_the_papers_pair_stands_beside_ours() -> None:
    row = leaderboard([seeded(0, 19, 30)]).iloc[0]
    assert (row["paper_normal"], row["paper_anomalous"]) == (0.70, 0.89)  # Table 2, bottle, AE (L2)
    assert row["difference_normal"] == pytest.approx(0.25)
    assert not row["paper_normal_inside"] and not row["paper_anomalous_inside"]
    assert leaderboard([seeded(0, 14, 56)]).iloc[0]["paper_normal_inside"]


def test_other_datasets_are_not_compared_with_the_paper() -> None:
    row = leaderboard([seeded(0, 19, 30, dataset="synthetic")]).iloc[0]
    assert row[["paper_normal", "difference_normal", "paper_normal_inside"]].isna().all()


def test_columns_are_the_documented_ones_and_failed_runs_make_no_row() -> None:
    failed = replace(RECORD, status="failed", result=None, error="out of memory")
    assert list(leaderboard([RECORD]).columns) == list(COLUMNS)
    assert leaderboard([failed]).empty


def test_budgets_and_datasets_are_rows_of_their_own() -> None:
    rows = leaderboard([RECORD, replace(RECORD, budget="smoke"), replace(RECORD, dataset="synthetic")])
    found = rows[["dataset", "budget"]].to_numpy().tolist()
    assert found == [["mvtec_ad", "short"], ["mvtec_ad", "smoke"], ["synthetic", "short"]]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            replace(RECORD, seed=1, identity=RECORD.identity | {"config": {"seed": 1, "latent": 50}}),
            "latent None -> 50",
        ),
        (replace(RECORD, seed=1, identity=RECORD.identity | {"config": {"seed": 1}, "train_data": "x"}), "train_data"),
        (replace(RECORD, seed=1, identity=RECORD.identity | {"config": {"seed": 1}}, test_data="x"), "test_data"),
    ],
    ids=["config", "training data", "test data"],
)
def test_seeds_that_differ_in_more_than_the_seed_are_refused(other: Record, message: str) -> None:
    with pytest.raises(UserError, match=f"cannot stand in one row: {message}"):
        leaderboard([RECORD, other])
