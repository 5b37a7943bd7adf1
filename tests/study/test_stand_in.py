"""What the study of drawn defects says of runs, against numbers counted by hand."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.study.stand_in import RUN_COLUMNS, _category_row, in_short, mean_with_interval


def runs(category: str, real: list[float], drawn: list[float]) -> pd.DataFrame:
    rows = [
        ("d", category, "short", 0, f"m{number}", one, other, 0.5, 0.5, 10, 48)
        for number, (one, other) in enumerate(zip(real, drawn, strict=True))
    ]
    return pd.DataFrame(rows, columns=RUN_COLUMNS)


def test_order_pick_and_loss() -> None:
    row = _category_row(runs("a", real=[0.9, 0.8, 0.7, 0.6], drawn=[0.8, 0.9, 0.7, 0.6]))
    assert row["rank_correlation"] == pytest.approx(1 - 6 * 2 / (4 * 15))  # two neighbours swapped
    assert (row["picked"], row["picked_auroc"], row["best"], row["best_auroc"]) == ("m1", 0.8, "m0", 0.9)


def test_methods_that_are_all_alike_have_no_correlation() -> None:
    categories = pd.DataFrame(
        [_category_row(runs("a", [1, 1, 1], [0.9, 0.8, 0.7])), _category_row(runs("b", [3, 2, 1], [1, 2, 3]))]
    )
    assert np.isnan(categories["rank_correlation"][0]) and categories["rank_correlation"][1] == -1
    text = in_short(categories)
    assert "-1.00 on the mean of 1 categories" in text and "best on real ones in 1 of 2" in text


def test_the_interval_is_over_categories() -> None:
    mean, low, high = mean_with_interval(np.array([1.0, 0.0]))
    assert (mean, low, high) == (0.5, 0.0, 1.0)
