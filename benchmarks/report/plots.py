"""The plots of one cell, for the page (SVG) and for papers (PNG and PDF, by matplotlib): each a drawing and the same in words."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.common.files import replacing
from benchmarks.protocol.image_metrics import precision_recall_points, roc_points
from benchmarks.protocol.intervals import wilson
from benchmarks.protocol.pixel_metrics import PixelMetrics
from benchmarks.report.cells import Cell, Run
from benchmarks.report.svg import SvgAxes
from benchmarks.store import paper

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Axes = Any
"""matplotlib's or `SvgAxes`."""

# Okabe and Ito's blue and vermilion: told apart with any colour vision. The page exchanges these for its own, light or dark.
GOOD, DEFECTIVE, INK, FAINT = "#0072b2", "#d55e00", "#24292f", "#c9ced6"
COLOURS = {"good": GOOD, "defective": DEFECTIVE}
LINES = {"good": "solid", "defective": "dashed"}
CSS_VARIABLES = {GOOD: "var(--good)", DEFECTIVE: "var(--defective)", INK: "var(--ink)", FAINT: "var(--faint)"}
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 9,
    "grid.color": FAINT,
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.6,
    "lines.solid_joinstyle": "miter",
    "text.color": INK,
    "xtick.bottom": False,  # grid lines mark the ticks
    "ytick.left": False,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "pdf.fonttype": 42,  # embedded as TrueType, which journals ask for
    "savefig.dpi": 300,
}
SIZE = (4.3, 2.9)  # inches
BINS = 24
LOG_FROM = 8  # ratio of the largest to the usual value from which an axis is logarithmic


@dataclass(frozen=True)
class Plot:
    """A kind of plot: its name in files, its title, how it is drawn, and what it says in words."""

    name: str
    title: str
    draw: Callable[[Axes, Cell], None]
    words: Callable[[Cell], str]
    is_possible: Callable[[Cell], bool]

    def svg(self, cell: Cell) -> str:
        """As an inline element in the page's colours."""
        axes = SvgAxes(INK, FAINT)
        self.draw(axes, cell)
        text = axes.svg()
        for colour, variable in CSS_VARIABLES.items():
            text = text.replace(colour, variable)
        return text

    def figure(self, cell: Cell) -> "Figure":
        """As a figure for papers, in the style that is in force (`style`)."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=SIZE)
        axes = figure.add_axes((0.15, 0.17, 0.82, 0.76))
        self.draw(axes, cell)
        return figure


def style() -> Any:
    """A context in which figures for papers are drawn and written."""
    import matplotlib  # a second to import

    return matplotlib.rc_context(STYLE)


def write_paper_figures(figure: "Figure", stem: Path) -> list[Path]:
    """PNG and PDF, without dates."""
    paths = []
    for suffix, metadata in ((".png", {"Software": None}), (".pdf", {"CreationDate": None})):
        path = stem.with_name(stem.name + suffix)
        with replacing(path) as temporary:
            figure.savefig(temporary, format=suffix[1:], metadata=metadata)
        paths.append(path)
    return paths


# Histogram of scores


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
        _logarithmic(axes, "x", low, high, "{:g}")
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


# Both accuracies over the minimum defect area


def _draw_over_area(axes: Axes, cell: Cell) -> None:
    mean = cell.over_area
    for side in mean.accuracy_A if len(cell.scored) > 1 else ():
        seeds = _joined((mean.area_A, run.over_area.accuracy_A[side]) for run in cell.scored)
        axes.plot(*seeds, color=COLOURS[side], linestyle=LINES[side], linewidth=0.6, alpha=0.6)
    first, last = float(mean.area_A[0]), float(mean.area_A[-1])
    _logarithmic(axes, "x", first, last, "{:g} %", 100)
    ends = _apart([float(accuracy_A[-1]) for accuracy_A in mean.accuracy_A.values()])
    for (side, accuracy_A), end in zip(mean.accuracy_A.items(), ends, strict=True):
        axes.plot(mean.area_A, accuracy_A, color=COLOURS[side], linestyle=LINES[side])
        axes.text(last * 1.15, end, side, color=COLOURS[side], va="center")
        published = cell.published(side)
        if published is not None:
            axes.axhline(published, color=COLOURS[side], linestyle="dotted", linewidth=1)
            axes.text(first, published, "paper", color=COLOURS[side], va="bottom", fontsize=7)
    area = cell.scored[0].result.minimum_area
    if area is not None:
        axes.axvline(area, color=INK, linewidth=0.8)
        axes.text(area, 1.02, "used here", ha="center", fontsize=8)
    axes.set_xlim(first, last * 6)
    _unit(axes, "y")
    axes.set_xlabel("minimum defect area, share of the image")
    axes.set_ylabel("classified correctly")


def _apart(places: Sequence[float], gap: float = 0.09) -> list[float]:
    """Heights of one or two labels, moved so that they do not overlap."""
    if len(places) < 2 or abs(places[0] - places[1]) >= gap:
        return list(places)
    middle = min(max(sum(places) / 2, gap / 2), 1 - gap / 2)
    sign = 1 if places[0] >= places[1] else -1
    return [middle + sign * gap / 2, middle - sign * gap / 2]


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
    return f"{text} {_reachability(cell)}".strip()


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


# ROC and precision-recall curves


def _draw_roc(axes: Axes, cell: Cell) -> None:
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1)
    curves = [roc_points(*run.test_scores) for run in cell.scored]
    axes.plot(*_joined(curves), color=INK, linewidth=_thin(cell), clip_on=False)
    decisions = zip(*(_decision(run) for run in cell.scored), strict=True)
    axes.plot(*decisions, "o", color=DEFECTIVE, markersize=5, clip_on=False)
    good, defective_ = cell.published("good"), cell.published("defective")
    if good is not None and defective_ is not None:
        axes.plot(1 - good, defective_, "D", color=GOOD, fillstyle="none", markersize=6, clip_on=False)
    _unit(axes, "x")
    _unit(axes, "y")
    axes.set_xlabel("good images flagged (false alarms)")
    axes.set_ylabel("defective images found")


def _decision(run: Run) -> tuple[float, float]:
    """The run's point in the ROC plane."""
    good, defective = run.result.good, run.result.defective
    assert good is not None and defective is not None
    return 1 - good.ratio, defective.ratio


