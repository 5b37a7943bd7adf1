"""The scores of the test images, and the thresholds between good and defective."""

import numpy as np
from numpy.typing import NDArray

from benchmarks.report.cells import Cell
from benchmarks.report.plots.plot import COLOURS, DEFECTIVE, GOOD, INK, LOG_FROM, Axes, Plot, logarithmic

BINS = 24


def _draw_histogram(axes: Axes, cell: Cell) -> None:
    """Good images above the line, defective ones below; solid where they lie on the wrong side of their seed's threshold."""
    pooled = [run.test_scores for run in cell.scored]
    limits = [run.result.deciding_threshold for run in cell.scored]
    scores, defective = (np.concatenate(part) for part in zip(*pooled, strict=True))
    limit = np.concatenate([np.full(len(part), value) for (part, _), value in zip(pooled, limits, strict=True)])
    edges = _edges(np.append(scores, limits), axes)
    wrong = (scores > limit) != defective
    highest = 0.0
    for side, sign, chosen in (("good", 1, ~defective), ("defective", -1, defective)):
        if not chosen.any():
            continue
        share = 1 / chosen.sum()
        below = np.histogram(scores[chosen & wrong], edges)[0] * share
        total = np.histogram(scores[chosen], edges)[0] * share
        axes.stairs(sign * total, edges, baseline=sign * below, fill=True, color=COLOURS[side], alpha=0.4)
        axes.stairs(sign * below, edges, fill=True, color=COLOURS[side])
        highest = max(highest, total.max())
    for value in limits:
        axes.axvline(value, color=INK, linewidth=1.2 if len(limits) == 1 else 0.7)
    axes.axhline(0, color=INK, linewidth=0.6)
    top = 1.2 * highest
    axes.set_ylim(-top, top)
    step = next(step for step in (0.05, 0.1, 0.2, 0.5) if 2 * step > highest or step == 0.5)
    axes.set_yticks([-step, 0, step], [f"{step:.0%}", "0", f"{step:.0%}"])
    axes.set_xlim(edges[0], edges[-1])
    axes.set_xlabel("score of the image")
    axes.set_ylabel("share of images")
    axes.text(0.99, 0.97, "good", color=GOOD, transform=axes.transAxes, ha="right", va="top")
    axes.text(0.99, 0.03, "defective", color=DEFECTIVE, transform=axes.transAxes, ha="right", va="bottom")
    axes.text(float(np.median(limits)), 1.02 * top, "threshold", ha="center", fontsize=8)


def _edges(values: NDArray[np.float64], axes: Axes) -> NDArray[np.float64]:
    """Edges of the bins; logarithmic where a few scores are far above the rest."""
    low, high = float(values.min()), float(values.max())
    if low > 0 and high > LOG_FROM * float(np.median(values)):
        logarithmic(axes, "x", low, high, "{:g}")
        return np.geomspace(low, high * 1.001, BINS + 1)
    axes.locator_params("x", nbins=4)
    margin = 1e-3 * (high - low) or 1e-3 * abs(high) or 1e-3
    return np.linspace(low - margin, high + margin, BINS + 1)


def _histogram_in_words(cell: Cell) -> str:
    limits = [run.result.deciding_threshold for run in cell.scored]
    pooled = f", pooled over {len(limits)} seeds" if len(limits) > 1 else ""
    lines = (
        f"threshold {limits[0]:.4g}"
        if len(limits) == 1
        else f"thresholds of the seeds, {min(limits):.4g} to {max(limits):.4g}"
    )
    wrong = " and ".join(
        f"{(1 - accuracy) * cell.total(side):.3g} of {cell.total(side)} {side}"
        for side in COLOURS
        if (accuracy := cell.accuracy(side)) is not None
    )
    mean = " on average" if len(limits) > 1 else ""
    return (
        f"Scores of the good (upwards) and defective (downwards) test images{pooled}. Vertical: {lines}. "
        f"Solid, on the wrong side: {wrong} images{mean}."
    )


def _has_scores(cell: Cell) -> bool:
    return bool(cell.scored)


PLOT = Plot("scores", "Scores and threshold", _draw_histogram, _histogram_in_words, _has_scores)
