"""The published numbers (`results/paper`): Tables 1 to 3 of Bergmann et al., MVTec AD, CVPR 2019."""

from functools import cache

import pandas as pd

from benchmarks.common.project import project_file
from benchmarks.common.table1 import table1
from benchmarks.store.columns import rows_of

FOLDER = project_file("results", "paper")
MVTEC_AD = "mvtec_ad"
TITLES = {
    "ae_ssim": "AE (SSIM)",
    "ae_l2": "AE (L2)",
    "anogan": "AnoGAN",
    "cnn_feature_dictionary": "CNN Feature Dictionary",
    "texture_inspection": "Texture Inspection",
    "variation_model": "Variation Model",
}
"""Our names of the methods of Tables 2 and 3, and the paper's headings; in the paper's order."""
METHODS = tuple(TITLES)


@cache
def table2() -> pd.DataFrame:
    """Columns category, method, normal_accuracy, anomalous_accuracy; categories in the paper's order."""
    return pd.read_csv(FOLDER / "table2_classification.csv")


@cache
def table3() -> pd.DataFrame:
    """Columns category, method, per_region_overlap, pixel_roc_auc."""
    return pd.read_csv(FOLDER / "table3_segmentation.csv")


@cache
def values() -> dict[tuple[str, str], dict[str, float]]:
    """The paper's numbers of each (method, category) under the leaderboard's names; a dash in the paper has no entry."""
    both = table2().merge(table3(), on=["method", "category"])
    names = {"per_region_overlap": "region_overlap", "pixel_roc_auc": "pixel_auroc"}
    found = rows_of(both.rename(columns=names))
    return {(row.pop("method"), row.pop("category")): row for row in found}


def lies_within(value: float, low: float, high: float) -> bool:
    """Whether a value of the paper, which prints two digits, lies in an interval."""
    return low - 0.005 <= value <= high + 0.005


@cache
def image_counts() -> dict[str, tuple[int, int]]:
    """Good and defective test images of each category, by Table 1."""
    return {category: (facts.test_good, facts.test_defective) for category, facts in table1().items()}
