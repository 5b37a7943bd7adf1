"""PCA reconstruction and isolation forest against scikit-learn's own scores."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest as Grown

from methods.isolation_forest import IsolationForest, mean_path_length
from methods.pca_reconstruction import PCAReconstruction


def rows(count: int, columns: int, seed: int) -> torch.Tensor:
    values = np.random.default_rng(seed).standard_normal((count, columns)) * np.arange(1, columns + 1)
    return torch.from_numpy(values.astype(np.float32))


def test_pca_is_scikit_learns() -> None:
    train, test = rows(50, 8, 0), rows(20, 8, 1)
    method = PCAReconstruction(components=3)
    method.observe(train[:30])
    method.observe(train[30:])
    method.fit()
    reference = PCA(3).fit(train.numpy())
    expected = reference.inverse_transform(reference.transform(test.numpy()))
    np.testing.assert_allclose(method.reconstruct(test).numpy(), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(
        method.anomaly_score(test).numpy(), ((test.numpy() - expected) ** 2).mean(1), rtol=1e-3, atol=1e-5
    )


def test_pca_never_reconstructs_everything() -> None:
    method = PCAReconstruction(components=7)
    method.observe(rows(50, 4, 0))
    method.fit()
    assert method.components_KD.shape == (3, 4) and method.anomaly_score(rows(5, 4, 1)).min() > 0


@pytest.mark.parametrize("count", [40, 1000])
def test_isolation_forest_is_scikit_learns(count: int) -> None:
    train, test = rows(count, 5, 0), rows(200, 5, 1) * 2
    torch.manual_seed(7)
    method = IsolationForest(trees=20, samples=256)
    method.observe(train)
    method.fit()
    torch.manual_seed(7)
    seed = int(torch.randint(2**31 - 1, ()))
    reference = Grown(n_estimators=20, max_samples=min(256, count), random_state=seed).fit(train.numpy())
    np.testing.assert_allclose(method.anomaly_score(test).numpy(), -reference.score_samples(test.numpy()), rtol=1e-6)


def test_mean_path_length_is_that_of_random_search_trees() -> None:
    def unsuccessful(keys: list[int]) -> int:
        """Sum of the depths of a search tree's empty places, built by the definition."""
        if not keys:
            return 0
        root, rest = keys[0], keys[1:]
        left, right = [k for k in rest if k < root], [k for k in rest if k > root]
        return unsuccessful(left) + unsuccessful(right) + len(left) + len(right) + 2

    rng = np.random.default_rng(0)
    # n samples are the n empty places of a tree with n - 1 keys; the paper's harmonic number is an approximation
    mean = np.mean([unsuccessful(rng.permutation(255).tolist()) / 256 for _ in range(400)])
    assert mean_path_length(256) == pytest.approx(mean, rel=0.02)
    assert (mean_path_length(1), mean_path_length(2)) == (0, 1)
