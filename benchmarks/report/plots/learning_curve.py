"""What a training was worth on its way, from one run: `score_at_epochs`."""

import numpy as np

from benchmarks.report.cells import Cell, Run
from benchmarks.report.plots.plot import DEFECTIVE, GOOD, INK, Axes, Plot, apart, joined, logarithmic, thin, unit

LINES = {
    "good": (GOOD, "solid", ("good", "ratio")),
    "defective": (DEFECTIVE, "dashed", ("defective", "ratio")),
    "image AUROC": (INK, "solid", ("deciding_image", "auroc")),
    "pixel AUROC": (INK, "dotted", ("pixel", "auroc")),
}
"""Colour, line, and where a result has the value."""
MOST_TICKS = 8


def _draw(axes: Axes, cell: Cell) -> None:
    runs = _scored(cell)
    epochs = sorted({epoch for run in runs for epoch in run.learning_curve})
    first, last = epochs[0], epochs[-1]
    logarithmic(axes, "x", first, last, "{:g}")
    if len(epochs) <= MOST_TICKS:
        axes.set(xticks=epochs, xticklabels=list(map(str, epochs)))
    names = _names(runs[0])
    ends = apart([_values(runs[0], name)[-1] for name in names])
    for name, end in zip(names, ends, strict=True):
        colour, line, _ = LINES[name]
        seeds = joined((np.array(list(run.learning_curve), float), np.array(_values(run, name))) for run in runs)
        axes.plot(*seeds, color=colour, linestyle=line, linewidth=thin(cell))
        axes.text(last * (last / first) ** 0.02, end, name, color=colour, va="center", fontsize=8)
    axes.set_xlim(first, last * (last / first) ** 0.4)
    unit(axes, "y")
    axes.set_xlabel("epoch")


def _scored(cell: Cell) -> list[Run]:
    """Each seed that was scored on its way."""
    return [run for run in cell.runs if len(run.learning_curve) > 1]


def _names(run: Run) -> list[str]:
    """The curves that the test images give."""
    return [name for name in LINES if np.isfinite(_values(run, name)).all()]


def _values(run: Run, name: str) -> list[float]:
    part, what = LINES[name][2]
    return [getattr(getattr(result, part), what, np.nan) for result in run.learning_curve.values()]


def _in_words(cell: Cell) -> str:
    runs = _scored(cell)
    epochs = list(runs[0].learning_curve)
    seeds = f", {len(runs)} seeds (thin lines); the first one: " if len(runs) > 1 else ": "
    courses = "; ".join(f"{name} {', '.join(f'{v:.3f}' for v in _values(runs[0], name))}" for name in _names(runs[0]))
    return (
        f"Share of good and of defective images classified correctly, and AUROC, after {', '.join(map(str, epochs))} epochs"
        f"{seeds}{courses}. The threshold is found anew each time. Tables hold the last epoch, whichever is the best."
    )


PLOT = Plot("learning_curve", "Learning curve", _draw, _in_words, lambda cell: bool(_scored(cell)))
