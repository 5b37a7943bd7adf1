"""The mixture against scipy's densities and against scikit-learn's EM."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture as Reference

from benchmarks.data.images import decode
from methods.blocks.gaussian_mixture import CHUNK, GaussianMixture


def blobs(count: int, dimensions: int = 4) -> torch.Tensor:
    """Samples of three correlated Gaussians, float64, that k-means does not separate cleanly."""
    rng = np.random.default_rng(5)
    parts = [
        rng.normal(size=(count // 3, dimensions)) @ rng.normal(size=(dimensions, dimensions)) * 0.5 + centre
        for centre in rng.normal(size=(3, dimensions))
    ]
    return torch.from_numpy(np.concatenate(parts))


def mixture(components: int, dimensions: int, iterations: int = 100, tolerance: float = 1e-3) -> GaussianMixture:
    return GaussianMixture(components, dimensions, iterations, tolerance, regularisation=1e-6)


def reference_nll(fitted: GaussianMixture, samples: np.ndarray) -> np.ndarray:
    """-log sum_k w_k N(x; mean_k, covariance_k), one scipy density at a time."""
    log_joint = []
    for weight, mean, whitening in zip(fitted.weights_K, fitted.means_KD, fitted.whitening_KDD, strict=True):
        covariance = np.linalg.inv((whitening @ whitening.T).numpy())
        density = multivariate_normal(mean.numpy(), (covariance + covariance.T) / 2)
        log_joint.append(np.log(weight.item()) + density.logpdf(samples))
    return -logsumexp(log_joint, axis=0)


def test_nll_is_that_of_scipy() -> None:
    samples = blobs(3000)
    fitted = mixture(3, 4)
    fitted.fit(samples, seed=0)
    np.testing.assert_allclose(
        fitted.nll(samples).numpy(), reference_nll(fitted, samples.numpy()), rtol=1e-9, atol=1e-9
    )


def test_nll_of_real_patches_in_single_precision_is_that_of_scipy(mvtec_ad: Path) -> None:
    pixels = decode(mvtec_ad / "bottle" / "train" / "good" / "000.png", "gray", px=100)[..., 0]
    patches = torch.from_numpy(pixels / np.float32(255)).unfold(0, 7, 1).unfold(1, 7, 1).reshape(-1, 49)
    fitted = mixture(3, 49, iterations=5)
    fitted.fit(patches, seed=0)
    found = fitted.nll(patches)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), reference_nll(fitted, patches.double().numpy()), rtol=1e-4, atol=5e-3)


@pytest.mark.parametrize("iterations", [1, 7])
def test_em_from_an_equal_start_reaches_the_likelihood_of_sklearn(iterations: int) -> None:
    samples = blobs(3 * (CHUNK["cpu"] + 100))
    start = mixture(3, 4, iterations, tolerance=0)
    start.start_from_clusters(samples, seed=0)
    precisions = (start.whitening_KDD @ start.whitening_KDD.mT).numpy()
    reference = Reference(
        3, max_iter=iterations, tol=0, weights_init=start.weights_K.numpy() / start.weights_K.sum().item(),
        means_init=start.means_KD.numpy(), precisions_init=(precisions + precisions.transpose(0, 2, 1)) / 2,
    )  # fmt: skip
    with pytest.warns(UserWarning, match="did not converge"):
        reference.fit(samples.numpy())

    likelihood = start.expectation_maximisation(samples)
    assert likelihood == pytest.approx(reference.lower_bound_, rel=1e-9)
    np.testing.assert_allclose(start.means_KD.numpy(), reference.means_, atol=1e-8)
    np.testing.assert_allclose(-start.nll(samples).numpy(), reference.score_samples(samples.numpy()), atol=1e-7)


def test_fit_is_that_of_sklearn_from_kmeans_to_convergence() -> None:
    samples = blobs(3000)
    reference = Reference(3, tol=1e-3, max_iter=100, random_state=11).fit(samples.numpy())
    fitted = mixture(3, 4)
    fitted.fit(samples, seed=11)
    assert fitted.iterations_run == reference.n_iter_
    np.testing.assert_allclose(-fitted.nll(samples).numpy(), reference.score_samples(samples.numpy()), atol=1e-7)


def test_single_precision_gives_the_same_likelihood() -> None:
    samples = blobs(3000)
    double, single = mixture(3, 4, 10, tolerance=0), mixture(3, 4, 10, tolerance=0)
    double.start_from_clusters(samples, seed=0)
    single.load_state_dict(double.state_dict())
    expected = double.expectation_maximisation(samples)
    assert single.expectation_maximisation(samples.float()) == pytest.approx(expected, rel=1e-5)


def test_likelihood_never_falls() -> None:
    samples, fitted = blobs(1500), mixture(3, 4, iterations=1, tolerance=0)
    fitted.start_from_clusters(samples, seed=0)
    likelihoods = [fitted.expectation_maximisation(samples) for _ in range(15)]
    assert np.diff(likelihoods).min() > -1e-9


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_samples_without_variation_in_some_or_all_dimensions(spread: float) -> None:
    samples = torch.full((500, 4), 0.3)
    samples[:, 0] += spread * torch.linspace(0, 1, 500)
    fitted = mixture(3, 4)
    fitted.fit(samples, seed=0)
    inside, outside = fitted.nll(samples), fitted.nll(torch.full((1, 4), 0.9))
    assert torch.isfinite(inside).all() and torch.isfinite(outside).all() and outside > inside.max()
