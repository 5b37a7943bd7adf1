"""DFM: the reconstruction error against scikit-learn's PCA, no random number, and what it cannot work on."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from methods.contract import MethodError
from methods.dfm import DFM, principal_components
from tests.methods.feature_methods import NETWORK, fit, stripes

pytestmark = pytest.mark.filterwarnings("ignore:.*RANDOM weights")


def build(**changes: object) -> DFM:
    torch.manual_seed(0)
    return DFM(**(dict(NETWORK, layer="layer2", pool=2, variance=0.9) | changes))


def test_map_and_score_are_the_error_of_scikit_learns_pca() -> None:
    train, test = stripes(12), stripes(3, seed=1)
    method = fit(build(), train)
    pooled = [
        np.stack([features[..., y::2, x::2] for y in (0, 1) for x in (0, 1)]).mean(axis=0)
        for features in (method.source(images)["layer2"].double().numpy() for images in (train, test))
    ]
    train_ND, test_ND = (features.reshape(len(features), -1) for features in pooled)
    pca = PCA(0.9, svd_solver="full").fit(train_ND)
    error_BD = (test_ND - pca.inverse_transform(pca.transform(test_ND))) ** 2
    scores_BPQ = torch.from_numpy(error_BD.reshape(3, 128, 4, 4).sum(axis=1))
    expected = F.interpolate(scores_BPQ[:, None], (64, 64), mode="bilinear")[:, 0]

    maps_BHW, own_B = method.map_and_score(test)
    assert method.facts()["pca_dimensions"] == pca.n_components_ < 11
    torch.testing.assert_close(maps_BHW.double(), expected, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(own_B.double(), torch.from_numpy(error_BD.sum(axis=1)), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("variance", [0.5, 0.97, 1.0])
def test_components_keep_the_variance_and_no_more(variance: float) -> None:
    centred_ND = torch.randn(10, 30, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    centred_ND = centred_ND - centred_ND.mean(dim=0)
    axes_KD = principal_components(centred_ND, variance)
    total = centred_ND.square().sum()
    kept, one_less = ((centred_ND @ axes.T).square().sum() / total for axes in (axes_KD, axes_KD[:-1]))
    assert kept >= variance - 1e-9 > one_less - 1e-9
    torch.testing.assert_close(axes_KD @ axes_KD.T, torch.eye(len(axes_KD), dtype=torch.float64))


@pytest.mark.parametrize("shape", [(12, 200), (40, 9)], ids=["few images", "few features"])
@pytest.mark.parametrize("variance", [0.5, 0.97, 1.0])
def test_errors_are_those_of_a_singular_value_decomposition(shape: tuple[int, int], variance: float) -> None:
    generator = torch.Generator().manual_seed(0)
    features_ND, other_BD = (torch.randn(*shape, generator=generator, dtype=torch.float64) for _ in range(2))
    features_ND *= torch.logspace(0, -3, shape[1])  # some directions hold a millionth of the variance of others
    centred_ND = features_ND - features_ND.mean(dim=0)
    _, singular_K, axes_KD = torch.linalg.svd(centred_ND, full_matrices=False)
    share_K = singular_K.square().cumsum(0) / singular_K.square().sum()
    rank = min(shape[0] - 1, shape[1])
    svd_KD = axes_KD[: min(int((share_K < variance - 1e-12).sum()) + 1, rank)]

    def errors(axes_KD: torch.Tensor) -> torch.Tensor:
        return (other_BD - other_BD @ axes_KD.T @ axes_KD).square().sum(dim=1)

    found_KD = principal_components(centred_ND, variance)
    assert found_KD.shape == svd_KD.shape
    torch.testing.assert_close(errors(found_KD), errors(svd_KD), rtol=1e-9, atol=1e-12)


class LargeTensors(TorchDispatchMode):
    """Keeps the storages of at least so many bytes that are made."""

    def __init__(self, least: int) -> None:
        super().__init__()
        self.least, self.made = least, dict[int, Any]()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = function(*args, **(kwargs or {}))
        for tensor in found if isinstance(found, tuple | list) else (found,):
            if isinstance(tensor, torch.Tensor) and tensor.untyped_storage().nbytes() >= self.least:
                self.made[tensor.untyped_storage().data_ptr()] = tensor
        return found


def test_fitting_holds_the_features_once() -> None:
    method, images = build(variance=0.5), stripes(12)
    method.training_images = len(images)
    with torch.no_grad():
        for batch in images.split(4):
            method.observe(batch)
        with LargeTensors(4 * 12 * 128 * 4 * 4) as large:  # a copy in float32, or more than half of one in float64
            method.fit()
    assert [tensor.dtype for tensor in large.made.values()] == [torch.float64]


def test_no_random_number_is_drawn() -> None:
    method, state = build(), torch.get_rng_state()
    fit(method, stripes(5)).anomaly_map(stripes(1))
    assert torch.equal(torch.get_rng_state(), state)


def test_reloaded_or_in_another_batch_the_maps_are_the_same() -> None:
    method, images_BCHW = fit(build(), stripes(5)), stripes(3, seed=1)
    maps_BHW, fresh = method.anomaly_map(images_BCHW), build()
    fresh.load_state_dict(method.state_dict())
    assert torch.equal(fresh.anomaly_map(images_BCHW), maps_BHW)
    torch.testing.assert_close(method.anomaly_map(images_BCHW[1:2]), maps_BHW[1:2], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("images", [1, 3])
def test_images_that_are_all_alike_are_refused(images: int) -> None:
    with pytest.raises(MethodError, match=rf"{images} training images are all alike"):
        fit(build(), stripes(1).expand(images, -1, -1, -1))


def test_images_too_small_for_a_pooled_square_are_refused() -> None:
    with pytest.raises(MethodError, match="2 x 2 pixels cannot be averaged over squares of 4"):
        fit(build(pool=4), stripes(3, px=16))
