"""The CNN feature dictionary: its parts against scikit-learn and slow references, and the whole on drawn images."""

from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from torch import Tensor
from torch.utils.data import DataLoader

from benchmarks.data.datasets import to_float
from benchmarks.data.images import decode
from methods import cnn_feature_dictionary
from methods.blocks.neighbours import nearest
from methods.cnn_feature_dictionary import CNNFeatureDictionary, interpolate_scores, kmeans
from methods.contract import MethodError

pytestmark = pytest.mark.filterwarnings("ignore:.*RANDOM weights")


class Images(list[Tensor]):
    """A dataset that yields plain image tensors, as the runner's does."""


def build(**changes: object) -> CNNFeatureDictionary:
    settings: dict[str, object] = {
        "backbone": "resnet18",
        "weights": "random",
        "layer": "layer2",
        "patch": 16,
        "stride": 4,
        "patch_input": 16,
        "patches": 301,
        "variance": 0.95,
        "entries": 5,
        "neighbours": 1,
    }
    return CNNFeatureDictionary(**(settings | changes))  # type: ignore[arg-type]


def texture(count: int, px: int = 64) -> Tensor:
    """Noisy stripes, (count, 3, px, px)."""
    stripes_W = 0.5 + 0.3 * torch.sin(torch.arange(px) * 0.8)
    return (stripes_W + 0.05 * torch.randn(count, 3, px, px)).clamp(0, 1)


def fitted(seed: int = 0, batch_size: int = 2, **changes: object) -> CNNFeatureDictionary:
    torch.manual_seed(7)
    loader = DataLoader(Images(texture(6)), batch_size=batch_size)  # type: ignore[arg-type]
    torch.manual_seed(seed)
    method = build(**changes)
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(method, loader)
    return method.eval()


@pytest.fixture(scope="module")
def method() -> CNNFeatureDictionary:
    return fitted()


@pytest.fixture(scope="module")
def points_NK() -> Tensor:
    """5,000 points around ten centres: twice what faiss uses by default."""
    generator = torch.Generator().manual_seed(1)
    centres = 10 * torch.randn(10, 8, generator=generator)
    return centres[torch.randint(10, (5000,), generator=generator)] + torch.randn(5000, 8, generator=generator)


def squared_distances(points_NK: Tensor, centres_MK: Tensor) -> Tensor:
    """To the nearest centre, the slow way, (N,)."""
    return (points_NK.double()[:, None] - centres_MK.double()).square().sum(dim=2).amin(dim=1)


