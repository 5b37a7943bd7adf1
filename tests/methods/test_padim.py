"""PaDiM: distances against scipy's, position by position, and what it cannot work on."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import mahalanobis
from torch import Tensor
from torch.nn import functional as F

from methods.contract import MethodError
from methods.padim import PaDiM, whitening
from tests.methods.feature_methods import NETWORK, fit, stripes

pytestmark = pytest.mark.filterwarnings("ignore:.*RANDOM weights")


def build(seed: int = 0, **changes: object) -> PaDiM:
    torch.manual_seed(seed)
    settings = dict(NETWORK, layers=["layer1", "layer2", "layer3"], dimensions=20, regularisation=0.01, sigma=0)
    return PaDiM(**(settings | changes))


def embedding(method: PaDiM, images_BCHW: Tensor) -> np.ndarray:
    """Drawn features of each position (B, P, Q, K), in float64."""
    layers = [features.double() for features in method.source(images_BCHW).values()]
    grid = layers[0].shape[2:]
    repeated = [features.repeat_interleave(grid[0] // features.shape[2], 2) for features in layers]
    repeated = [features.repeat_interleave(grid[1] // features.shape[3], 3) for features in repeated]
    return torch.cat(repeated, dim=1)[:, method.drawn_K].permute(0, 2, 3, 1).numpy()


def test_distances_are_scipys() -> None:
    train, test = stripes(9), stripes(2, seed=1)
    method = fit(build(), train, batch_size=4)
    seen_BPQK, new_BPQK = embedding(method, train), embedding(method, test)
    scores_BPQ = np.zeros(new_BPQK.shape[:3])
    for p, q in np.ndindex(scores_BPQ.shape[1:]):
        covariance = np.cov(seen_BPQK[:, p, q], rowvar=False) + 0.01 * np.eye(20)
        for image in range(2):
            scores_BPQ[image, p, q] = mahalanobis(
                new_BPQK[image, p, q], seen_BPQK[:, p, q].mean(axis=0), np.linalg.inv(covariance)
            )
    expected = F.interpolate(torch.from_numpy(scores_BPQ)[:, None], (64, 64), mode="bilinear")[:, 0]
    torch.testing.assert_close(method.anomaly_map(test).double(), expected, rtol=1e-3, atol=1e-4)


def test_large_common_values_do_not_take_the_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums of squares of values around 1000 with a deviation of 0.1 would lose the covariance in float32."""
    features_BPQK = 1000 + 0.1 * torch.randn(40, 1, 1, 20, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(PaDiM, "_features", lambda self, images_B1: features_BPQK[images_B1[:, 0].long()])
    method = fit(build(), torch.arange(40.0)[:, None], batch_size=7)
    covariance_KK = torch.cov(features_BPQK[:, 0, 0].double().T) + 0.01 * torch.eye(20)
    found_KK = torch.linalg.inv(method.whitening_NKK[0].double().T @ method.whitening_NKK[0].double())[...]
    torch.testing.assert_close(found_KK, covariance_KK, rtol=1e-3, atol=1e-5)


def test_whitening_gives_mahalanobis_distances() -> None:
    torch.manual_seed(0)
    samples_NDK = torch.randn(5, 30, 6, dtype=torch.float64)
    covariances_NKK = samples_NDK.transpose(1, 2) @ samples_NDK / 30
    deviations_NK = torch.randn(5, 6, dtype=torch.float64)
    whitened_NK = (whitening(covariances_NKK, 0.5) @ deviations_NK[..., None])[..., 0]
    for whitened_K, deviation_K, covariance_KK in zip(whitened_NK, deviations_NK, covariances_NKK, strict=True):
        inverse = np.linalg.inv(covariance_KK.numpy() + 0.5 * np.eye(6))
        assert whitened_K.norm().item() == pytest.approx(mahalanobis(deviation_K.numpy(), np.zeros(6), inverse))


def test_dimensions_are_drawn_once_from_the_seed_and_kept() -> None:
    first, again, other = build(0), build(0), build(1)
    assert torch.equal(first.drawn_K, again.drawn_K) and not torch.equal(first.drawn_K, other.drawn_K)
    assert len(first.drawn_K.unique()) == 20 and first.drawn_K.max() < 448
    other.load_state_dict(fit(first, stripes(4)).state_dict())
    assert torch.equal(other.anomaly_map(stripes(1, seed=1)), first.anomaly_map(stripes(1, seed=1)))


@pytest.mark.parametrize("images", [1, 2])
def test_one_or_two_images_are_refused(images: int) -> None:
    with pytest.raises(MethodError, match=rf"3 training images at least, not {images}"):
        fit(build(), stripes(images))
    assert fit(build(), stripes(3)).anomaly_map(stripes(1)).isfinite().all()


def test_more_dimensions_than_channels_are_refused() -> None:
    with pytest.raises(MethodError, match=r"dimensions=449, but layer1, layer2, layer3 have 448 channels"):
        build(dimensions=449)
    assert len(build(dimensions=448).drawn_K) == 448


def test_a_map_does_not_depend_on_its_batch() -> None:
    method, images_BCHW = fit(build(), stripes(5)), stripes(3, seed=1)
    torch.testing.assert_close(
        method.anomaly_map(images_BCHW)[1:2], method.anomaly_map(images_BCHW[1:2]), rtol=1e-4, atol=1e-5
    )


def test_a_layer_of_which_no_channel_is_drawn_is_left_out() -> None:
    method = build(dimensions=1)
    images = torch.rand(2, 3, 64, 96)
    np.testing.assert_allclose(method._features(images).double().numpy(), embedding(method, images), rtol=1e-5)
    assert embedding(method, images).shape[-1] == 1
