"""Errors and decisions of a method on a table's rows: histogram, precision against recall, confusion counts."""

from pathlib import Path

import pandas as pd

from benchmarks.classics.plots import THRESHOLD, UNSEEN, error_histogram, figure, save
from benchmarks.data.samples import SampleData
from benchmarks.protocol.image_metrics import image_metrics
from methods.contract import SampleMethod


def draw(method: SampleMethod, data: SampleData, scores: pd.DataFrame, threshold: float, folder: Path) -> None:
    """Write `errors.png` and, if there are anomalous test rows, `precision_recall.png`."""
    drawn = figure(width=7, height=4)
    axis = drawn.subplots()
    error_histogram(axis, scores, threshold, normal="normal rows", logarithmic=True)
    save(drawn, folder / "errors.png")
    if data.samples.anomalous.any():
        _draw_precision_recall(scores[scores["split"] == "test"], threshold, folder / "precision_recall.png")


def _draw_precision_recall(test: pd.DataFrame, threshold: float, path: Path) -> None:
    from sklearn.metrics import confusion_matrix, precision_recall_curve

    metrics = image_metrics(test["score"].to_numpy(), test["defective"].to_numpy())
    precision, recall, _ = precision_recall_curve(test["defective"], test["score"])
    counts = confusion_matrix(test["defective"], test["score"] > threshold, labels=[False, True])
    ((passed, alarms), (missed, found)) = counts
    drawn = figure(width=10, height=4.2)
    curve, matrix = drawn.subplots(1, 2)
    curve.step(recall, precision, where="post", color=UNSEEN)
    if found + alarms:
        curve.plot(found / (found + missed), found / (found + alarms), "o", color=THRESHOLD, label="at the threshold")
    curve.axhline(test["defective"].mean(), color="0.6", ls=":", label="share of anomalies")
    title = "Precision against recall" if metrics is None else (
        f"Average precision {metrics.average_precision:.3f}, ROC AUC {metrics.auroc:.3f}"
    )  # fmt: skip
    curve.set(xlabel="recall", ylabel="precision", xlim=(0, 1.01), ylim=(0, 1.03), title=title)
    curve.legend(loc="lower left")
    matrix.imshow(counts / counts.sum(axis=1, keepdims=True).clip(1), cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in {(0, 0): passed, (0, 1): alarms, (1, 0): missed, (1, 1): found}.items():
        share = count / max(counts[row].sum(), 1)
        colour = "white" if share > 0.5 else "black"
        matrix.text(column, row, f"{count}\n{share:.1%}", ha="center", va="center", color=colour, fontsize=12)
    matrix.set_xticks([0, 1], ["passed", "alarm"])
    matrix.set_yticks([0, 1], ["normal", "anomalous"])
    matrix.set_title("Test rows at the threshold")
    save(drawn, path)
