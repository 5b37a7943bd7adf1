"""The study's figures: inline SVG by the report's own axes."""

from collections.abc import Sequence
from html import escape

import pandas as pd

from benchmarks.report.svg import SvgAxes

COLOURS = ("#1b7fc4", "#d55e00", "#12946d", "#b8569a", "#8c6f14", "#7468d8")  # at least 3:1 on white and on near-black
INK, FAINT = "currentColor", "#8886"
AREA_TICKS = (0.001, 0.01, 0.1, 1, 10)  # % of the image
SHARES = (-0.03, 1.03)
Named = Sequence[tuple[str, pd.DataFrame]]


def colour(place: int) -> str:
    """Of the method in this place, in the figures and in their legend."""
    return COLOURS[place % len(COLOURS)]


def plane(curves: Named, label: str) -> str:
    """Good against defective over the areas, a line for each method; a diamond at the declared area, a cross for the paper."""
    axes = SvgAxes(INK, FAINT)
    for place, (_, curve) in enumerate(curves):
        x, y = curve["normal_accuracy"], curve["anomalous_accuracy"]
        at = curve["declared"].astype(bool)
        axes.plot(x, y, color=colour(place), linewidth=1)
        axes.plot(x, y, "o", color=colour(place), markersize=4)
        axes.plot(x[at], y[at], "D", color=colour(place), markersize=11)
        axes.plot(curve["paper_normal"][:1].dropna(), curve["paper_anomalous"][:1].dropna(), "x", color=colour(place))
    axes.set(xlim=SHARES, ylim=SHARES)
    return _labelled(axes, "good images that pass", "defective images found", label)


def balance(curves: Named, label: str) -> str:
    """Balanced accuracy over the area."""
    axes = SvgAxes(INK, FAINT)
    for place, (_, curve) in enumerate(curves):
        axes.plot(100 * curve["area"], curve["balanced_accuracy"], color=colour(place))
    for area in sorted({area for _, curve in curves for area in curve.loc[curve["declared"].astype(bool), "area"]}):
        axes.axvline(100 * area, linewidth=0.8, linestyle="dotted")
    axes.set(xscale="log", xticks=AREA_TICKS)
    return _labelled(axes, "minimum defect area, % of the image", "balanced accuracy", label)


def held_out(subsets: Named, label: str) -> str:
    """Expected accuracy over the number of held-out images: solid for good, dashed for defective ones."""
    axes = SvgAxes(INK, FAINT)
    for place, (_, fewer) in enumerate(subsets):
        axes.plot(fewer["images"], fewer["normal_expected"], color=colour(place))
        axes.plot(fewer["images"], fewer["anomalous_expected"], color=colour(place), linestyle="dashed")
    axes.locator_params("x", 6, integer=True)
    axes.set(ylim=SHARES)
    return _labelled(axes, "held-out images that the threshold is taken from", "expected accuracy", label)


def _labelled(axes: SvgAxes, x: str, y: str, label: str) -> str:
    """The figure with its axes' names; the label is what a screen reader says."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return axes.svg().replace(' aria-hidden="true" focusable="false"', f' role="img" aria-label="{escape(label)}"', 1)
