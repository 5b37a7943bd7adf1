"""Gaussian mixture with full covariances: fitted by EM, scored by negative log-likelihood, on the device of its samples.

Source: Dempster, Laird, Rubin, Maximum Likelihood from Incomplete Data via the EM Algorithm, 1977; the steps, the start and the
stopping rule are those of scikit-learn's GaussianMixture, which tests hold it against.
Shapes: N samples, D dimensions, K components. Products run in the samples' own precision, sums and small matrices in float64.
"""

import math
from collections.abc import Iterator

import torch
from sklearn.cluster import KMeans
from torch import Tensor, nn

CHUNK = {"cpu": 1024}  # samples worked on at once: what stays in a CPU's cache ...
LARGE_CHUNK = 1 << 17  # ... and what fills a GPU, in less than 1 GB
TINY = 10 * torch.finfo(torch.float64).eps  # keeps a component that lost all samples from dividing by zero


class GaussianMixture(nn.Module):
    """A density over D dimensions; `fit` it, then `nll` scores samples.

    Each covariance is kept as its whitening matrix W with W W^T = covariance^-1, so that (x - mean) W has unit covariance.

    Args:
        components: number of Gaussians, K.
        dimensions: of a sample, D.
        iterations: of EM, at most.
        tolerance: EM stops once the mean log-likelihood changes by less in one iteration.
        regularisation: added to the variances, in squared units of the samples.
    """

    weights_K: Tensor
    means_KD: Tensor
    whitening_KDD: Tensor

    def __init__(
        self, components: int, dimensions: int, iterations: int, tolerance: float, regularisation: float
    ) -> None:
        super().__init__()
        self.components, self.iterations = components, iterations
        self.tolerance, self.regularisation = tolerance, regularisation
        self.iterations_run = 0
        self.register_buffer("weights_K", torch.full((components,), 1 / components, dtype=torch.float64))
        self.register_buffer("means_KD", torch.zeros(components, dimensions, dtype=torch.float64))
        self.register_buffer("whitening_KDD", torch.eye(dimensions, dtype=torch.float64).repeat(components, 1, 1))

    def fit(self, samples_ND: Tensor, seed: int) -> None:
        """Start from k-means and run EM.

        Args:
            samples_ND: float, at least K of them.
            seed: of k-means.
        """
        self.start_from_clusters(samples_ND, seed)
        self.expectation_maximisation(samples_ND)

    def start_from_clusters(self, samples_ND: Tensor, seed: int) -> None:
        """One Gaussian for each cluster that k-means finds."""
        clusters = KMeans(self.components, n_init=1, random_state=seed).fit(samples_ND.cpu().numpy())
        labels_N = torch.from_numpy(clusters.labels_).to(samples_ND.device)
        covariances_KDD = torch.zeros_like(self.whitening_KDD)
        for k in range(self.components):
            members_MD = samples_ND[labels_N == k].double()
            self.weights_K[k] = len(members_MD) / len(samples_ND)
            self.means_KD[k] = members_MD.sum(dim=0) / max(len(members_MD), 1)
            centred_MD = members_MD - self.means_KD[k]
            covariances_KDD[k] = centred_MD.mT @ centred_MD / max(len(members_MD), 1)
        self.whitening_KDD.copy_(self._whitening_of(covariances_KDD))

    def expectation_maximisation(self, samples_ND: Tensor) -> float:
        """Run EM from the present state; returns the mean log-likelihood that the last expectation step saw."""
        likelihood = -math.inf
        for iteration in range(1, self.iterations + 1):
            self.iterations_run = iteration
            previous, likelihood = likelihood, self._em_step(samples_ND)
            if abs(likelihood - previous) < self.tolerance:
                break
        return likelihood

    def _em_step(self, samples_ND: Tensor) -> float:
        """One pass over the samples.

        Moments are summed in whitened coordinates: there they are of order 1 and about the old mean, so that nothing cancels.
        """
        total = self.weights_K.new_zeros(())
        mass_K, first_KD = torch.zeros_like(self.weights_K), torch.zeros_like(self.means_KD)
        second_KDD = torch.zeros_like(self.whitening_KDD)
        for whitened_NKD, log_joint_NK in self._whitened_chunks(samples_ND):
            log_likelihood_N = log_joint_NK.logsumexp(dim=1)
            responsibility_NK = (log_joint_NK - log_likelihood_N[:, None]).exp()
            weighted_NKD = responsibility_NK[..., None] * whitened_NKD
            total += log_likelihood_N.double().sum()
            mass_K += responsibility_NK.sum(dim=0)
            first_KD += weighted_NKD.sum(dim=0)
            second_KDD += torch.einsum("nkd,nke->kde", weighted_NKD, whitened_NKD)
        self._update(mass_K + TINY, first_KD, second_KDD)
        return total.item() / len(samples_ND)

    def _update(self, mass_K: Tensor, first_KD: Tensor, second_KDD: Tensor) -> None:
        """The maximisation step: from moments in whitened coordinates to weights, means and covariances."""
        shift_KD = first_KD / mass_K[:, None]
        spread_KDD = second_KDD / mass_K[:, None, None] - shift_KD[:, :, None] * shift_KD[:, None, :]
        colouring_KDD = torch.linalg.inv(self.whitening_KDD)
        self.weights_K.copy_(mass_K / mass_K.sum())
        self.means_KD += torch.einsum("kd,kde->ke", shift_KD, colouring_KDD)
        self.whitening_KDD.copy_(self._whitening_of(colouring_KDD.mT @ spread_KDD @ colouring_KDD))

    def _whitening_of(self, covariances_KDD: Tensor) -> Tensor:
        eye_DD = torch.eye(covariances_KDD.shape[-1], dtype=covariances_KDD.dtype, device=covariances_KDD.device)
        cholesky_KDD = torch.linalg.cholesky(covariances_KDD + self.regularisation * eye_DD)
        inverse_KDD: Tensor = torch.linalg.solve_triangular(cholesky_KDD, eye_DD, upper=False)
        return inverse_KDD.mT

    def nll(self, samples_ND: Tensor) -> Tensor:
        """Negative log-likelihood of each sample, (N,), in nats."""
        return torch.cat([-log_joint_NK.logsumexp(dim=1) for _, log_joint_NK in self._whitened_chunks(samples_ND)])

    def _whitened_chunks(self, samples_ND: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Chunks of samples, whitened by each component (N, K, D), and their log joint densities log w_k p_k(x), (N, K).

        All components are whitened by one matrix product, which is where the time goes.
        """
        components, dimensions = self.means_KD.shape
        matrix_DE = self.whitening_KDD.transpose(0, 1).reshape(dimensions, -1).to(samples_ND.dtype)  # E = K D
        offset_E = torch.einsum("kd,kde->ke", self.means_KD, self.whitening_KDD).flatten().to(samples_ND.dtype)
        log_determinant_K = self.whitening_KDD.diagonal(dim1=1, dim2=2).log().sum(dim=1)
        constant_K = self.weights_K.log() + log_determinant_K - dimensions / 2 * math.log(2 * math.pi)
        for chunk_ND in torch.split(samples_ND, CHUNK.get(samples_ND.device.type, LARGE_CHUNK)):
            whitened_NKD = torch.addmm(-offset_E, chunk_ND, matrix_DE).view(-1, components, dimensions)
            distance_NK = torch.linalg.vector_norm(whitened_NKD, dim=2)  # several times faster than squares and a sum
            yield whitened_NKD, constant_K.to(samples_ND.dtype) - distance_NK.square() / 2
