"""What `choose` says follows from the scores: which method, how sure, and when none will do."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.choose.answer import Answer, Promise, answer
from benchmarks.choose.contenders import Contender, StandInResult
from benchmarks.choose.runner import promise_of
from tests.store.test_runs import RECORD, RESULT

PROMISE = Promise(alpha=0.05, asked=0.05, bound=0.1, held_out=60)


def contender(
    title: str, good: list[float], bad: list[float], drawn: list[float] | None = None, target: str = "methods.dfm.DFM"
) -> Contender:
    """A method with threshold 1 and these scores of good and bad test images, or of drawn defects.

    Args:
        target: its class.
    """
    table = pd.DataFrame(
        {
            "path": [f"{index}.png" for index in range(len(good) + len(bad))],
            "split": "test",
            "defect_type": ["good"] * len(good) + (["scratch", "hole"] * len(bad))[: len(bad)],
            "defective": np.arange(len(good) + len(bad)) >= len(good),
            "score_0.001": [*good, *bad],
        }
    )
    result = replace(RESULT, threshold=1.0, minimum_area=1e-3)
    stand_ins = tuple(StandInResult("spot", 0.1, 0.2, score > 1, score) for score in drawn or [])
    identity = RECORD.identity | {"config": {"method": {"model": {"_target_": target}}}}
    return Contender(title.lower(), title, replace(RECORD, result=result, identity=identity), Path(), table, stand_ins)


def said(*contenders: Contender, promise: Promise = PROMISE, stand_in: bool = False) -> tuple[Answer, str]:
    found = answer(contenders, promise, stand_in)
    return found, "\n".join(found.sentences)


def test_the_method_that_finds_more_is_named_with_the_runner_up() -> None:
    sharp, dull = contender("Sharp", [0.5] * 20, [2.0] * 30), contender("Dull", [0.5] * 20, [2.0] * 15 + [0.5] * 15)
    found, text = said(dull, sharp)
    assert found.best is sharp and found.equals == ()
    assert text.startswith("Use Sharp: it finds 30 of 30")
    assert "Runner-up: Dull, which decides 15 images worse and 0 better" in text
    assert "scratch 15 of 15" in text and "hole 15 of 15" in text


def test_methods_within_chance_are_not_told_apart() -> None:
    first, second = contender("First", [0.5] * 20, [2.0] * 30), contender("Second", [0.5] * 20, [2.0] * 28 + [0.5] * 2)
    found, text = said(first, second)
    assert found.equals == (second,) and "It cannot be told apart from Second: on 50 decided images" in text


def test_none_is_good_enough_where_most_defects_are_missed_or_the_promise_is_broken() -> None:
    found, text = said(contender("Blind", [0.5] * 20, [2.0] * 5 + [0.5] * 15))
    assert found.best is None and text.startswith("None is good enough: the best, Blind, finds only 5 of 20")
    found, text = said(contender("Nervous", [2.0] * 15 + [0.5] * 5, [2.0] * 20))
    assert found.best is None and "raises false alarms on 15 of 20" in text and "light, position and focus" in text


def test_the_first_that_is_good_enough_is_the_best_and_why_others_were_passed_over_is_said() -> None:
    nervous = contender("Nervous", [2.0] * 12 + [0.5] * 28, [2.0] * 40)
    calm = contender("Calm", [0.5] * 40, [2.0] * 27 + [0.5] * 13)
    found, text = said(calm, nervous)
    assert found.ranking == (nervous, calm) and found.best is calm and found.shown is calm
    assert text.startswith("Use Calm: it finds 27 of 40")
    assert "Passed over: Nervous, which raises false alarms on 12 of 40" in text
    assert "only method" not in text and "Measured on the good test images: 0 of 40" in text


def test_equals_are_named_behind_a_runner_up_that_is_none() -> None:
    good = [0.5] * 40
    first = contender("First", good, [2.0] * 30 + [0.5] * 10)
    second = contender("Second", good, [2.0] * 22 + [0.5] * 18)
    third = contender("Third", good, [2.0] * 11 + [0.5] * 19 + [2.0] * 10)
    found, text = said(first, second, third)
    assert found.ranking == (first, second, third) and found.equals == (third,)
    assert "It cannot be told apart from Third" in text and "Runner-up: Second" in text


def test_a_few_false_alarms_by_chance_break_no_promise() -> None:
    found, _ = said(contender("Fair", [2.0] * 2 + [0.5] * 18, [2.0] * 20))
    assert found.best is not None


def test_nothing_is_proven_of_a_method_that_uses_the_held_out_images_itself() -> None:
    good, bad = [0.5] * 20, [2.0] * 20
    _, text = said(contender("Fair", good, bad))
    assert "set for 5\u00a0% of new good parts; proven from 60 good images is at most 10\u00a0%. Measured" in text
    _, text = said(contender("Looker", good, bad, target="methods.stfpm.STFPM"))
    assert (
        "set for 5\u00a0% of new good parts; nothing is proven, as the method uses the held-out images itself." in text
    )
    assert "Measured on the good test images: 0 of 20" in text
    _, text = said(contender("Nervous", [2.0] * 15 + good[:5], bad, target="methods.stfpm.STFPM"))
    assert "raises false alarms on 15 of 20" in text and "promise" not in text and "proven from" not in text


def test_drawn_defects_are_called_a_stand_in() -> None:
    found, text = said(contender("Only", [0.5] * 10, [], [2.0] * 8 + [0.6] * 2), stand_in=True)
    assert found.best is not None and "8 of 10" in text and "drawn defects (a stand-in, not real ones)" in text


def test_of_drawn_defects_no_half_need_be_found_but_more_than_false_alarms_explain() -> None:
    found, text = said(contender("Third", [0.5] * 10, [], [2.0] * 16 + [0.6] * 32), stand_in=True)
    assert found.best is not None and "says little about real ones" in text
    found, text = said(contender("Hardly", [0.5] * 10, [], [2.0] * 5 + [0.6] * 43), stand_in=True)
    assert found.best is None and text.startswith("None is good enough: the best, Hardly, finds only 5 of 48")


def test_by_drawn_defects_the_auroc_ranks_and_tells_apart_not_the_share_that_is_found() -> None:
    good = [0.5] * 10
    fine = contender("Fine", good, [], [2.0] * 16 + [0.6] * 32)
    loud = contender("Loud", good, [], [2.0] * 24 + [0.3] * 24)
    found, text = said(loud, fine, stand_in=True)
    assert found.ranking == (fine, loud) and found.equals == ()
    assert (fine.auroc, loud.auroc) == (1, 0.5)
    assert "Runner-up: Loud, with an AUROC of 0.500 on drawn defects, not 1.000 (DeLong's test, p = " in text

    near = contender("Near", good, [], [2.0] * 47 + [0.3])
    found, text = said(near, fine, stand_in=True)
    assert found.ranking == (fine, near) and found.equals == (near,)
    assert "cannot be told apart from Near: on the scores of 48 drawn defects and 10 good test images" in text


@pytest.mark.parametrize(
    ("images", "alpha", "possible"), [(49, 0.02, 0.02), (48, 0.02, 1 / 49), (30, 0.02, 1 / 31), (200, 0.02, 0.02)]
)
def test_too_few_good_images_promise_less(images: int, alpha: float, possible: float) -> None:
    promise = promise_of(images, alpha)
    assert promise.alpha == pytest.approx(possible, abs=2e-6)
    assert promise.alpha * (images + 1) >= 1 and promise.bound >= promise.alpha


@pytest.mark.parametrize("images", [3, 4])
def test_there_are_no_more_folds_than_images(images: int) -> None:
    assert promise_of(images, 0.02).bound == promise_of(images, 0.02).alpha * 2, "each image is a fold"
