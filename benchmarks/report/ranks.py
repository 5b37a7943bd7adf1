"""Which methods are told apart: ranks over the categories by a paired bootstrap, the best of each category, and their picture."""

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmarks.config.overrides import of_categories
from benchmarks.protocol.ranks import DRAWS, Decided, Drawn, Ranking, best_alone, ranking
from benchmarks.report.cells import Cell
from benchmarks.report.layouts import in_order
from benchmarks.store import paper
from benchmarks.store.record import EXTERNAL, Record

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Cells = Mapping[tuple[str, str], Cell]
TITLE = (
    f"Ranks by balanced accuracy, mean over the categories. Intervals of 95 % from {DRAWS:,} draws of a paired bootstrap: images "
    "of each category, the same for all methods and seeds, then seeds. A bar joins methods that are not told apart"
)


@dataclass(frozen=True)
class Ranks:
    """What is said of one dataset at one budget."""

    methods: tuple[str, ...]
    """That have every category, the best first."""
    categories: tuple[str, ...]
    found: Ranking | None
    """None with fewer than two methods."""
    best: dict[str, str]
    """Of each category the method that is told apart from the second; no entry where none is."""
    missing: dict[str, list[str]]
    """Categories that other methods lack and could be run on."""
    commands: list[str]
    """What to run so that these are ranked, too."""

    def told_apart(self, first: int, second: int) -> bool:
        """Whether two places of `methods` share no clique."""
        assert self.found is not None
        return not any(low <= first <= high and low <= second <= high for low, high in self.found.cliques)


def ranks(cells: Cells, left_out: Collection[str] = (), not_applicable: Collection[tuple[str, str]] = ()) -> Ranks:
    """Ranks from the stored scores of all cells.

    Args:
        left_out: methods whose numbers mean nothing (random weights).
        not_applicable: (method, category) that are not run.
    """
    able = {key: cell for key, cell in cells.items() if cell.method not in left_out and _is_able(cell)}
    categories = in_order((category for _, category in able), list(paper.table2()["category"].unique()))
    methods = in_order((method for method, _ in able), paper.METHODS)
    here = {name: [method for method in methods if (method, name) in able] for name in categories}
    drawn = {name: _drawn([able[m, name] for m in here[name]], place) for place, name in enumerate(categories)}
    best = {}
    for name, one in drawn.items():
        if one is not None and (alone := best_alone(one)) is not None:
            best[name] = here[name][alone]
    whole = [method for method in methods if all(method in here[name] for name in categories)]
    missing = {
        m: [name for name in categories if m not in here[name] and (m, name) not in not_applicable]
        for m in methods
        if m not in whole
    }
    runs = {method: cell.runs[0].record for (method, _), cell in able.items()}
    commands = [
        _command(runs[method], lacking)
        for method, lacking in missing.items()
        if lacking and runs[method].budget != EXTERNAL  # whose maps another program made
    ]
    if len(whole) < 2 or any(one is None for one in drawn.values()):
        return Ranks(tuple(whole), tuple(categories), None, best, missing, commands)
    found = ranking([one.only([here[n].index(m) for m in whole]) for n, one in drawn.items() if one is not None])
    return Ranks(tuple(whole[place] for place in found.order), tuple(categories), found, best, missing, commands)


def _command(record: Record, categories: Sequence[str]) -> str:
    """To run a method on further categories as in a run of it."""
    benchmark = [text for text in record.overrides if text.startswith("benchmark=")]
    return shlex.join(["defectbench", "run", "-m", *benchmark, f"method={record.method}", of_categories(categories)])


def meaningless(rows: pd.DataFrame) -> set[str]:
    """Methods of a leaderboard whose numbers mean nothing: their pretrained weights are random."""
    return set(rows.loc[rows["weights"] == "random", "method"])


def table(found: Ranks) -> pd.DataFrame:
    """A row for each ranked method."""
    columns = ["method", "mean", "low", "high", "rank", "rank_low", "rank_high", "beats_next", "not_told_apart_from"]
    if found.found is None:
        return pd.DataFrame(columns=columns)
    r = found.found
    rows = [
        [method, r.mean_M[m], *r.interval_M2[m], m + 1, *r.rank_M2[m], r.beats_next_M[m], " ".join(_near(found, m))]
        for m, method in enumerate(found.methods)
    ]
    return pd.DataFrame(rows, columns=columns)


def _near(found: Ranks, place: int) -> list[str]:
    return [name for other, name in enumerate(found.methods) if other != place and not found.told_apart(place, other)]


def _is_able(cell: Cell) -> bool:
    return (
        bool(cell.scored)
        and len(cell.scored) == len(cell.runs)
        and cell.total("good") > 0
        and cell.total("defective") > 0
    )


