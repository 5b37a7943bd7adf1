"""What a plot is: a drawing of one cell, for the page (SVG) and for papers (matplotlib), and the same in words."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.report.cells import Cell
from benchmarks.report.svg import SvgAxes

Axes = Any
"""matplotlib's or `SvgAxes`."""

# Okabe and Ito's blue and vermilion: told apart with any colour vision. The page exchanges these for its own, light or dark.
GOOD, DEFECTIVE, INK, FAINT = "#0072b2", "#d55e00", "#24292f", "#c9ced6"
COLOURS = {"good": GOOD, "defective": DEFECTIVE}
LINES = {"good": "solid", "defective": "dashed"}
CSS_VARIABLES = {GOOD: "var(--good)", DEFECTIVE: "var(--defective)", INK: "var(--ink)", FAINT: "var(--faint)"}
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


def joined(curves: Iterable[Sequence[NDArray[np.float64]]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Curves (x, y) as a single line with gaps: a line for each seed would take most of the drawing's time."""
    x, y = zip(*curves, strict=True)
    return np.concatenate([np.append(part, np.nan) for part in x]), np.concatenate(
        [np.append(part, np.nan) for part in y]
    )


def apart(heights: Sequence[float], gap: float = 0.09) -> list[float]:
    """Heights of labels on an axis from 0 to 1, moved so that they do not overlap."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    moved = list(heights)
    for below, above in pairwise(order):
        moved[above] = max(moved[above], moved[below] + gap)
    for left, place in enumerate(reversed(order)):
        moved[place] = min(moved[place], 1 - left * gap)
    return moved


def thin(cell: Cell) -> float:
    return 1.6 if len(cell.runs) == 1 else 0.8


def unit(axes: Axes, axis: str) -> None:
    """An axis from 0 to 1 with few ticks: they are most of a plot's bytes and time."""
    axes.set(**{f"{axis}lim": (0, 1), f"{axis}ticks": (0, 0.5, 1)})


def logarithmic(axes: Axes, axis: str, low: float, high: float, form: str, factor: float = 1) -> None:
    """A logarithmic axis, labelled at powers of ten, or at 1, 2 and 5 where they are few; `factor` turns shares into per cent."""
    ticks = [part * 10.0**power for power in range(-12, 13) for part in (1, 2, 5)]
    ticks = [tick for tick in ticks if low <= tick <= high]
    powers = [tick for tick in ticks if f"{tick:e}".startswith("1.0")]
    ticks = powers[:: 1 + len(powers) // 6] if len(powers) > 1 else ticks
    axes.set(**{f"{axis}scale": "log"})
    axes.minorticks_off()
    axes.set(**{f"{axis}ticks": ticks, f"{axis}ticklabels": [form.format(factor * tick) for tick in ticks]})
