"""The inner parts of today's methods: coreset, nearest neighbours, a Gaussian at each position."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.distance import mahalanobis
from torch import Tensor

from benchmarks.speed.harness import Alternative, Setting, Stage, largest_difference
from methods.blocks.coreset import greedy_k_centre
from methods.blocks.neighbours import distances_to_nearest
from methods.padim import whitening


def coreset(setting: Setting) -> Iterator[Stage]:
    """PatchCore's coreset: 1 % of the patches of 60 images, in 128 dimensions; compared by the radius that it covers."""
    points_ND = _random(setting, setting.size(60_000, 600), 128)
    count = len(points_ND) // 100

    def ours() -> Tensor:
        torch.manual_seed(0)
        return greedy_k_centre(points_ND.clone(), count)

    def reference() -> Tensor:
        torch.manual_seed(0)
        chosen = [int(torch.randint(len(points_ND), ()))]
        to_nearest_N = torch.full((len(points_ND),), torch.inf, device=points_ND.device)
        while len(chosen) < count:
            to_newest_N = torch.linalg.vector_norm(points_ND - points_ND[chosen[-1]], dim=1)
            to_nearest_N = torch.minimum(to_nearest_N, to_newest_N)
            chosen.append(int(to_nearest_N.argmax()))
        return torch.tensor(chosen)

    def radius(chosen_M: Tensor) -> float:
        return float(torch.cdist(points_ND, points_ND[chosen_M]).min(dim=1).values.max())

    yield Stage(
        f"coreset: {count} of {len(points_ND)} patches, 128 dimensions",
        ours,
        {"distances of all differences, a loop": Alternative(reference)},
        tolerance=1e-5,
        compare=lambda ours, theirs: largest_difference(radius(ours), radius(theirs)),
        aim=setting.aim(2),
    )


def neighbours(setting: Setting) -> Iterator[Stage]:
    """PatchCore's distances: 1,024 patches of an image to a memory of 2,000."""
    from sklearn.neighbors import NearestNeighbors

    queries_NK, points_MK = _random(setting, setting.size(1024, 64), 384), _random(setting, setting.size(2000, 80), 384)

    def scikit_learn() -> NDArray[np.float32]:
        found = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(points_MK.cpu().numpy())
        distances_N1, _ = found.kneighbors(queries_NK.cpu().numpy())
        nearest_N: NDArray[np.float32] = distances_N1[:, 0]
        return nearest_N

    yield Stage(
        f"nearest of {len(points_MK)} patches to each of {len(queries_NK)}, 384 dimensions",
        lambda: distances_to_nearest(queries_NK, points_MK, 1)[:, 0].cpu(),
        {
            "torch.cdist": Alternative(lambda: torch.cdist(queries_NK, points_MK).min(dim=1).values.cpu()),
            "scikit-learn, brute force": Alternative(scikit_learn),
        },
        tolerance=1e-4,
        aim=setting.aim(1),
    )


def gaussians(setting: Setting) -> Iterator[Stage]:
    """PaDiM: the covariances of 64 x 64 positions made ready, then the distances of one image."""
    positions, dimensions = setting.size(64 * 64, 16), setting.size(100, 10)
    roots_NKK = _random(setting, positions * dimensions, dimensions).view(positions, dimensions, dimensions)
    covariances_NKK = roots_NKK @ roots_NKK.transpose(1, 2) / dimensions
    deviations_NK = _random(setting, positions, dimensions)
    regularisation = 0.01

    def ours() -> Tensor:
        whitened_NK1 = whitening(covariances_NKK, regularisation) @ deviations_NK[..., None]
        distances_N: Tensor = torch.linalg.vector_norm(whitened_NK1, dim=(1, 2))
        return distances_N.cpu()

    def reference() -> list[float]:
        zero_K, own_KK = np.zeros(dimensions), regularisation * np.eye(dimensions)
        inverses_NKK = [np.linalg.inv(covariance_KK + own_KK) for covariance_KK in covariances_NKK.cpu().numpy()]
        pairs = zip(deviations_NK.cpu().numpy(), inverses_NKK, strict=True)
        return [mahalanobis(deviation_K, zero_K, inverse_KK) for deviation_K, inverse_KK in pairs]

    yield Stage(
        f"Gaussians of {positions} positions, {dimensions} dimensions, and the distances of an image",
        ours,
        {"NumPy and SciPy, position by position": Alternative(reference)},
        tolerance=1e-4,
        aim=setting.aim(1),
    )


def _random(setting: Setting, rows: int, values: int) -> Tensor:
    return torch.randn(rows, values, generator=torch.Generator().manual_seed(rows)).to(setting.device)
