"""PaDiM: how far a place in the image is from what good images show at that very place, as a Gaussian knows it.

Paper: Defard et al., PaDiM: a Patch Distribution Modeling Framework for Anomaly Detection and Localization, ICPR 2020 workshops
(arXiv 2011.08785). Idea: one Gaussian per position over the features of all training images; the map is the Mahalanobis distance.
Cost: no training. One pass of the network over the training images; positions x dimensions^2 numbers are held (164 MB at 256 px).
Not reproduced: the authors' tables cut the centre 224 out of 256 pixels, which alone raises the AUROC of objects; here nothing is
cut. The drawn dimensions decide much, and with them the seed.
Published means over MVTec AD with a ResNet-18 and 100 dimensions, image / pixel AUROC: 0.905 / 0.965 (README of
xiahaifeng1995/PaDiM 616004b9: cut to 224, seed 1024), 0.891 / 0.968 (README of anomalib b7233686: 256 pixels, one seed).
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from methods.blocks.features import FeatureSource
from methods.blocks.maps import enlarged
from methods.contract import FittedMethod, MethodError

LEAST_IMAGES = 3
POSITIONS_AT_ONCE = 256  # that `fit` works on: bounds what it needs beside the sums


class PaDiM(FittedMethod):
    """Score of a position = Mahalanobis distance to the Gaussian of its training features; map = scores, interpolated, smoothed.

    Args:
        backbone, weights, layers: of the network, see `FeatureSource`; the first layer's grid is that of the positions.
        dimensions: how many of the layers' channels are used; drawn once, the same at all positions.
        regularisation: added to the diagonal of each covariance.
        sigma: of the smoothing, in pixels.

    Raises:
        MethodError: `dimensions` exceeds the layers' channels; fewer than three training images.
    """

    drawn_K: Tensor
    mean_NK: Tensor
    whitening_NKK: Tensor

    def __init__(
        self, backbone: str, weights: str, layers: list[str], dimensions: int, regularisation: float, sigma: float
    ) -> None:
        super().__init__()
        self.regularisation, self.sigma = regularisation, sigma
        self.source = FeatureSource(backbone, weights, layers)
        channels = sum(self.source.channels.values())
        if not 0 < dimensions <= channels:
            raise MethodError(
                f"method.model.dimensions={dimensions}, but {', '.join(layers)} have {channels} channels."
            )
        self.register_buffer("drawn_K", torch.randperm(channels)[:dimensions].sort().values)
        self.register_buffer("mean_NK", torch.empty(0, 0))  # N: positions
        self.register_buffer("whitening_NKK", torch.empty(0, 0, 0))
        self._start_NK = self._sum_NK = self._products_NKK = torch.empty(0)

    def observe(self, images_BCHW: Tensor) -> None:
        """Running sums of deviations from the first image, of which large common values would not take the digits."""
        features_NBK = self._features(images_BCHW).flatten(1, 2).transpose(0, 1)
        if not len(self._sum_NK):
            self._start_sums(features_NBK[:, 0])
        deviations_NBK = features_NBK - self._start_NK[:, None]
        self._sum_NK += deviations_NBK.sum(dim=1)
        self._products_NKK.baddbmm_(deviations_NBK.transpose(1, 2), deviations_NBK)

    def _start_sums(self, first_NK: Tensor) -> None:
        if self.training_images < LEAST_IMAGES:
            raise MethodError(
                f"PaDiM estimates a covariance at each position: it needs {LEAST_IMAGES} training images at least, not "
                f"{self.training_images}. Images held out for the threshold do not count."
            )
        self._start_NK, self._sum_NK = first_NK.clone(), torch.zeros_like(first_NK)
        self._products_NKK = first_NK.new_zeros(*first_NK.shape, first_NK.shape[1])

    def fit(self) -> None:
        """Mean and inverse Cholesky factor of each position's covariance, in the memory of the sums."""
        images = self.training_images
        self.mean_NK = self._start_NK + self._sum_NK / images
        for first in range(0, len(self._sum_NK), POSITIONS_AT_ONCE):
            here = slice(first, first + POSITIONS_AT_ONCE)
            sum_NK, products_NKK = self._sum_NK[here], self._products_NKK[here]
            scatter_NKK = products_NKK - sum_NK[:, :, None] * sum_NK[:, None] / images
            products_NKK.copy_(whitening(scatter_NKK / (images - 1), self.regularisation))
        self.whitening_NKK = self._products_NKK
        self._start_NK = self._sum_NK = self._products_NKK = torch.empty(0)

    def anomaly_map(self, images_BCHW: Tensor) -> Tensor:
        features_BPQK = self._features(images_BCHW)
        deviations_NKB = features_BPQK.flatten(1, 2).permute(1, 2, 0) - self.mean_NK[..., None]
        distances_NB = torch.linalg.vector_norm(self.whitening_NKK @ deviations_NKB, dim=1)
        scores_BPQ = distances_NB.T.reshape(features_BPQK.shape[:3])
        return enlarged(scores_BPQ, images_BCHW.shape[2:], self.sigma)

    def _features(self, images_BCHW: Tensor) -> Tensor:
        """The drawn channels of each position (B, P, Q, K): coarser layers are repeated on the first layer's grid."""
        layers = list(self.source(images_BCHW).values())
        drawn, grid = self._drawn_by_layer(), layers[0].shape[2:]
        same = [F.interpolate(layer[:, own], size=grid) for layer, own in zip(layers, drawn, strict=True) if len(own)]
        return torch.cat(same, dim=1).permute(0, 2, 3, 1)

    def _drawn_by_layer(self) -> list[Tensor]:
        """Drawn channels of each layer, counted from the layer's first."""
        drawn, first = [], 0
        for channels in self.source.channels.values():
            own = (self.drawn_K >= first) & (self.drawn_K < first + channels)
            drawn.append(self.drawn_K[own] - first)
            first += channels
        return drawn

    def facts(self) -> dict[str, str | int | float]:
        return {**self.source.identity, "drawn_dimensions": " ".join(str(at) for at in self.drawn_K.tolist())}


def whitening(covariances_NKK: Tensor, regularisation: float) -> Tensor:
    """Lower triangular W with W'W the inverse of covariance + regularisation * I: |W(x - m)| is the Mahalanobis distance."""
    identity_KK = torch.eye(covariances_NKK.shape[-1]).to(covariances_NKK)
    factors_NKK = torch.linalg.cholesky(covariances_NKK + regularisation * identity_KK)
    inverses_NKK: Tensor = torch.linalg.solve_triangular(factors_NKK, identity_KK.expand_as(factors_NKK), upper=False)
    return inverses_NKK
