"""Axes that write SVG: the few methods of matplotlib's `Axes` that the plots use, at a hundredth of the time.

The same drawing functions take these for the page and matplotlib's for papers. Colours are taken as they are given.
"""

from collections.abc import Sequence
from html import escape
from math import floor, log10
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.report.svg_path import path, tenth

WIDTH, HEIGHT = 310.0, 209.0
LEFT, TOP, RIGHT, BOTTOM = 46.0, 15.0, 301.0, 173.0  # of the plotting area
DASHES = {"solid": "", "dashed": "6 3", "dotted": "1.5 2.5"}
AXES = object()
"""Stands for `axes.transAxes`: places as shares of the plotting area."""


class SvgAxes:
    """Collects what is drawn; `svg` writes it, once the limits are known."""

    transAxes = AXES  # matplotlib's name

    def __init__(self, ink: str, faint: str) -> None:
        self.ink, self.faint = ink, faint
        self._drawn: list[tuple[str, NDArray[np.float64], NDArray[np.float64], dict[str, Any]]] = []
        self._texts: list[tuple[float, float, str, dict[str, Any]]] = []
        self._limits: dict[str, tuple[float, float] | None] = {"x": None, "y": None}
        self._ticks: dict[str, tuple[Sequence[float], Sequence[str]] | None] = {"x": None, "y": None}
        self._count: dict[str, tuple[int, bool]] = {"x": (6, False), "y": (6, False)}
        self._log = {"x": False, "y": False}
        self._labels = {"x": "", "y": ""}

    # -- matplotlib's methods ---------------------------------------------------------------------------------------------------

    def plot(self, x: ArrayLike, y: ArrayLike, mark: str = "", **style: Any) -> None:
        x_N, y_N = np.atleast_1d(np.asarray(x, float)), np.atleast_1d(np.asarray(y, float))
        if style.pop("drawstyle", "") == "steps-post":
            x_N, y_N = np.repeat(x_N, 2)[1:], np.repeat(y_N, 2)[:-1]
        self._drawn.append(("marks" if mark else "line", x_N, y_N, {**style, "mark": mark}))

    def stairs(
        self, values: NDArray[np.float64], edges: NDArray[np.float64], baseline: ArrayLike = 0, **style: Any
    ) -> None:
        low = np.broadcast_to(np.asarray(baseline, float), values.shape)
        x = np.concatenate([np.repeat(edges, 2)[1:-1], np.repeat(edges, 2)[1:-1][::-1]])
        self._drawn.append(("area", x, np.concatenate([np.repeat(values, 2), np.repeat(low, 2)[::-1]]), style))

    def fill_between(self, x: Sequence[float], low: float, high: float, **style: Any) -> None:
        self._drawn.append(("area", np.array([x[0], x[1], x[1], x[0]]), np.array([low, low, high, high]), style))

    def axvline(self, x: float, **style: Any) -> None:
        self._drawn.append(("vertical", np.array([x, x]), np.zeros(2), style))

    def axhline(self, y: float, **style: Any) -> None:
        self._drawn.append(("horizontal", np.zeros(2), np.array([y, y]), style))

    def text(self, x: float, y: float, words: str, **style: Any) -> None:
        self._texts.append((float(x), float(y), words, style))

    def set_xlim(self, low: float, high: float) -> None:
        self._limits["x"] = (float(low), float(high))

    def set_ylim(self, low: float, high: float) -> None:
        self._limits["y"] = (float(low), float(high))

    def set_yticks(self, ticks: Sequence[float], labels: Sequence[str]) -> None:
        self._ticks["y"] = (ticks, labels)

    def set_xlabel(self, words: str) -> None:
        self._labels["x"] = words

    def set_ylabel(self, words: str) -> None:
        self._labels["y"] = words

    def locator_params(self, axis: str, nbins: int, integer: bool = False) -> None:
        self._count[axis] = (nbins, integer)

    def minorticks_off(self) -> None:
        """There are none."""

    def set(self, **settings: Any) -> None:
        for axis in ("x", "y"):
            if f"{axis}lim" in settings:
                self._limits[axis] = settings[f"{axis}lim"]
            if f"{axis}ticks" in settings:
                ticks = settings[f"{axis}ticks"]
                self._ticks[axis] = (ticks, settings.get(f"{axis}ticklabels") or [f"{tick:g}" for tick in ticks])
            self._log[axis] |= settings.get(f"{axis}scale") == "log"

    # -- SVG --------------------------------------------------------------------------------------------------------------------

    def svg(self) -> str:
        """An inline element without ids and without a fixed size; what most of its texts share, it says once."""
        for axis in ("x", "y"):
            self._limits[axis] = self._limits[axis] or self._fitting(axis)
        parts = [*self._axis("x"), *self._axis("y"), *map(self._shape, self._drawn), *map(self._text, self._texts)]
        body = "\n".join(part for part in parts if part)
        more = f'aria-hidden="true" focusable="false" font-size="9" fill="{self.ink}" text-anchor="middle"'
        return f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" {more}>\n{body}\n</svg>'

    def _fitting(self, axis: str) -> tuple[float, float]:
        """Around all that was drawn, with a margin of 5 %."""
        place = 1 if axis == "x" else 2
        skipped = "horizontal" if axis == "x" else "vertical"
        values = np.concatenate([item[place] for item in self._drawn if item[0] != skipped] or [np.array([0.0, 1.0])])
        values = values[np.isfinite(values)]
        low, high = float(values.min()), float(values.max())
        if self._log[axis]:
            margin = (high / low) ** 0.05 if high > low else 1.1
            return low / margin, high * margin
        margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
        return low - margin, high + margin

    def _to_page(self, axis: str, values: ArrayLike) -> NDArray[np.float64]:
        limits = self._limits[axis]
        assert limits is not None
        values_N, ends = np.asarray(values, float), np.array(limits)
        if self._log[axis]:
            values_N, ends = np.log10(values_N), np.log10(ends)
        share = (values_N - ends[0]) / (ends[1] - ends[0])
        placed: NDArray[np.float64] = LEFT + share * (RIGHT - LEFT) if axis == "x" else BOTTOM - share * (BOTTOM - TOP)
        return placed

    def _axis(self, axis: str) -> list[str]:
        """Grid lines with their labels, and the axis' own."""
        limits = self._limits[axis]
        assert limits is not None
        ticks, labels = self._ticks[axis] or nice_ticks(*limits, *self._count[axis])
        inside = [(t, words) for t, words in zip(ticks, labels, strict=True) if limits[0] <= t <= limits[1]]
        places = self._to_page(axis, [tick for tick, _ in inside]).tolist()
        lines = [
            f"M{tenth(p)} {TOP:g}V{BOTTOM:g}" if axis == "x" else f"M{LEFT:g} {tenth(p)}H{RIGHT:g}" for p in places
        ]
        grid = f'<path d="{"".join(lines)}" stroke="{self.faint}" stroke-width=".5"/>' if lines else ""
        marks = list(zip(places, (words for _, words in inside), strict=True))
        if axis == "x":
            names = [self._words(place, BOTTOM + 12, words) for place, words in marks]
            return [grid, *names, self._words((LEFT + RIGHT) / 2, HEIGHT - 6, self._labels["x"])]
        names = [self._words(LEFT - 4, place + 3, words, anchor="end") for place, words in marks]
        middle = (TOP + BOTTOM) / 2
        return [
            grid,
            *names,
            self._words(10, middle, self._labels["y"], more=f' transform="rotate(-90 10 {middle:g})"'),
        ]

    def _shape(self, item: tuple[str, NDArray[np.float64], NDArray[np.float64], dict[str, Any]]) -> str:
        kind, x, y, style = item
        colour = style.get("color") or self.ink
        if kind == "marks":
            return self._marks(x, y, colour, style)
        if kind == "vertical":
            drawn = f"M{tenth(float(self._to_page('x', x[0])))} {TOP:g}V{BOTTOM:g}"
        elif kind == "horizontal":
            drawn = f"M{LEFT:g} {tenth(float(self._to_page('y', y[0])))}H{RIGHT:g}"
        else:
            drawn = path(self._to_page("x", x), self._to_page("y", y), closed=kind == "area")
        alpha = f' opacity="{style["alpha"]}"' if "alpha" in style else ""
        if kind == "area":
            return f'<path d="{drawn}" fill="{colour}"{alpha}/>'
        dash = DASHES[style.get("linestyle", "solid")]
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        return f'<path d="{drawn}" fill="none" stroke="{colour}" stroke-width="{style.get("linewidth", 1.6)}"{dashed}{alpha}/>'

    def _marks(self, x: NDArray[np.float64], y: NDArray[np.float64], colour: str, style: dict[str, Any]) -> str:
        """Dots (`o`), open diamonds (`D`) or crosses (`x`)."""
        size = style.get("markersize", 6) / 2
        places = [(tenth(px), tenth(py)) for px, py in zip(self._to_page("x", x), self._to_page("y", y), strict=True)]
        if style["mark"] == "o":
            return "".join(f'<circle cx="{px}" cy="{py}" r="{size:g}" fill="{colour}"/>' for px, py in places)
        shape = {
            "D": f"m{-size:g} 0l{size:g} {-size:g} {size:g} {size:g} {-size:g} {size:g}z",
            "x": f"m{-size:g} {-size:g}l{2 * size:g} {2 * size:g}m0 {-2 * size:g}l{-2 * size:g} {2 * size:g}",
        }[style["mark"]]
        paths = "".join(f"M{px} {py}{shape}" for px, py in places)
        return f'<path d="{paths}" fill="none" stroke="{colour}"/>'

    def _text(self, item: tuple[float, float, str, dict[str, Any]]) -> str:
        x, y, words, style = item
        if style.get("transform") is AXES:
            px, py = LEFT + x * (RIGHT - LEFT), BOTTOM - y * (BOTTOM - TOP)
        else:
            px, py = float(self._to_page("x", x)), float(self._to_page("y", y))
        size = style.get("fontsize", 9)
        py += {"top": 0.8 * size, "center": 0.35 * size, "bottom": -0.2 * size}.get(style.get("va", ""), 0)
        anchor = {"right": "end", "center": "middle"}.get(style.get("ha", ""), "start")
        more = f' font-size="{size:g}"' if size != 9 else ""
        return self._words(px, py, words, style.get("color"), anchor, more)

    def _words(
        self, x: float, y: float, words: str, colour: str | None = None, anchor: str = "middle", more: str = ""
    ) -> str:
        if not words:
            return ""
        fill = f' fill="{colour}"' if colour and colour != self.ink else ""
        anchored = f' text-anchor="{anchor}"' if anchor != "middle" else ""
        return f'<text x="{tenth(x)}" y="{tenth(y)}"{fill}{anchored}{more}>{escape(words)}</text>'


def nice_ticks(low: float, high: float, count: int, integer: bool = False) -> tuple[list[float], list[str]]:
    """Up to `count` + 1 round numbers between two ends, steps of 1, 2 or 5 times a power of ten, and how they are written."""
    span = high - low
    power = 10.0 ** floor(log10(span / count))
    step = next(part * power for part in (1, 2, 5, 10) if span / (part * power) <= count)
    if integer:
        step = max(1.0, step)
    first = int(np.ceil(low / step - 1e-9))
    ticks = [place * step for place in range(first, floor(high / step + 1e-9) + 1)]
    digits = max(0, -floor(log10(step)))
    large = max(abs(low), abs(high)) >= 1e5 or digits > 5
    return ticks, [f"{tick:g}" if large else f"{tick:.{digits}f}" for tick in ticks]
