"""The greedy k-centre coreset against brute force, and the uniform sample of a stream."""

import pytest
import torch
from torch import Tensor

from methods.blocks.coreset import Reservoir, greedy_k_centre, random_projection


def by_brute_force(points_ND: Tensor, first: int, count: int) -> list[int]:
    """From all distances of all pairs, in float64."""
    distances_NN = torch.cdist(points_ND.double(), points_ND.double(), compute_mode="donot_use_mm_for_euclid_dist")
    chosen = [first]
    while len(chosen) < count:
        chosen.append(int(distances_NN[chosen].amin(dim=0).argmax()))
    return chosen


@pytest.mark.parametrize("offset", [0.0, 100.0])  # far from the origin, squared distances have few digits left
def test_coreset_is_that_of_brute_force(offset: float) -> None:
    torch.manual_seed(0)
    points_ND = torch.randn(200, 16) + offset
    chosen = greedy_k_centre(points_ND.clone(), 50).tolist()
    assert chosen == by_brute_force(points_ND, chosen[0], 50)


def test_every_point_is_chosen_once_even_among_duplicates() -> None:
    points_ND = torch.randn(20, 4).repeat(3, 1)
    assert sorted(greedy_k_centre(points_ND, 60).tolist()) == list(range(60))


def test_memory_does_not_grow_with_the_square_of_the_points() -> None:
    """All distances of 300,000 points would take 335 GiB."""
    assert len(greedy_k_centre(torch.randn(300_000, 2), 5).unique()) == 5


def test_the_projection_keeps_distances_in_the_mean() -> None:
    torch.manual_seed(0)
    points_ND = torch.randn(300, 384)
    before_N, after_N = (
        torch.nn.functional.pdist(points) for points in (points_ND, points_ND @ random_projection(384, 128))
    )
    ratio_N = after_N.square() / before_N.square()
    assert ratio_N.mean().item() == pytest.approx(1, abs=0.05)
    assert ratio_N.std().item() == pytest.approx((2 / 128) ** 0.5, rel=0.2)


def test_a_reservoir_with_room_keeps_everything_in_order_and_draws_nothing() -> None:
    rows_ND = torch.arange(14.0).view(7, 2)
    state = torch.get_rng_state()
    reservoir = Reservoir(9, rows_ND)
    for part in rows_ND.split(3):
        reservoir.add(part)
    assert torch.equal(reservoir.rows_ND, rows_ND) and reservoir.seen == 7
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("batch", [3, 40])
def test_a_full_reservoir_is_a_uniform_sample_of_all_rows(batch: int) -> None:
    torch.manual_seed(1)
    rows_ND, rounds, capacity = torch.arange(40.0)[:, None], 400, 10
    kept = torch.zeros(40)
    for _ in range(rounds):
        reservoir = Reservoir(capacity, rows_ND)
        for part in rows_ND.split(batch):
            reservoir.add(part)
        found = reservoir.rows_ND[:, 0].long()
        assert reservoir.seen == 40 and len(found.unique()) == capacity
        kept[found] += 1
    share = capacity / 40
    deviations = (kept / rounds - share) / (share * (1 - share) / rounds) ** 0.5
    assert deviations.abs().max() < 4  # standard errors
