"""The published numbers (`results/paper`): Table 2 of Bergmann et al., MVTec AD, CVPR 2019."""

import pandas as pd

from benchmarks.store.identity import PROJECT

TABLE2 = PROJECT / "results" / "paper" / "table2_classification.csv"
MVTEC_AD = "mvtec_ad"
METHODS = ("ae_ssim", "ae_l2", "anogan", "cnn_feature_dictionary", "texture_inspection", "variation_model")
"""The columns of Table 2, in the paper's order."""


def table2() -> pd.DataFrame:
    """Columns category, method, normal_accuracy, anomalous_accuracy; categories in the paper's order."""
    return pd.read_csv(TABLE2)
