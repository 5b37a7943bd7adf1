"""The study's figures as inline SVG: text stays text and takes the page's colour, and equal numbers give equal bytes."""

import io
import re
from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

INK = "#010203"  # replaced by the page's text colour
COLOURS = ("#1b7fc4", "#d55e00", "#12946d", "#b8569a", "#8c6f14", "#7468d8")  # at least 3:1 on white and on near-black
MARKERS = ("o", "s", "^", "D", "v", "P")
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "defectbench",
    "font.size": 10,
    "font.family": "sans-serif",
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.grid": True,
    "grid.color": "#888888",
    "grid.alpha": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 9,
}
SIZE = (4.6, 3.7)  # inches; a phone shows it at full width
Named = Sequence[tuple[str, pd.DataFrame]]


def plane(curves: Named, label: str) -> str:
    """Good against defective over the areas, a line for each method; a ring at the declared area, a cross for the paper."""

    def draw(axes: Axes) -> None:
        for (name, curve), look in zip(curves, _looks(len(curves)), strict=True):
            x, y = curve["normal_accuracy"], curve["anomalous_accuracy"]
            axes.plot(x, y, label=name, markersize=4, linewidth=1, **look)
            at = curve["declared"].astype(bool)
            axes.plot(x[at], y[at], "o", markersize=11, fillstyle="none", color=look["color"])
            axes.plot(curve["paper_normal"][:1], curve["paper_anomalous"][:1], "x", markersize=10, color=look["color"])
        axes.set(
            xlabel="good images that pass", ylabel="defective images found", xlim=(-0.03, 1.03), ylim=(-0.03, 1.03)
        )

    return _svg(draw, label)


def balance(curves: Named, label: str) -> str:
    """Balanced accuracy over the area."""

    def draw(axes: Axes) -> None:
        for (name, curve), look in zip(curves, _looks(len(curves)), strict=True):
            axes.plot(100 * curve["area"], curve["balanced_accuracy"], label=name, markersize=4, linewidth=1, **look)
        for area in sorted({area for _, curve in curves for area in curve.loc[curve["declared"].astype(bool), "area"]}):
            axes.axvline(100 * area, color=INK, linewidth=0.8, linestyle=":")
        axes.set(xscale="log", xlabel="minimum defect area, % of the image", ylabel="balanced accuracy")
        axes.xaxis.set_major_formatter("{x:g}")

    return _svg(draw, label)


def held_out(subsets: Named, label: str) -> str:
    """Expected accuracy over the number of held-out images: solid for good, dashed for defective ones."""

    def draw(axes: Axes) -> None:
        for (name, fewer), look in zip(subsets, _looks(len(subsets)), strict=True):
            every = max(1, len(fewer) // 8)
            axes.plot(fewer["images"], fewer["normal_expected"], label=name, markersize=4, markevery=every, **look)
            axes.plot(fewer["images"], fewer["anomalous_expected"], "--", markersize=4, markevery=every, **look)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(
            xlabel="held-out images that the threshold is taken from", ylabel="expected accuracy", ylim=(-0.03, 1.03)
        )

    return _svg(draw, label)


def _looks(count: int) -> list[dict[str, Any]]:
    return [{"color": COLOURS[i % len(COLOURS)], "marker": MARKERS[i % len(MARKERS)]} for i in range(count)]


def _svg(draw: Any, label: str) -> str:
    """Draw on one pair of axes with a legend below; the label is what a screen reader says."""
    with rc_context(STYLE):
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.subplots()
        draw(axes)
        figure.legend(loc="outside lower center", ncols=2)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _inline(buffer.getvalue(), label)


def _inline(svg: str, label: str) -> str:
    """Only the svg element, without fixed size, foreign metadata and ids that several figures would share."""
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    svg = re.sub(r' id="([^"]+)"', lambda found: found[0] if found[1] in used else "", svg)
    opening, rest = svg.split(">", 1)
    opening = re.sub(r' (width|height|version|xmlns(:xlink)?)="[^"]*"', "", opening)
    escaped = label.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    rest = rest.replace("xlink:href", "href").replace(INK, "currentColor")
    return f'{opening} role="img" aria-label="{escaped}">{rest}'.strip()
