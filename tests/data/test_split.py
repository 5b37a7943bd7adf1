"""The held-out images: drawn by the seed, disjoint from the others, and present."""

import pytest

from benchmarks.common.errors import UserError
from benchmarks.common.seeding import stream_seed
from benchmarks.data.split import draw, split


def test_ten_percent_of_bottle_are_held_out() -> None:
    fit_part, held_out = split(range(209), 0.1, seed=0)
    assert (len(fit_part), len(held_out)) == (188, 21)
    assert sorted(fit_part + held_out) == list(range(209))


def test_the_seed_decides() -> None:
    assert split(range(50), 0.2, seed=1) == split(range(50), 0.2, seed=1)
    assert split(range(50), 0.2, seed=1) != split(range(50), 0.2, seed=2)


@pytest.mark.parametrize(("images", "share"), [(4, 0.1), (1, 0.5), (10, 1.0), (10, 0.0)])
def test_neither_part_may_be_empty(images: int, share: float) -> None:
    with pytest.raises(UserError, match=r"both need at least one.*validation|validation_share"):
        split(range(images), share, seed=0)


def test_drawing_a_few_keeps_order_and_all_is_all() -> None:
    few = draw(list(range(100)), 30, seed=0)
    assert len(set(few)) == 30 and few == sorted(few)
    assert draw([3, 1, 2], None, seed=0) == draw([3, 1, 2], 5, seed=0) == [3, 1, 2]


def test_streams_differ_by_name_and_seed() -> None:
    seeds = {stream_seed(seed, name) for seed in range(5) for name in ("split", "augmentation", "order", "method")}
    assert len(seeds) == 20
