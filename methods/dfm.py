"""Deep feature modelling by feature reconstruction error: how far an image's features are from the subspace of good images.

Papers: Ahuja et al., Probabilistic Modeling of Deep Features, 2019 (arXiv 1909.11786); Ndiour et al., FRE: A Fast Method for
Anomaly Detection and Segmentation, BMVC 2023 (arXiv 2211.12650). Idea: principal components of whole-image features; what they
cannot express of an image's features is anomalous, and where it lies says where the defect is.
Cost: no training, and no random number: all seeds of the method give the same maps (the split of the images still differs). The
features of all training images are held in float64 while fitting (131 kB an image at 256 px with a ResNet-18), and beside them the
components, which are fewer than the images.
Not reproduced: the papers' best rows use EfficientNet-B5, and several layers for the map.
Published mean over MVTec AD with a ResNet-18, image AUROC: 0.936 (README of anomalib b7233686, one seed).
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from methods.blocks.features import FeatureSource
from methods.blocks.maps import enlarged
from methods.contract import FittedMethod, MethodError


class DFM(FittedMethod):
    """Map = squared error of the reconstruction from the principal components, summed over channels, interpolated.

    Args:
        backbone, weights, layer: of the network, see `FeatureSource`.
        pool: side of the squares over which features are averaged, in pixels of the layer.
        variance: share that the principal components keep.

    Raises:
        MethodError: fewer than two training images, or all alike; the layer's grid is smaller than a pooled square.
    """

    mean_D: Tensor
    components_KD: Tensor

    def __init__(self, backbone: str, weights: str, layer: str, pool: int, variance: float) -> None:
        super().__init__()
        self.pool, self.variance = pool, variance
        self.source = FeatureSource(backbone, weights, [layer])
        self.register_buffer("mean_D", torch.empty(0))
        self.register_buffer("components_KD", torch.empty(0, 0))
        self._observed: list[Tensor] = []

    def observe(self, images_BCHW: Tensor) -> None:
        self._observed.append(self._features(images_BCHW).flatten(1))

    def fit(self) -> None:
        """Mean and principal components of the training images' features."""
        wider = self._observed[0].new_empty(0, dtype=torch.float64)
        features_ND = torch.cat(self._observed, out=wider)
        self._observed = []
        mean_D = features_ND.mean(dim=0)
        self.mean_D = mean_D.float()
        self.components_KD = principal_components(features_ND.sub_(mean_D), self.variance).float()

    def anomaly_map(self, images_BCHW: Tensor) -> Tensor:
        return self.map_and_score(images_BCHW)[0]

    def map_and_score(self, images_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """The papers score an image by the whole squared error."""
        features_BCPQ = self._features(images_BCHW)
        centred_BD = features_BCPQ.flatten(1) - self.mean_D
        error_BD = centred_BD - centred_BD @ self.components_KD.T @ self.components_KD
        scores_BPQ = error_BD.view_as(features_BCPQ).square().sum(dim=1)
        return enlarged(scores_BPQ, images_BCHW.shape[2:]), scores_BPQ.sum(dim=(1, 2))

    def _features(self, images_BCHW: Tensor) -> Tensor:
        """Pooled features (B, C, P, Q)."""
        (features_BCPQ,) = self.source(images_BCHW).values()
        if min(features_BCPQ.shape[2:]) < self.pool:
            raise MethodError(
                f"The layer's {features_BCPQ.shape[2]} x {features_BCPQ.shape[3]} pixels cannot be averaged over squares of "
                f"{self.pool}: lower method.model.pool or raise method.inputs.*.px."
            )
        return F.avg_pool2d(features_BCPQ, self.pool).contiguous()

    def facts(self) -> dict[str, str | int | float]:
        return {**self.source.identity, "pca_dimensions": self.components_KD.shape[0]}


def principal_components(centred_ND: Tensor, variance: float) -> Tensor:
    """The fewest principal axes (K, D), orthonormal, that keep this share of the variance.

    From the images' products (N, N): a singular value decomposition of the features themselves would copy them several times. Axes
    along which the images vary by no more than rounding are none.

    Args:
        centred_ND: features less their mean, float64.

    Raises:
        MethodError: there is no variance.
    """
    squared_N, left_NN = (part.flip(-1) for part in torch.linalg.eigh(centred_ND @ centred_ND.T))
    squared_K = squared_N[squared_N > squared_N[0] * len(squared_N) * torch.finfo(squared_N.dtype).eps]
    if not len(squared_K):
        raise MethodError(
            f"The features of the {len(centred_ND)} training images are all alike: DFM needs two that differ."
        )
    share_K = squared_K.cumsum(0) / squared_K.sum()
    kept = min(int((share_K < variance).sum()) + 1, len(squared_K))
    axes_KD: Tensor = (left_NN[:, :kept] / squared_K[:kept].sqrt()).T @ centred_ND
    return axes_KD
