"""What the study concludes, on stores made so that the answer is known, and against slow versions on random ones."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau

from benchmarks.protocol.estimators import MAXIMUM
from benchmarks.store.runs import RunStore
from benchmarks.study.area import ALL_CATEGORIES, AreaStudy, area_study
from benchmarks.study.curves import MEAN
from benchmarks.study.grid import read_grids
from benchmarks.study.summary import category_findings, overview
from tests.study.stored import AREAS, scores, store


def study(results: Path) -> AreaStudy:
    return area_study(read_grids(results, RunStore(results).records()))


def with_pairs(pairs: dict[float, tuple[int, int]]) -> pd.DataFrame:
    """Scores of 20 good and 100 defective test images that give a wanted count of correct ones at each area."""
    columns = {}
    for area, (good, bad) in pairs.items():
        test = [0.2] * good + [0.8] * (20 - good) + [0.8] * bad + [0.2] * (100 - bad)
        columns[f"score_{area:g}"] = [0.5, 0.4, 0.3, *test]
    return pd.DataFrame(
        {
            "path": "x.png",
            "split": ["validation"] * 3 + ["test"] * 120,
            "defect_type": "",
            "defective": [False] * 23 + [True] * 100,
            **columns,
            "map_maximum": 0.9,
        }
    )


def test_a_pair_that_one_area_reaches(tmp_path: Path) -> None:
    store(tmp_path, with_pairs({1e-5: (20, 0), 1e-3: (20, 50), 5e-2: (14, 89)}))  # the paper's pair: 0.70, 0.89
    found = study(tmp_path)
    cell = found.cells.iloc[0]
    assert cell["reachable"] and cell["reachable_areas"] == "0.05" and cell["closest_area"] == 0.05
    assert cell["closest_distance"] == pytest.approx(0) and cell["seeds_that_reach"] == 1
    assert cell["declared_distance"] == pytest.approx(np.hypot(0.3, 0.39))
    assert cell["others"] == "ae_ssim anogan cnn_feature_dictionary variation_model"
    assert cell["others_reached"] == "ae_ssim anogan"  # 0.85, 0.90 at the last area; 0.95, 0.43 at the declared one
    assert "reach 2 of 4 pairs that the paper gives other methods" in overview(found, "mvtec_ad", "short").sentences[0]
    said = category_findings(found, "mvtec_ad", "short", "bottle")
    row = said.table.loc["ae_l2"]
    assert row["paper"] == "0.70 / 0.89" and row["within at"] == "5 %" and row["nearest area"] == "5 %: 0.70 / 0.89"
    assert said.sentences == ["One area for bottle: 5 % explains all methods; it explains 1 of 1 (ae_l2)."]


def test_a_pair_that_no_area_reaches(tmp_path: Path) -> None:
    store(tmp_path, with_pairs({1e-5: (20, 0), 1e-3: (20, 40), 5e-2: (20, 30)}))
    found = study(tmp_path)
    cell = found.cells.iloc[0]
    assert not cell["reachable"] and cell["reachable_areas"] == "" and cell["closest_area"] == 1e-3
    row = category_findings(found, "mvtec_ad", "short", "bottle").table.loc["ae_l2"]
    assert row["within at"] == "none (0 of 1 seeds)" and row["nearest area"] == "0.1 %: 1.00 / 0.40"
    assert "at some area: 0 of 1." in overview(found, "mvtec_ad", "short").sentences[0]


def test_one_area_for_all_methods_of_a_category(tmp_path: Path) -> None:
    """Each method reaches its pair somewhere; together they do only where both do so at the same area."""
    ae_l2, ae_ssim = (14, 89), (17, 90)  # Table 2, bottle: 0.70 and 0.89, 0.85 and 0.90
    miss = (0, 0)
    store(tmp_path, with_pairs({1e-5: ae_l2, 1e-3: miss, 5e-2: miss}))
    store(tmp_path, with_pairs({1e-5: miss, 1e-3: miss, 5e-2: ae_ssim}), method="ae_ssim")
    row = study(tmp_path).categories.iloc[0]
    assert row["methods"] == "ae_l2 ae_ssim" and not row["explained"]
    assert row["area"] == 0.05 and row["methods_that_reach"] == "ae_ssim"  # (0, 0) is closer to ae_l2's pair
    store(tmp_path, with_pairs({1e-5: miss, 1e-3: miss, 5e-2: ae_l2}))
    found = study(tmp_path)
    row = found.categories.iloc[0]
    assert row["explained"] and row["area"] == 0.05 and row["methods_that_reach"] == "ae_l2 ae_ssim"
    assert (
        "it explains 2 of 2 (ae_l2, ae_ssim)." in category_findings(found, "mvtec_ad", "short", "bottle").sentences[0]
    )


def test_ranks_against_the_definition(tmp_path: Path) -> None:
    methods = ("ae_l2", "ae_ssim", "anogan", "mine")
    for place, method in enumerate(methods):
        for category in ("bottle", "pill"):
            store(tmp_path, scores(place + 10 * (category == "pill")), method=method, category=category)
    found = study(tmp_path)
    means = found.curves[(found.curves["seed"] == MEAN) & (found.curves["estimator"] == MAXIMUM)]

    def balanced(area: float, categories: tuple[str, ...]) -> list[float]:
        here = means[(means["area"] == area) & means["category"].isin(categories)]
        return [here.loc[here["method"] == method, "balanced_accuracy"].mean().round(12) for method in methods]

    for category, parts in (("bottle", ("bottle",)), ("pill", ("pill",)), (ALL_CATEGORIES, ("bottle", "pill"))):
        ranks = found.ranks[found.ranks["category"] == category].set_index("area")
        assert list(ranks.index) == list(AREAS)
        for area in AREAS:
            now, declared = balanced(area, parts), balanced(1e-3, parts)
            assert ranks.loc[area, "kendall_tau"] == pytest.approx(kendalltau(declared, now).statistic)
            best = [method for method, value in zip(methods, now, strict=True) if value == max(now)]
            assert ranks.loc[area, "best"] == " ".join(best)
        assert ranks.loc[1e-3, "kendall_tau"] == pytest.approx(1) and ranks.loc[1e-3, "best_is_declared"]


def test_one_method_has_no_ranks_and_other_data_no_comparison(tmp_path: Path) -> None:
    store(tmp_path, scores(0), dataset="synthetic")
    found = study(tmp_path)
    assert found.ranks.empty and found.categories.empty
    assert found.cells["closest_area"].isna().all()
    assert "no values for these cells of synthetic" in overview(found, "synthetic", "short").sentences[0]
    assert list(category_findings(found, "synthetic", "short", "bottle").table.columns) == [
        "declared area, 0.1 %", "with half of the held-out images",
    ]  # fmt: skip


def test_what_no_threshold_exceeds(tmp_path: Path) -> None:
    """By trying every threshold: the most defects that are found while the paper's 0.70 of the good images pass."""
    seeds = range(8)
    for seed in seeds:
        store(tmp_path, scores(seed, good=13), seed=seed)
    cell = study(tmp_path).cells.iloc[0]
    tables = [scores(seed, good=13).query("split == 'test'") for seed in seeds]
    best = {}
    for area in AREAS:
        found = []
        for table in tables:
            score, bad = table[f"score_{area:g}"], table["defective"]
            limits = [limit for limit in [-1.0, *score] if (score[~bad] <= limit).sum() >= 10]  # of 13: 0.77
            found.append(max((score[bad] > limit).mean() for limit in limits))
        best[area] = np.mean(found)
    assert cell["any_threshold_anomalous"] == pytest.approx(max(best.values()))
    assert best[cell["any_threshold_area"]] == pytest.approx(max(best.values()))
    row = category_findings(study(tmp_path), "mvtec_ad", "short", "bottle").table.loc["ae_l2"]
    assert row["any threshold"] == f"{100 * cell['any_threshold_area']:.4g} %: 0.70 / {max(best.values()):.2f}"
