"""Methods in pairs: common categories only, Holm over the tests that were made, words where there was none."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmarks.report.pairs import method_pairs, pairs_markdown
from benchmarks.store.leaderboard import leaderboard
from benchmarks.store.runs import RunStore
from tests.report.stores import write_store


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder: Path = tmp_path_factory.mktemp("store")
    return leaderboard(RunStore(write_store(folder, seeds=[0])).records())


def test_all_pairs_over_their_common_categories(rows: pd.DataFrame) -> None:
    pairs = method_pairs(rows).set_index(["first", "second"])
    assert len(pairs) == 15
    table = rows.pivot(index="category", columns="method", values="balanced_accuracy").astype(float)
    common = table[["ae_l2", "anogan"]].dropna()
    found = pairs.loc[("ae_l2", "anogan")]
    assert found["categories"] == 14  # anogan failed on one
    assert found["p"] == pytest.approx(stats.wilcoxon(common["ae_l2"], common["anogan"], method="exact").pvalue)
    assert found["mean_difference"] == pytest.approx((common["ae_l2"] - common["anogan"]).mean())


def test_too_few_common_categories_are_said_in_words(rows: pd.DataFrame) -> None:
    pairs = method_pairs(rows)
    none = pairs[pairs["note"] != ""]
    assert set(none["categories"]) == {0, 5} and none[["p", "p_holm", "rank_biserial"]].isna().all(axis=None)
    assert "no test: fewer than 6 common categories" in pairs_markdown(pairs)
    tested = pairs[pairs["note"] == ""].sort_values("p")
    assert tested["p_holm"].iloc[0] == pytest.approx(min(1, tested["p"].iloc[0] * len(tested)))
    assert (np.diff(tested["p_holm"]) >= 0).all()


def test_one_method_has_no_pairs(rows: pd.DataFrame) -> None:
    assert method_pairs(rows[rows["method"] == "ae_l2"]).empty


def test_published_numbers_take_no_part(rows: pd.DataFrame) -> None:
    assert len(method_pairs(rows.assign(source=np.where(rows["method"] == "anogan", "Doe", "")))) == 10