def _roc_in_words(cell: Cell) -> str:
    assert cell.row is not None
    several = len(cell.scored) > 1
    spread = f" ± {cell.row['image_auroc_std']:.3f} over the seeds (thin lines)" if several else ""
    good, defective = cell.accuracy("good"), cell.accuracy("defective")
    assert good is not None and defective is not None
    text = (
        f"ROC curve of the images. AUROC {cell.row['image_auroc']:.3f}{spread}. {'Dots' if several else 'Dot'}: the threshold's "
        f"decision, {1 - good:.0%} of the good images flagged and {defective:.0%} of the defective ones found"
        f"{' on average' if several else ''}."
    )
    if cell.published("good") is not None:
        text += f" Diamond: the paper, {1 - (cell.published('good') or 0):.0%} and {cell.published('defective'):.0%}."
    return text


def _draw_precision_recall(axes: Axes, cell: Cell) -> None:
    axes.axhline(_defective_share(cell), color=FAINT, linewidth=1)
    curves = [precision_recall_points(*run.test_scores) for run in cell.scored]
    axes.plot(*_joined(curves), color=INK, linewidth=_thin(cell), drawstyle="steps-post", clip_on=False)
    _unit(axes, "x")
    _unit(axes, "y")
    axes.set_xlabel("recall: defective images found")
    axes.set_ylabel("precision: flagged ones defective")


def _defective_share(cell: Cell) -> float:
    return cell.total("defective") / (cell.total("good") + cell.total("defective"))


def _precision_recall_in_words(cell: Cell) -> str:
    assert cell.row is not None
    return (
        f"Precision and recall of the defective images. Average precision {cell.row['image_average_precision']:.3f}; guessing "
        f"would give {_defective_share(cell):.3f}, the share of defective images (horizontal line)."
    )


# Per-region overlap


def _draw_pro(axes: Axes, cell: Cell) -> None:
    limit = _pixel(cell.runs[0]).aupro_limit
    axes.fill_between((0, limit), 0, 1, color=FAINT, alpha=0.3, linewidth=0)
    tables = [run.pro_curve for run in _with_pro(cell) if run.pro_curve is not None]
    curves = [(table["false_positive_rate"].to_numpy(), table["region_overlap"].to_numpy()) for table in tables]
    axes.plot(*_joined(curves), color=INK, linewidth=_thin(cell))
    _unit(axes, "x")
    _unit(axes, "y")
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


# Losses


