"""Nearest neighbours against all distances in float64."""

import torch

from methods.blocks.neighbours import distances_to_nearest, nearest


def test_distances_are_exact_also_where_they_are_small_beside_the_values() -> None:
    torch.manual_seed(0)
    points_MK = 30 + torch.randn(200, 32)
    queries_NK = points_MK[:50] + 1e-3 * torch.randn(50, 32)
    expected_NM = torch.cdist(queries_NK.double(), points_MK.double(), compute_mode="donot_use_mm_for_euclid_dist")
    torch.testing.assert_close(
        distances_to_nearest(queries_NK, points_MK, 3), expected_NM.sort(dim=1).values[:, :3].float(), rtol=1e-3, atol=0
    )
    assert nearest(queries_NK, points_MK, 1)[:, 0].tolist() == list(range(50))
