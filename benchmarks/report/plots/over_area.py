"""Both accuracies over the minimum defect area, and whether any area gives the paper's."""

import numpy as np

from benchmarks.protocol.intervals import wilson
from benchmarks.report.cells import Cell
from benchmarks.report.plots.plot import COLOURS, INK, LINES, Axes, Plot, apart, joined, logarithmic, unit
from benchmarks.store import paper
from benchmarks.store.record import OWN


def _draw_over_area(axes: Axes, cell: Cell) -> None:
    mean = cell.over_area
    for side in mean.accuracy_A if len(cell.scored) > 1 else ():
        seeds = joined((mean.area_A, run.over_area.accuracy_A[side]) for run in cell.scored)
        axes.plot(*seeds, color=COLOURS[side], linestyle=LINES[side], linewidth=0.6, alpha=0.6)
    first, last = float(mean.area_A[0]), float(mean.area_A[-1])
    logarithmic(axes, "x", first, last, "{:g} %", 100)
    ends = apart([float(accuracy_A[-1]) for accuracy_A in mean.accuracy_A.values()])
    for (side, accuracy_A), end in zip(mean.accuracy_A.items(), ends, strict=True):
        axes.plot(mean.area_A, accuracy_A, color=COLOURS[side], linestyle=LINES[side])
        axes.text(last * 1.15, end, side, color=COLOURS[side], va="center")
        published = cell.published(side)
        if published is not None:
            axes.axhline(published, color=COLOURS[side], linestyle="dotted", linewidth=1)
            axes.text(first, published, "paper", color=COLOURS[side], va="bottom", fontsize=7)
    area = cell.scored[0].result.minimum_area
    if area is not None and not _own_score_decides(cell):
        axes.axvline(area, color=INK, linewidth=0.8)
        axes.text(area, 1.02, "used here", ha="center", fontsize=8)
    axes.set_xlim(first, last * 6)
    unit(axes, "y")
    axes.set_xlabel("minimum defect area, share of the image")
    axes.set_ylabel("classified correctly")


def _over_area_in_words(cell: Cell) -> str:
    mean = cell.over_area
    runs = f"mean of {len(cell.scored)} seeds thick, each seed thin; " if len(cell.scored) > 1 else ""
    ranges = " and ".join(
        f"{side} images from {part[0]:.2f} to {part[-1]:.2f}" for side, part in mean.accuracy_A.items()
    )
    text = (
        f"Accuracy over the minimum defect area, the threshold found anew for each area ({runs}defective dashed). "
        f"From {_percent(mean.area_A[0])} to {_percent(mean.area_A[-1])} of the image: {ranges}."
    )
    if _own_score_decides(cell):
        return f"{text} By the maps alone: here the method's own image score classified, for which no area matters."
    return f"{text} {_reachability(cell)}".strip()


def _own_score_decides(cell: Cell) -> bool:
    return cell.scored[0].result.decided_by == OWN


def _reachability(cell: Cell) -> str:
    """Whether any area of the grid gives the paper's pair, within the 95 % intervals of our counts."""
    mean = cell.over_area
    published = {side: value for side in mean.accuracy_A if (value := cell.published(side)) is not None}
    if len(published) < 2:
        return ""
    pair = f"The paper's pair, {published['good']:.2f} and {published['defective']:.2f} (dotted),"
    near_A = [
        all(_is_near(cell, side, float(mean.accuracy_A[side][place]), published[side]) for side in published)
        for place in range(len(mean.area_A))
    ]
    reached = mean.area_A[near_A]
    if len(reached):
        where = _percent(reached[0]) + (f" to {_percent(reached[-1])}" if len(reached) > 1 else "")
        return f"{pair} lies within our 95 % intervals at {where}."
    nearest = int(np.argmin(sum((mean.accuracy_A[side] - published[side]) ** 2 for side in published)))
    good, defective = (mean.accuracy_A[side][nearest] for side in ("good", "defective"))
    return (
        f"{pair} lies within our 95 % intervals at no area; nearest at {_percent(mean.area_A[nearest])}, with {good:.2f} and "
        f"{defective:.2f}."
    )


def _percent(share: float) -> str:
    return f"{100 * share:g} %"


def _is_near(cell: Cell, side: str, ours: float, published: float) -> bool:
    total = cell.total(side)
    low, high = wilson(round(ours * total), total)
    return paper.lies_within(published, low, high)


def _has_areas(cell: Cell) -> bool:
    return bool(cell.scored) and all(run.has_areas for run in cell.scored)


PLOT = Plot("over_area", "Accuracy over the minimum area", _draw_over_area, _over_area_in_words, _has_areas)
