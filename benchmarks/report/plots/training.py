"""The losses of a training over its epochs."""

from itertools import cycle

import numpy as np
from numpy.typing import NDArray

from benchmarks.report.cells import Cell
from benchmarks.report.losses import Losses
from benchmarks.report.plots.plot import INK, LOG_FROM, Axes, Plot, joined, logarithmic, thin


def _draw_losses(axes: Axes, cell: Cell) -> None:
    runs = _losses(cell)
    values = np.concatenate([value_E for losses in runs for value_E in losses.of.values()])
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if low > 0 and high > LOG_FROM * low:
        logarithmic(axes, "y", low, high, "{:g}")
    else:
        axes.locator_params("y", nbins=3)
    epochs = len(runs[0])
    for linestyle, (name, value_E) in zip(cycle(("solid", "dashed", "dotted")), runs[0].of.items()):
        seeds = joined((losses.epoch_E + 1, losses.of[name]) for losses in runs if name in losses.of)
        axes.plot(*seeds, color=INK, linestyle=linestyle, linewidth=thin(cell))
        axes.text(1.02 * epochs, _known(value_E)[-1], name, va="center", fontsize=8)
    axes.set_xlim(0, 1.25 * epochs)
    axes.locator_params("x", nbins=4, integer=True)
    axes.set_xlabel("epoch")
    axes.set_ylabel("mean training loss of the epoch")


def _losses(cell: Cell) -> list[Losses]:
    """Of each seed that has more than one epoch."""
    return [run.losses for run in cell.runs if run.losses is not None and len(run.losses) > 1]


def _known(value_E: NDArray[np.float64]) -> list[float]:
    known: list[float] = value_E[np.isfinite(value_E)].tolist()
    return known


def _losses_in_words(cell: Cell) -> str:
    runs = _losses(cell)
    courses = "; ".join(
        f"{name} {known[0]:.3g} to {known[-1]:.3g}"
        for name, known in ((name, _known(value_E)) for name, value_E in runs[0].of.items())
    )
    seeds = f", {len(runs)} seeds; the first one: " if len(runs) > 1 else ": "
    return f"Training losses over {len(runs[0])} epochs{seeds}{courses}."


def _has_losses(cell: Cell) -> bool:
    return bool(_losses(cell))


PLOT = Plot("losses", "Training", _draw_losses, _losses_in_words, _has_losses)
