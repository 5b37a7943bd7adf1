"""The page's first sentence: the best method, what cannot be told apart from it, or that none is usable."""

from dataclasses import replace

import numpy as np
import pandas as pd

from benchmarks.protocol.ranks import Decided, Drawn, ranking
from benchmarks.report.answer import answer
from benchmarks.report.ranks import Ranks

INTERVALS = {0.5: (0.3, 0.69), 0.6: (0.4, 0.8), 0.9: (0.7, 0.97), 1.0: (0.84, 1.0)}


def leaderboard(*cells: tuple[str, str, float, float]) -> pd.DataFrame:
    """Rows of (category, method, good, defective)."""
    rows = []
    for category, method, good, defective in cells:
        row = {"category": category, "method": method, "source": "", "balanced_accuracy": (good + defective) / 2}
        for side, share in (("normal", good), ("anomalous", defective)):
            row |= {f"{side}_accuracy": share, f"{side}_low": INTERVALS[share][0], f"{side}_high": INTERVALS[share][1]}
        rows.append(row)
    return pd.DataFrame(rows)


def test_the_best_its_false_alarms_and_its_rivals() -> None:
    text = answer(leaderboard(("cap", "a", 0.9, 0.9), ("cap", "b", 1.0, 0.9), ("cap", "c", 0.9, 0.5)))
    assert text == (
        "cap: best is b, which finds 0.90 [0.70, 0.97] of the defective images at a false-alarm rate of 0.00 [0.00, 0.16]. "
        "Its intervals overlap with those of a."
    )


def test_none_is_usable() -> None:
    assert answer(leaderboard(("cap", "a", 0.5, 0.6))).startswith("None is usable here")
    many = [(name, "a", 0.5, 0.5) for name in ("cap", "nut", "pin")]
    assert "any of 3 categories" in answer(leaderboard(*many))


def test_many_categories_are_counted() -> None:
    text = answer(
        leaderboard(("cap", "a", 0.9, 0.9), ("nut", "b", 1.0, 1.0), ("pin", "b", 1.0, 0.9), ("rod", "a", 0.5, 0.5))
    )
    assert text.startswith("In 3 of 4 categories") and text.endswith(
        "Best: b in 2 (false-alarm rate 0.00), a in 1 (false-alarm rate 0.10)."
    )


def test_published_numbers_alone_are_no_answer() -> None:
    assert answer(leaderboard(("cap", "a", 1.0, 1.0)).assign(source="a paper")) == ""


def test_many_categories_are_answered_by_the_ranks() -> None:
    """Means over the categories, and the methods of the first one's clique."""
    cells = [(name, method, good, 0.9) for name in ("cap", "nut", "pin") for method, good in (("a", 0.5), ("b", 0.9))]
    apart, joined = (np.tile([share, 1.0], 50) > 0.6 for share in (0.5, 0.7))
    categories = [Decided([apart[None], joined[None]], np.tile([False, True], 50)) for _ in range(3)]
    found = ranking([Drawn.of(category, draws=100) for category in categories])
    ranked = Ranks(("b", "a"), ("cap", "nut", "pin"), found, {}, {}, [])
    text = answer(leaderboard(*cells), ranked)
    assert text.startswith(
        "Best over 3 categories is b, which finds 0.90 of the defective images at a false-alarm rate of 0.10. 3 of 3"
    )
    equal = replace(ranked, found=replace(found, cliques=((0, 1),)))
    assert "0.10. Not told apart from it: a. 3 of 3" in answer(leaderboard(*cells), equal)
