"""What the figures of both classics share."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmarks.data.index import GOOD

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NORMAL, UNSEEN, THRESHOLD = "tab:blue", "tab:red", "black"
BINS = 60
DPI = 130


def figure(width: float, height: float) -> "Figure":
    """An empty figure, sizes in inches. Nothing is shown on a screen."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def save(drawn: "Figure", path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn.savefig(path, dpi=DPI)


def error_histogram(axis: "Axes", scores: pd.DataFrame, threshold: float, normal: str, logarithmic: bool) -> None:
    """Scores of normal and anomalous test samples as densities, with the threshold; a logarithmic axis for long tails."""
    test = scores[scores["split"] == "test"]
    low, high = test["score"].min(), test["score"].max()
    if logarithmic and low > 0:
        bins = np.geomspace(low, high * 1.001, BINS)
        axis.set_xscale("log")
    else:
        bins = np.linspace(low, high, BINS)
    kinds = sorted({str(kind) for kind in test["defect_type"]} - {GOOD})
    anomalous = kinds[0] if len(kinds) == 1 else "anomalies"
    for defective, label, colour in ((False, normal, NORMAL), (True, anomalous, UNSEEN)):
        part = test.loc[test["defective"] == defective, "score"]
        if len(part):
            weights = np.full(len(part), 1 / len(part))
            axis.hist(part, bins.tolist(), weights=weights, alpha=0.6, color=colour, label=f"{label} ({len(part)})")
    axis.axvline(threshold, color=THRESHOLD, ls="--", label="threshold")
    axis.set(xlabel="anomaly score", ylabel="share of the samples", title="Scores of test samples")
    axis.legend()