def _draw_losses(axes: Axes, cell: Cell) -> None:
    tables = _losses(cell)
    values = np.concatenate([table.to_numpy(float).ravel() for table in tables])
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if low > 0 and high > LOG_FROM * low:
        _logarithmic(axes, "y", low, high, "{:g}")
    else:
        axes.locator_params("y", nbins=3)
    for linestyle, name in zip(cycle(("solid", "dashed", "dotted")), tables[0]):
        seeds = _joined((table.index.to_numpy(float) + 1, table[name].to_numpy(float)) for table in tables)
        axes.plot(*seeds, color=INK, linestyle=linestyle, linewidth=_thin(cell))
    epochs = len(tables[0])
    for name, value in tables[0].iloc[-1].items():
        axes.text(1.02 * epochs, float(value), str(name), va="center", fontsize=8)
    axes.set_xlim(0, 1.25 * epochs)
    axes.locator_params("x", nbins=4, integer=True)
    axes.set_xlabel("epoch")
    axes.set_ylabel("mean training loss of the epoch")


def _losses(cell: Cell) -> list[pd.DataFrame]:
    """Of each seed that has more than one epoch."""
    return [run.losses for run in cell.runs if run.losses is not None and len(run.losses) > 1]


def _losses_in_words(cell: Cell) -> str:
    tables = _losses(cell)
    courses = "; ".join(f"{name} {part.iloc[0]:.3g} to {part.iloc[-1]:.3g}" for name, part in tables[0].items())
    seeds = f", {len(tables)} seeds; the first one: " if len(tables) > 1 else ": "
    return f"Training losses over {len(tables[0])} epochs{seeds}{courses}."


def _joined(curves: Iterable[Sequence[NDArray[np.float64]]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Curves (x, y) as a single line with gaps: a line for each seed would take most of the drawing's time."""
    x, y = zip(*curves, strict=True)
    return np.concatenate([np.append(part, np.nan) for part in x]), np.concatenate(
        [np.append(part, np.nan) for part in y]
    )


def _thin(cell: Cell) -> float:
    return 1.6 if len(cell.runs) == 1 else 0.8


def _unit(axes: Axes, axis: str) -> None:
    """An axis from 0 to 1 with few ticks: they are most of a plot's bytes and time."""
    axes.set(**{f"{axis}lim": (0, 1), f"{axis}ticks": (0, 0.5, 1)})


def _logarithmic(axes: Axes, axis: str, low: float, high: float, form: str, factor: float = 1) -> None:
    """A logarithmic axis, labelled at powers of ten, or at 1, 2 and 5 where they are few; `factor` turns shares into per cent."""
    ticks = [part * 10.0**power for power in range(-12, 13) for part in (1, 2, 5)]
    ticks = [tick for tick in ticks if low <= tick <= high]
    powers = [tick for tick in ticks if f"{tick:e}".startswith("1.0")]
    ticks = powers[:: 1 + len(powers) // 6] if len(powers) > 1 else ticks
    axes.set(**{f"{axis}scale": "log"})
    axes.minorticks_off()
    axes.set(**{f"{axis}ticks": ticks, f"{axis}ticklabels": [form.format(factor * tick) for tick in ticks]})


def _has_scores(cell: Cell) -> bool:
    return bool(cell.scored)


def _has_areas(cell: Cell) -> bool:
    return bool(cell.scored) and all(run.has_areas for run in cell.scored)


def _has_both_sides(cell: Cell) -> bool:
    return bool(cell.scored) and all(run.result.image is not None for run in cell.scored)


def _has_pro(cell: Cell) -> bool:
    return bool(cell.runs) and len(_with_pro(cell)) == len(cell.runs)


def _has_losses(cell: Cell) -> bool:
    return bool(_losses(cell))


PLOTS = (
    Plot("scores", "Scores and threshold", _draw_histogram, _histogram_in_words, _has_scores),
    Plot("over_area", "Accuracy over the minimum area", _draw_over_area, _over_area_in_words, _has_areas),
    Plot("roc", "ROC curve", _draw_roc, _roc_in_words, _has_both_sides),
    Plot(
        "precision_recall", "Precision and recall", _draw_precision_recall, _precision_recall_in_words, _has_both_sides
    ),
    Plot("pro", "Per-region overlap", _draw_pro, _pro_in_words, _has_pro),
    Plot("losses", "Training", _draw_losses, _losses_in_words, _has_losses),
)
