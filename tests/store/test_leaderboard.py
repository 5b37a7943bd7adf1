"""Rows of the leaderboard from records: means, counts, intervals, the paper's values, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.common.errors import UserError
from benchmarks.protocol.decision import Share
from benchmarks.protocol.intervals import image_bootstrap
from benchmarks.store.columns import COLUMNS
from benchmarks.store.leaderboard import leaderboard
from benchmarks.store.record import Record
from benchmarks.store.scores import Decisions
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


def test_seeds_may_be_dates() -> None:
    row = leaderboard([replace(RECORD, seed=20260101), replace(RECORD, seed=20260102)]).iloc[0]
    assert row["seeds"] == "20260101 20260102"


def test_failed_seeds_of_a_cell_are_named_in_its_row() -> None:
    failed = replace(seeded(3, 20, 40), status="failed", result=None, error="out of memory")
    row = leaderboard([seeded(0, 20, 40), failed, seeded(1, 18, 40)]).iloc[0]
    assert row["seeds"] == "0 1" and row["failed_seeds"] == "3"


def test_a_row_says_what_was_made_with_what() -> None:
    config = {"method": {"weights": "imagenet", "train": {"epochs": 8, "samples": 2000}}}
    record = replace(
        RECORD, identity=RECORD.identity | {"config": config, "versions": {"torch": "2.15", "numpy": "2.3"}}
    )
    row = leaderboard([record]).iloc[0]
    assert (row["training_samples"], row["versions"]) == (16000, "torch=2.15 numpy=2.3")
    assert (
        row["weights"] == ""
    )  # an experiment may set the option for all methods; only the method knows whether it has any
    assert (row["thresholds"], row["validation_images"], row["interval"]) == ("0.5", 21, "wilson")
    random = replace(record, result=replace(RESULT, facts={"weights": "random"}))
    assert leaderboard([random]).iloc[0]["weights"] == "random"


def test_table3_is_compared_too() -> None:
    row = leaderboard([RECORD]).iloc[0]
    assert (row["paper_region_overlap"], row["paper_pixel_auroc"]) == (0.22, 0.86)  # Table 3, bottle, AE (L2)
    assert (row["difference_region_overlap"], row["difference_pixel_auroc"]) == pytest.approx((0.28, 0.04))


def test_a_part_of_the_papers_test_set_is_not_compared_with_the_paper() -> None:
    result = replace(RESULT, good=Share.of(5, 5))
    row = leaderboard([replace(RECORD, result=result)]).iloc[0]
    assert row[["paper_normal", "paper_anomalous", "paper_pixel_auroc", "paper_normal_inside"]].isna().all()


def test_bootstrap_is_over_images_with_all_seeds_together() -> None:
    rng = np.random.default_rng(0)
    defective = np.arange(83) >= 20
    names = np.arange(83).astype(str)
    right = {seed: rng.random(83) > 0.4 for seed in (0, 1)}
    records = [seeded(seed, int(right[seed][:20].sum()), int(right[seed][20:].sum())) for seed in (0, 1)]
    row = leaderboard(records, lambda record: Decisions(names, defective, right[record.seed])).iloc[0]
    assert row["interval"] == "bootstrap"
    both = np.stack([right[0], right[1]])
    assert (row["normal_low"], row["normal_high"]) == image_bootstrap(both[:, :20])
    assert (row["anomalous_low"], row["anomalous_high"]) == image_bootstrap(both[:, 20:])
    assert row["normal_low"] < row["normal_accuracy"] < row["normal_high"]


def test_a_run_that_is_there_twice_is_refused() -> None:
    with pytest.raises(UserError, match="ae_l2 / bottle / seed=0 is there twice"):
        leaderboard([RECORD, replace(RECORD, started="later")])


def test_one_budgets_name_with_two_contents_is_refused() -> None:
    config = {"seed": 0, "budget": {"name": "short", "samples": 100}}
    other = replace(RECORD, category="carpet", identity=RECORD.identity | {"config": config})
    first = replace(
        RECORD, identity=RECORD.identity | {"config": config | {"budget": {"name": "short", "samples": 2000}}}
    )
    with pytest.raises(UserError, match=r"both say budget short, which differs: budget.samples 2000 -> 100"):
        leaderboard([first, other])
    assert len(leaderboard([first, replace(other, budget="tiny")])) == 2


def test_a_budget_counts_where_the_method_reads_it() -> None:
    """ae_l2 reads the epochs of its own kind, not those of the students, which a later version may have added or changed."""
    budget = {"name": "short", "epochs": 4}
    records = [
        replace(RECORD, category=category, identity=RECORD.identity | {"config": {"seed": 0, "budget": budget | more}})
        for category, more in (("carpet", {}), ("tile", {"student_epochs": 5}), ("wood", {"student_epochs": 8}))
    ]
    assert len(leaderboard(records)) == 3


def test_methods_on_different_test_images_share_no_table() -> None:
    with pytest.raises(
        UserError, match="ae_l2 / bottle / seed=0 and anogan / bottle / seed=0 were scored on different test images"
    ):
        leaderboard([RECORD, replace(RECORD, method="anogan", test_data="another")])


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            replace(
                RECORD, seed=1, identity=RECORD.identity | {"config": {"seed": 1, "method": {"model": {"latent": 50}}}}
            ),
            "method.model.latent None -> 50",
        ),
        (replace(RECORD, seed=1, identity=RECORD.identity | {"config": {"seed": 1}, "train_data": "x"}), "train_data"),
        (replace(RECORD, seed=1, identity=RECORD.identity | {"config": {"seed": 1}}, test_data="x"), "test_data"),
    ],
    ids=["config", "training data", "test data"],
)
def test_seeds_that_differ_in_more_than_the_seed_are_refused(other: Record, message: str) -> None:
    with pytest.raises(UserError, match=f"cannot stand in one row: {message}"):
        leaderboard([RECORD, other])


def test_seeds_may_differ_in_how_many_images_were_scored_at_once() -> None:
    """That no map depends on its batch is tested for every method."""
    one, other = (
        replace(RECORD, seed=seed, identity=RECORD.identity | {"config": {"method": {"predict_batch_size": size}}})
        for seed, size in ((0, 8), (1, 64))
    )
    assert len(leaderboard([one, other])) == 1


def test_costs_that_nobody_measured_are_empty() -> None:
    result = replace(RESULT, fit_seconds=None, ms_per_image=None, peak_memory_mib=None)  # type: ignore[arg-type]
    row = leaderboard([replace(RECORD, result=result)]).iloc[0]
    assert row[["fit_seconds", "ms_per_image", "peak_memory_mib", "peak_gpu_memory_mib"]].isna().all()
