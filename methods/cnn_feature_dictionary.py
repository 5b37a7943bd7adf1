"""CNN feature dictionary: how far a patch is from the typical patches of good images, in the features of a ResNet-18.

Paper: Bergmann et al., MVTec AD, CVPR 2019, section 4.1; method of Napoletano, Piccoli, Schettini, Anomaly Detection in
Nanofibrous Materials by CNN-Based Self-Similarity, Sensors 18(1), 2018. Idea: a small dictionary of real patches' features says
what good looks like; a patch that resembles no entry is anomalous.
Cost: no training; 100,000 training patches and then 15,625 patches of each 512 px image pass through the network, about
1.5 s per image on one CPU core.
"""

import faiss
import torch
from sklearn.cluster import kmeans_plusplus
from sklearn.decomposition import PCA
from torch import Tensor
from torch.nn import functional as F

from methods.blocks.features import FeatureSource
from methods.blocks.neighbours import distances_to_nearest, faiss_on_gpu, nearest
from methods.blocks.patch_features import features_of_patches
from methods.contract import FittedMethod, MethodError


class CNNFeatureDictionary(FittedMethod):
    """Score of a patch = mean Euclidean distance to its nearest dictionary entries, after PCA; map = scores, interpolated.

    Args:
        backbone, weights, layer: of the network, see `FeatureSource`.
        patch, stride: side and step of the patches in pixels.
        patch_input: side at which patches enter the network, in pixels.
        patches: number of random training patches, shared evenly by the training images.
        variance: share that PCA keeps.
        entries: size of the dictionary.
        neighbours: how many nearest entries a score averages.
    """

    mean_D: Tensor
    components_KD: Tensor
    dictionary_MK: Tensor

    def __init__(
        self,
        backbone: str,
        weights: str,
        layer: str,
        patch: int,
        stride: int,
        patch_input: int,
        patches: int,
        variance: float,
        entries: int,
        neighbours: int,
    ) -> None:
        super().__init__()
        if neighbours > entries:
            raise MethodError(
                f"method.model.neighbours={neighbours} is more than method.model.entries={entries}: lower it."
            )
        self.patch, self.stride, self.patch_input, self.patches = patch, stride, patch_input, patches
        self.variance, self.entries, self.neighbours = variance, entries, neighbours
        self.network = FeatureSource(backbone, weights, [layer])
        self.register_buffer("mean_D", torch.empty(0))
        self.register_buffer("components_KD", torch.empty(0, 0))
        self.register_buffer("dictionary_MK", torch.empty(0, 0))
        self._observed: list[Tensor] = []

    def observe(self, images_BCHW: Tensor) -> None:
        for image_CHW in images_BCHW:
            seen = len(self._observed)
            share = self.patches * (seen + 1) // self.training_images - self.patches * seen // self.training_images
            corners_N2 = random_corners(image_CHW, self.patch, share)
            self._observed.append(self._features(image_CHW, corners_N2))

    def fit(self) -> None:
        """PCA of all features, k-means of their projections, and the projection nearest to each centre."""
        features_ND = torch.cat(self._observed)
        self._observed = []
        pca = PCA(self.variance, svd_solver="covariance_eigh").fit(features_ND.double().cpu().numpy())
        self.mean_D = torch.from_numpy(pca.mean_).to(features_ND)
        self.components_KD = torch.from_numpy(pca.components_).to(features_ND)
        projected_NK = self._project(features_ND)
        centres_MK = kmeans(projected_NK, self.entries)
        self.dictionary_MK = projected_NK[nearest(centres_MK, projected_NK, 1)[:, 0]]

    def anomaly_map(self, images_BCHW: Tensor) -> Tensor:
        return torch.stack([self._map(image_CHW) for image_CHW in images_BCHW])

    def _map(self, image_CHW: Tensor) -> Tensor:
        _, height, width = image_CHW.shape
        y_P, x_Q = (torch.arange(0, length - self.patch + 1, self.stride) for length in (height, width))
        projected_NK = self._project(self._features(image_CHW, torch.cartesian_prod(y_P, x_Q)))
        scores_PQ = self._score(projected_NK).view(len(y_P), len(x_Q))
        return interpolate_scores(scores_PQ, (height, width), self.patch, self.stride)

    def _features(self, image_CHW: Tensor, corners_N2: Tensor) -> Tensor:
        """L1-normalised, as Napoletano et al. do."""
        features_ND = features_of_patches(self.network, image_CHW, corners_N2, self.patch, self.patch_input)
        return F.normalize(features_ND, p=1)

    def _project(self, features_ND: Tensor) -> Tensor:
        return (features_ND - self.mean_D) @ self.components_KD.T

    def _score(self, projected_NK: Tensor) -> Tensor:
        return distances_to_nearest(projected_NK, self.dictionary_MK, self.neighbours).mean(dim=1)

    def facts(self) -> dict[str, str | int | float]:
        return {**self.network.identity, "pca_dimensions": self.components_KD.shape[0]}


def random_corners(image_CHW: Tensor, patch: int, count: int) -> Tensor:
    """First pixels (y, x) of `count` patches that lie anywhere in the image, (count, 2)."""
    y_N, x_N = (torch.randint(length - patch + 1, (count,)) for length in image_CHW.shape[1:])
    return torch.stack([y_N, x_N], dim=1)


def kmeans(points_NK: Tensor, centres: int) -> Tensor:
    """Centres (centres, K) of k-means over all points: 25 iterations of faiss from a k-means++ start.

    The start is ours: faiss's own, random points, can leave a cluster without a centre and end far from the optimum.
    """
    points = points_NK.cpu().numpy()
    seed = int(torch.randint(2**31 - 1, ()))
    start_MK, _ = kmeans_plusplus(points, centres, random_state=seed)
    clustering = faiss.Kmeans(
        points.shape[1],
        centres,
        seed=seed,
        max_points_per_centroid=len(points),  # no limit: by default faiss silently drops all but 256 points per centre
        gpu=faiss_on_gpu(points_NK),
    )
    clustering.train(points, init_centroids=start_MK)
    return torch.from_numpy(clustering.centroids).to(points_NK)


def interpolate_scores(scores_PQ: Tensor, size: tuple[int, int], patch: int, stride: int) -> Tensor:
    """Map (H, W) that has each patch's score at the patch's centre, is bilinear between the centres and constant beyond them."""
    y_H, x_W = (_in_grid(length, cells, patch, stride) for length, cells in zip(size, scores_PQ.shape, strict=True))
    places_HW2 = torch.stack(torch.meshgrid(x_W, y_H, indexing="xy"), dim=2).to(scores_PQ)
    return F.grid_sample(scores_PQ[None, None], places_HW2[None], padding_mode="border", align_corners=True)[0, 0]


def _in_grid(length: int, cells: int, patch: int, stride: int) -> Tensor:
    """Where the pixels of one side lie in the row of patch centres, in grid_sample's unit: -1 the first centre, 1 the last."""
    cell_L = (torch.arange(length) - (patch - 1) / 2) / stride
    return 2 * cell_L / max(cells - 1, 1) - 1
