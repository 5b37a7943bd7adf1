"""PatchCore: how far a patch is from the patches of good images, remembered by a few that cover them all.

Paper: Roth et al., Towards Total Recall in Industrial Anomaly Detection, CVPR 2022 (arXiv 2106.08265). Idea: features of all
training patches, thinned out so that no patch is far from one that is kept, are the memory; an image's patch is as anomalous as
its nearest memory is far.
Cost: no training. One pass of the network over the training images, then one product of all patches with a vector for each
patch that is kept; after that a search in some thousand patches per image.
Not reproduced: the authors' code pools each layer's 3x3 neighbourhoods to 1024 values, and both layers together to 1024; here they
are averaged and put side by side (384 values for a ResNet-18). Their tables are for wide_resnet50_2 and cut the centre 224 out of
256 pixels; here nothing is cut.
Published means over MVTec AD, image / pixel AUROC: 0.992 / 0.981 (README of amazon-science/patchcore-inspection: wide_resnet50_2,
bank of 10 %, 224 pixels); ResNet-18 0.973 / 0.976 (README of anomalib b7233686: bank of 10 %, one seed).
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from methods.blocks.coreset import Reservoir, greedy_k_centre, random_projection
from methods.blocks.features import FeatureSource
from methods.blocks.maps import enlarged
from methods.blocks.neighbours import distances_to_nearest, nearest
from methods.contract import FittedMethod, MethodError

BYTES = 4  # of a float32


class PatchCore(FittedMethod):
    """Score of a patch = mean Euclidean distance to its nearest patches in the bank; map = scores, interpolated and smoothed.

    Args:
        backbone, weights, layers: of the network, see `FeatureSource`; the first layer's grid is that of the patches.
        share: of the training patches that are kept in the bank.
        max_bank: patches that are kept at most.
        projection: dimensions in which the patches to keep are chosen.
        neighbours: how many nearest patches a score averages.
        reweight: patches of the bank around the nearest one that the paper's equation 7 looks at, 2 or more; 0 leaves it out.
        memory_mib: of training patches that are held while fitting. Where they need more, a uniform random sample of them is held.
        sigma: of the smoothing, in pixels.

    Raises:
        MethodError: `reweight` is neither 0 nor 2 or more.
    """

    bank_MD: Tensor

    def __init__(
        self,
        backbone: str,
        weights: str,
        layers: list[str],
        share: float,
        max_bank: int,
        projection: int,
        neighbours: int,
        reweight: int,
        memory_mib: float,
        sigma: float,
    ) -> None:
        super().__init__()
        if reweight != 0 and reweight < 2:
            raise MethodError(
                f"method.model.reweight={reweight}: it is 0 or a number from 2 on. A single patch has nothing to be weighed "
                "against, and every image would score 0."
            )
        self.share, self.max_bank, self.projection = share, max_bank, projection
        self.neighbours, self.reweight, self.memory_mib, self.sigma = neighbours, reweight, memory_mib, sigma
        self.source = FeatureSource(backbone, weights, layers)
        self.register_buffer("bank_MD", torch.empty(0, 0))
        self._observed: Reservoir | None = None
        self._facts: dict[str, int] = {}

    def observe(self, images_BCHW: Tensor) -> None:
        patches_BPQD = self.patches(images_BCHW)
        patches_ND = patches_BPQD.flatten(0, 2)
        if self._observed is None:
            held = int(self.memory_mib * 2**20) // (BYTES * (patches_ND.shape[1] + self.projection))
            expected = self.training_images * patches_BPQD[0, ..., 0].numel()
            self._observed = Reservoir(max(1, min(held, expected)), patches_ND)
        self._observed.add(patches_ND)

    def fit(self) -> None:
        """The bank: patches of the training images that cover them all, chosen by the greedy k-centre algorithm."""
        assert self._observed is not None
        patches_ND, seen = self._observed.rows_ND, self._observed.seen
        self._observed = None
        count = min(max(1, round(self.share * seen)), self.max_bank, len(patches_ND))
        projection_DK = random_projection(patches_ND.shape[1], self.projection).to(patches_ND)
        self.bank_MD = patches_ND[greedy_k_centre(patches_ND @ projection_DK, count)]
        self._facts = {"bank": count, "patches_seen": seen, "patches_held": len(patches_ND)}

    def anomaly_map(self, images_BCHW: Tensor) -> Tensor:
        return self.map_and_score(images_BCHW)[0]

    def map_and_score(self, images_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """The paper scores an image by its most anomalous patch."""
        patches_BPQD = self.patches(images_BCHW)
        neighbours = min(self.neighbours, len(self.bank_MD))
        distances_NM = distances_to_nearest(patches_BPQD.flatten(0, 2), self.bank_MD, neighbours)
        scores_BPQ = distances_NM.mean(dim=1).view(patches_BPQD.shape[:3])
        own_B = self._most_anomalous(patches_BPQD.flatten(1, 2), scores_BPQ.flatten(1))
        return enlarged(scores_BPQ, images_BCHW.shape[2:], self.sigma), own_B

    def _most_anomalous(self, patches_BND: Tensor, scores_BN: Tensor) -> Tensor:
        """The largest score of each image, (B,); re-weighted, it counts more if its nearest patch in the bank is a rare one.

        A bank of one patch has none around it: the score stands as it is.
        """
        score_B, place_B = scores_BN.max(dim=1)
        if not self.reweight or len(self.bank_MD) == 1:
            return score_B
        patch_BD = patches_BND[torch.arange(len(patches_BND)), place_B]
        nearest_BD = self.bank_MD[nearest(patch_BD, self.bank_MD, 1)[:, 0]]
        around_BMD = self.bank_MD[nearest(nearest_BD, self.bank_MD, min(self.reweight, len(self.bank_MD)))]
        distances_BM = torch.linalg.vector_norm(patch_BD[:, None] - around_BMD, dim=2)
        return (1 - torch.softmax(distances_BM, dim=1)[:, 0]) * score_B

    def patches(self, images_BCHW: Tensor) -> Tensor:
        """Features of each patch (B, P, Q, D): the layers' 3x3 means, brought to the first layer's grid, side by side."""
        layers = [F.avg_pool2d(layer, 3, stride=1, padding=1) for layer in self.source(images_BCHW).values()]
        grid = layers[0].shape[2:]
        same = [layer if layer.shape[2:] == grid else F.interpolate(layer, grid, mode="bilinear") for layer in layers]
        return torch.cat(same, dim=1).permute(0, 2, 3, 1)

    def facts(self) -> dict[str, str | int | float]:
        return {**self.source.identity, **self._facts}
