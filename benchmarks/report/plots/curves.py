"""Curves over all thresholds: ROC, precision and recall, and per-region overlap."""

import numpy as np
from numpy.typing import NDArray

from benchmarks.protocol.image_metrics import precision_recall_points, roc_points
from benchmarks.protocol.pixel_metrics import PixelMetrics
from benchmarks.report.cells import Cell, Run
from benchmarks.report.plots.plot import DEFECTIVE, FAINT, GOOD, INK, Axes, Plot, joined, thin, unit


def _draw_roc(axes: Axes, cell: Cell) -> None:
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1)
    curves = [roc_points(*run.test_scores) for run in cell.scored]
    axes.plot(*joined(curves), color=INK, linewidth=thin(cell), clip_on=False)
    decisions = zip(*(_decision(run) for run in cell.scored), strict=True)
    axes.plot(*decisions, "o", color=DEFECTIVE, markersize=5, clip_on=False)
    good, defective_ = cell.published("good"), cell.published("defective")
    if good is not None and defective_ is not None:
        axes.plot(1 - good, defective_, "D", color=GOOD, fillstyle="none", markersize=6, clip_on=False)
    unit(axes, "x")
    unit(axes, "y")
    axes.set_xlabel("good images flagged (false alarms)")
    axes.set_ylabel("defective images found")


def _decision(run: Run) -> tuple[float, float]:
    """The run's point in the ROC plane."""
    good, defective = run.result.good, run.result.defective
    assert good is not None and defective is not None
    return 1 - good.ratio, defective.ratio


def _roc_in_words(cell: Cell) -> str:
    several, auroc_R = len(cell.scored) > 1, _of_runs(cell, "auroc")
    spread = f" ± {auroc_R.std():.3f} over the seeds (thin lines)" if several else ""
    good, defective = cell.accuracy("good"), cell.accuracy("defective")
    assert good is not None and defective is not None
    text = (
        f"ROC curve of the images. AUROC {auroc_R.mean():.3f}{spread}. {'Dots' if several else 'Dot'}: the threshold's "
        f"decision, {1 - good:.0%} of the good images flagged and {defective:.0%} of the defective ones found"
        f"{' on average' if several else ''}."
    )
    if cell.published("good") is not None:
        text += f" Diamond: the paper, {1 - (cell.published('good') or 0):.0%} and {cell.published('defective'):.0%}."
    return text


def _of_runs(cell: Cell, metric: str) -> NDArray[np.float64]:
    """A metric of the score that the curves are of: the one that decided."""
    found = [run.result.deciding_image for run in cell.runs]
    return np.array([getattr(image, metric) for image in found if image is not None])


def _draw_precision_recall(axes: Axes, cell: Cell) -> None:
    axes.axhline(_defective_share(cell), color=FAINT, linewidth=1)
    curves = [precision_recall_points(*run.test_scores) for run in cell.scored]
    axes.plot(*joined(curves), color=INK, linewidth=thin(cell), drawstyle="steps-post", clip_on=False)
    unit(axes, "x")
    unit(axes, "y")
    axes.set_xlabel("recall: defective images found")
    axes.set_ylabel("precision: flagged ones defective")


def _defective_share(cell: Cell) -> float:
    return cell.total("defective") / (cell.total("good") + cell.total("defective"))


def _precision_recall_in_words(cell: Cell) -> str:
    precision = _of_runs(cell, "average_precision").mean()
    return (
        f"Precision and recall of the defective images. Average precision {precision:.3f}; guessing would give "
        f"{_defective_share(cell):.3f}, the share of defective images (horizontal line)."
    )


def _draw_pro(axes: Axes, cell: Cell) -> None:
    limit = _pixel(cell.runs[0]).aupro_limit
    axes.fill_between((0, limit), 0, 1, color=FAINT, alpha=0.3, linewidth=0)
    tables = [run.pro_curve for run in _with_pro(cell) if run.pro_curve is not None]
    curves = [(table["false_positive_rate"], table["region_overlap"]) for table in tables]
    axes.plot(*joined(curves), color=INK, linewidth=thin(cell))
    unit(axes, "x")
    unit(axes, "y")
    axes.set_xlabel("false-positive rate of the pixels")
    axes.set_ylabel("mean overlap of the regions")


def _pro_in_words(cell: Cell) -> str:
    values = [_pixel(run).aupro for run in _with_pro(cell)]
    several = f" ± {np.std(values):.3f} over the seeds (thin lines)" if len(values) > 1 else ""
    return (
        f"Mean covered share of each true defect region over the false-positive rate of the pixels. AU-PRO {np.mean(values):.3f}"
        f"{several}, up to a rate of {_pixel(cell.runs[0]).aupro_limit:g} (shaded)."
    )


def _with_pro(cell: Cell) -> list[Run]:
    return [run for run in cell.runs if run.pro_curve is not None and run.result.pixel is not None]


def _pixel(run: Run) -> PixelMetrics:
    assert run.result.pixel is not None
    return run.result.pixel


def _has_both_sides(cell: Cell) -> bool:
    return bool(cell.scored) and all(run.result.deciding_image is not None for run in cell.scored)


def _has_pro(cell: Cell) -> bool:
    return bool(cell.runs) and len(_with_pro(cell)) == len(cell.runs)


ROC = Plot("roc", "ROC curve", _draw_roc, _roc_in_words, _has_both_sides)
PRECISION_RECALL = Plot(
    "precision_recall", "Precision and recall", _draw_precision_recall, _precision_recall_in_words, _has_both_sides
)
PRO = Plot("pro", "Per-region overlap", _draw_pro, _pro_in_words, _has_pro)