def _drawn(cells: list[Cell], seed: int) -> Drawn | None:
    """Several methods on one category; None unless all were tested on the same images."""
    defective_N, *others = [run.test_scores[1] for cell in cells for run in cell.scored]
    if any(not np.array_equal(defective_N, other_N) for other_N in others):
        return None
    right_M = [np.array([run.right_N for run in cell.scored]) for cell in cells]
    return Drawn.of(Decided(right_M, defective_N), seed=seed)


# -- the picture ------------------------------------------------------------------------------------------------------------------

ROW, LEFT, RIGHT, TOP = 22, 190, 640, 26


def picture(found: Ranks) -> str:
    """Mean and interval of each method, the best on top; bars on the right join methods that are not told apart. SVG with words."""
    r = found.found
    assert r is not None
    low, high = float(r.interval_M2.min()), float(r.interval_M2.max())
    margin = 0.05 * (high - low) or 0.05
    low, high = max(0.0, low - margin), min(1.0, high + margin)

    def place(value: float) -> float:
        return LEFT + (value - low) / (high - low) * (RIGHT - LEFT)

    height = TOP + ROW * len(found.methods) + 30
    parts = []
    for tick in np.linspace(low, high, 5):
        x = place(float(tick))
        parts.append(f'<path d="M{x:.1f} {TOP - 8}V{height - 28}" stroke="var(--faint)"/>')
        parts.append(f'<text x="{x:.1f}" y="{height - 12}" text-anchor="middle">{tick:.2f}</text>')
    for m, method in enumerate(found.methods):
        y = TOP + ROW * m + ROW / 2
        a, b = (place(float(end)) for end in r.interval_M2[m])
        parts.append(
            f'<text x="{LEFT - 10}" y="{y + 4:.1f}" text-anchor="end">{m + 1}  {escape(paper.TITLES.get(method, method))}</text>'
        )
        parts.append(f'<path d="M{a:.1f} {y:.1f}H{b:.1f}" stroke="var(--good)" stroke-width="2"/>')
        parts.append(f'<circle cx="{place(float(r.mean_M[m])):.1f}" cy="{y:.1f}" r="4" fill="var(--good)"/>')
    for column, (first, last) in enumerate(r.cliques):
        x = RIGHT + 22 + 12 * column
        y1, y2 = TOP + ROW * first + 5, TOP + ROW * (last + 1) - 5
        parts.append(f'<path d="M{x} {y1}V{y2}" stroke="var(--ink)" stroke-width="4" stroke-linecap="round"/>')
    width = RIGHT + 34 + 12 * len(r.cliques)
    body = "\n".join(parts)
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(words(found), quote=True)}" font-size="12" '
        f'fill="var(--ink)" style="max-width:{width}px;width:100%;height:auto">\n{body}\n</svg>'
    )


def words(found: Ranks) -> str:
    """The ranking in a sentence."""
    r = found.found
    assert r is not None
    places = ", ".join(
        f"{name} {r.mean_M[m]:.3f} (rank {_range(r.rank_M2[m])})" for m, name in enumerate(found.methods)
    )
    return f"Mean balanced accuracy over {len(found.categories)} categories: {places}"


def _range(ends: np.ndarray) -> str:
    low, high = (f"{end:g}" for end in ends)
    return low if low == high else f"{low} to {high}"


def figure(found: Ranks) -> "Figure":
    """The picture for papers, in matplotlib."""
    from matplotlib.figure import Figure

    r = found.found
    assert r is not None
    height = 0.7 + 0.3 * len(found.methods)  # inches
    drawn = Figure(figsize=(6, height))
    axes = drawn.add_axes((0.3, 0.6 / height, 0.6, 1 - 0.7 / height))
    rows = np.arange(len(found.methods))
    spread = np.abs(r.interval_M2.T - r.mean_M)
    axes.errorbar(r.mean_M, rows, xerr=spread, fmt="o", color="#0072b2", capsize=0)
    for column, (first, last) in enumerate(r.cliques):
        x = 1.03 + min(0.03, 0.13 / len(r.cliques)) * column
        axes.plot(
            [x, x],
            [first - 0.25, last + 0.25],
            color="#24292f",
            linewidth=3,
            transform=axes.get_yaxis_transform(),
            clip_on=False,
        )
    axes.set_yticks(rows, [f"{m + 1}  {paper.TITLES.get(name, name)}" for m, name in enumerate(found.methods)])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.locator_params(axis="x", nbins=6)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(f"balanced accuracy, mean over {len(found.categories)} categories, 95 % interval")
    return drawn