def test_kmeans_uses_all_points(points_NK: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where faiss subsamples (256 points a centre, its default), the objective is the sum over 2,560 points only."""
    runs = []
    faiss_kmeans = cnn_feature_dictionary.faiss.Kmeans
    monkeypatch.setattr(
        cnn_feature_dictionary.faiss, "Kmeans", lambda *a, **kw: runs.append(faiss_kmeans(*a, **kw)) or runs[-1]
    )
    centres_MK = kmeans(points_NK, 10)
    total = squared_distances(points_NK, centres_MK).sum().item()
    assert runs[0].obj[-1] == pytest.approx(total, rel=1e-3)

    subsampled = faiss_kmeans(8, 10, seed=1)
    subsampled.train(points_NK.numpy())
    total = squared_distances(points_NK, torch.from_numpy(subsampled.centroids)).sum().item()
    assert subsampled.obj[-1] < 0.6 * total, "faiss no longer subsamples: the guard is not needed"


def test_kmeans_is_as_good_as_scikit_learns(points_NK: Tensor) -> None:
    torch.manual_seed(0)
    total = squared_distances(points_NK, kmeans(points_NK, 10)).sum().item()
    reference = KMeans(10, n_init=5, random_state=0).fit(points_NK.numpy()).inertia_
    assert total == pytest.approx(reference, rel=0.02)


def test_dictionary_of_real_patches_is_scikit_learns(mvtec_ad: Path) -> None:
    """Patches of a real bottle in features of layer1: PCA's subspace, and a k-means objective as good as scikit-learn's."""
    torch.manual_seed(0)
    method = build(layer="layer1")
    pixels_HWC = decode(mvtec_ad / "bottle" / "train" / "good" / "000.png", "rgb", px=256)
    image_CHW = to_float(torch.from_numpy(pixels_HWC[None]))[0]
    features_ND = method._features(image_CHW, cnn_feature_dictionary.random_corners(image_CHW, 16, 3000))
    method._observed = [features_ND]
    method.fit()

    reference = PCA(0.95, svd_solver="full").fit(features_ND.double().numpy())
    projector_DD = method.components_KD.T @ method.components_KD  # of the subspace, whatever the signs of its axes
    np.testing.assert_allclose(projector_DD.numpy(), reference.components_.T @ reference.components_, atol=1e-4)
    projected_NK = method._project(features_ND)
    total = squared_distances(projected_NK, kmeans(projected_NK, 5)).sum().item()
    best = KMeans(5, n_init=10, random_state=0).fit(projected_NK.double().numpy()).inertia_
    assert best * 0.999 < total < best * 1.1


def test_nearest_orders_by_distance(points_NK: Tensor) -> None:
    found_NM = nearest(points_NK[:50], points_NK, 3)
    expected_NM = torch.cdist(points_NK[:50], points_NK).topk(3, largest=False).indices
    assert torch.equal(found_NM, expected_NM)


def test_fit_keeps_the_variance_and_real_features_as_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    features: list[Tensor] = []
    compute = CNNFeatureDictionary._features

    def recorded(self: CNNFeatureDictionary, image_CHW: Tensor, corners_N2: Tensor) -> Tensor:
        features.append(compute(self, image_CHW, corners_N2))
        return features[-1]

    monkeypatch.setattr(CNNFeatureDictionary, "_features", recorded)
    method = fitted()
    assert [len(f) for f in features] == [50, 50, 50, 50, 50, 51]  # the 301 patches, shared evenly by 6 images
    features_ND = torch.cat(features)
    torch.testing.assert_close(features_ND.abs().sum(dim=1), torch.ones(301))  # L1-normalised

    reference = PCA(0.95, svd_solver="full").fit(features_ND.double().numpy())
    assert method.components_KD.shape == reference.components_.shape
    projected_NK = method._project(features_ND)
    signs_K = np.sign((method.components_KD.numpy() * reference.components_).sum(axis=1))
    expected_NK = reference.transform(features_ND.double().numpy()) * signs_K
    torch.testing.assert_close(projected_NK, torch.from_numpy(expected_NK).float(), rtol=1e-3, atol=1e-6)

    assert method.dictionary_MK.shape[0] == 5
    assert squared_distances(method.dictionary_MK, projected_NK).max() == 0


def test_a_patch_scores_its_mean_distance_to_its_nearest_entries() -> None:
    method = build(neighbours=2)
    method.dictionary_MK = torch.tensor([[0.0, 0.0], [3.0, 4.0], [100.0, 0.0]])
    assert method._score(torch.tensor([[0.0, 0.0], [100.0, 0.0]])).tolist() == pytest.approx([2.5, (0 + 97.0825) / 2])


@pytest.mark.parametrize(("patch", "stride", "size"), [(16, 4, (40, 47)), (16, 3, (31, 40))])
def test_scores_lie_at_the_centres_of_their_patches(patch: int, stride: int, size: tuple[int, int]) -> None:
    rows, columns = ((length - patch) // stride + 1 for length in size)
    scores_PQ = torch.rand(rows, columns)
    map_HW = interpolate_scores(scores_PQ, size, patch, stride)
    grids = [(np.arange(length) - (patch - 1) / 2) / stride for length in size]
    y_H, x_W = (grid.clip(0, cells - 1) for grid, cells in zip(grids, (rows, columns), strict=True))
    by_columns = np.stack([np.interp(x_W, np.arange(columns), row) for row in scores_PQ.numpy()])
    expected = np.stack([np.interp(y_H, np.arange(rows), column) for column in by_columns.T], axis=1)
    np.testing.assert_allclose(map_HW.numpy(), expected, atol=1e-5)


def test_an_image_of_one_patch_has_one_score() -> None:
    assert torch.equal(interpolate_scores(torch.tensor([[0.7]]), (16, 17), 16, 4), torch.full((16, 17), 0.7))


def test_the_map_lights_up_where_the_image_is_odd(method: CNNFeatureDictionary) -> None:
    image_CHW = texture(1)[0]
    image_CHW[:, 16:28, 36:48] = torch.rand(3, 12, 12)
    map_HW = method.anomaly_map(image_CHW[None])[0]
    assert map_HW.shape == (64, 64)
    y, x = divmod(int(map_HW.argmax()), 64)
    assert abs(y - 21.5) <= 4
    assert abs(x - 41.5) <= 4
    assert map_HW[18:26, 38:46].mean() > 2 * map_HW[40:, :20].mean()


def test_maps_are_finite_float32_and_independent_of_the_batch(method: CNNFeatureDictionary) -> None:
    images_BCHW = texture(3, px=50)
    maps_BHW = method.anomaly_map(images_BCHW)
    assert maps_BHW.shape == (3, 50, 50)
    assert maps_BHW.dtype == torch.float32
    assert maps_BHW.isfinite().all()
    assert torch.equal(maps_BHW[1], method.anomaly_map(images_BCHW[1:2])[0])


def test_state_dict_round_trip(method: CNNFeatureDictionary) -> None:
    fresh = build()
    fresh.load_state_dict(method.state_dict())
    images_BCHW = texture(2)
    assert torch.equal(fresh.anomaly_map(images_BCHW), method.anomaly_map(images_BCHW))


def test_same_seed_same_maps_whatever_the_batch_size() -> None:
    images_BCHW = texture(1)
    first, again, other = (
        fitted(**changes).anomaly_map(images_BCHW) for changes in ({}, {"batch_size": 3}, {"seed": 1})
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_facts_tell_weights_and_dimensions(method: CNNFeatureDictionary) -> None:
    assert method.facts() == {**method.network.identity, "pca_dimensions": method.components_KD.shape[0]}
    assert method.facts()["weights"] == "random"


def test_more_neighbours_than_entries_are_refused() -> None:
    with pytest.raises(MethodError, match="neighbours=15 is more than"):
        build(entries=10, neighbours=15)
