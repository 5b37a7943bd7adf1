"""Paths of the page's plots are short and go where the points are."""

import re

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.report.svg import SvgAxes
from benchmarks.report.svg_path import path


def places(text: str) -> list[list[tuple[float, float]]]:
    """The corners of each line of a path, as a browser would go to them."""
    lines: list[list[tuple[float, float]]] = []
    for command, numbers in re.findall(r"([MLHV])([^MLHVz]*)", text):
        values = [float(number) for number in numbers.split()]
        if command == "M":
            lines.append([(values[0], values[1])])
        else:
            x, y = lines[-1][-1]
            across = values[0] if command in "LH" else x
            lines[-1].append((across, values[-1] if command in "LV" else y))
    return lines


def distance(point: NDArray[np.float64], line: list[tuple[float, float]]) -> float:
    corners = np.array(line)
    starts, steps = corners[:-1], np.diff(corners, axis=0)
    lengths = (steps**2).sum(axis=1)
    along = np.clip(((point - starts) * steps).sum(axis=1) / np.where(lengths > 0, lengths, 1), 0, 1)
    nearest = np.concatenate([starts + along[:, None] * steps, corners])
    return float(np.sqrt(((nearest - point) ** 2).sum(axis=1)).min())


@pytest.mark.parametrize("seed", range(4))
def test_every_point_of_steps_and_of_slopes_lies_on_thepath(seed: int) -> None:
    rng = np.random.default_rng(seed)
    turns = rng.normal(size=(300, 2)).cumsum(axis=0)
    turns[np.arange(300), rng.integers(0, 2, 300)] = 0  # steps; some go back on themselves
    steps = 100 + turns.cumsum(axis=0) / 10
    slopes = 100 + rng.normal(size=(20, 2)).cumsum(axis=0)
    gap = np.full((1, 2), np.nan)
    x, y = np.concatenate([gap, steps, gap, gap, slopes, gap]).T
    text = path(x, y, closed=False)
    drawn = places(text)
    assert len(drawn) == 2 and "nan" not in text
    for line, points in zip(drawn, (steps, slopes), strict=True):
        assert max(distance(point, line) for point in points) < 0.08  # rounded to a tenth
        assert {tuple(np.round(end, 1)) for end in points[[0, -1]]} == {tuple(line[0]), tuple(line[-1])}


def test_what_lies_on_the_way_is_left_out() -> None:
    x, y = np.array([0, 1, 2, 2, 2, 5, 3, 3]), np.array([0, 0, 0, 1, 4, 6, 6, 6.01])
    assert path(x, y, closed=True) == "M0 0H2V4L5 6H3z"


def test_an_area_a_line_and_a_text_are_drawn_in_their_colours() -> None:
    axes = SvgAxes("#111111", "#222222")
    axes.fill_between((0, 1), 0, 1, color="#333333", alpha=0.3)
    axes.plot([0, 1], [0, 1], linestyle="dashed")
    axes.text(0.5, 0.5, "a < b", color="#444444", ha="right")
    text = axes.svg()
    assert 'fill="#333333" opacity="0.3"' in text and 'stroke="#111111"' in text and 'stroke-dasharray="6 3"' in text
    assert 'fill="#444444" text-anchor="end">a &lt; b</text>' in text
