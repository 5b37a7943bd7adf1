"""Principal component analysis as a linear autoencoder: the distance of a sample from the subspace of normal ones.

Idea: the best linear reconstruction from k numbers; what an autoencoder of the same bottleneck adds to it is the non-linearity.
Cost: seconds; scikit-learn's PCA in closed form.
"""

import torch
from torch import Tensor

from methods.blocks.reconstruction import ReconstructionMethod
from methods.contract import FittedMethod


class PCAReconstruction(ReconstructionMethod, FittedMethod):
    """Score = mean squared error of the projection on the first principal components.

    Args:
        components: how many; of D values at most D - 1, as all of them would reconstruct everything.
    """

    mean_D: Tensor
    components_KD: Tensor

    def __init__(self, components: int) -> None:
        super().__init__()
        self.components = components
        self.register_buffer("mean_D", torch.empty(0))
        self.register_buffer("components_KD", torch.empty(0, 0))
        self._observed: list[Tensor] = []

    def observe(self, images_BCHW: Tensor) -> None:
        self._observed.append(images_BCHW.flatten(1).double())

    def fit(self) -> None:
        """Mean and principal directions of the training samples."""
        from sklearn.decomposition import PCA

        samples_ND = torch.cat(self._observed)
        self._observed.clear()
        count = min(self.components, samples_ND.shape[1] - 1, len(samples_ND))
        fitted = PCA(count, svd_solver="full").fit(samples_ND.cpu().numpy())
        self.mean_D = torch.from_numpy(fitted.mean_).float().to(self.device)
        self.components_KD = torch.from_numpy(fitted.components_).float().to(self.device)

    def reconstruct(self, samples: Tensor) -> Tensor:
        centred_BD = samples.flatten(1) - self.mean_D
        return (centred_BD @ self.components_KD.T @ self.components_KD + self.mean_D).view_as(samples)
