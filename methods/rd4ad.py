"""RD4AD: a decoder learns to give back a pretrained encoder's features from a narrow code, which keeps only what good images show.

Paper: Deng & Li, Anomaly Detection via Reverse Distillation from One-Class Embedding, CVPR 2022 (arXiv 2201.10703); settings
as in the authors' code (hq-deng/RD4AD).
Idea: a frozen ResNet's three maps are fused into a code of 1/32 of the image's side, and a mirrored ResNet restores them from it.
Where restored and original features point in different directions lies a defect. The paper's encoder is a Wide ResNet-50
(`method.backbone=wide_resnet50_2`); the ResNet-18 here is in the authors' code.
Cost of the paper's 200 epochs: about 6 h for 200 images on one CPU core (0.52 s an image and epoch).
Published: for ResNet-18 nothing; with the paper's Wide ResNet-50, run again by anomalib, image AUROC 0.985, pixel AUROC 0.969.
Not known to reproduce: the authors' AU-PRO averages over single images, with a normalisation of its own; it is not MVTec's.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from methods.blocks.blur import gaussian_blur
from methods.blocks.feature_trained import FeatureTrained
from methods.blocks.features import FeatureSource
from methods.blocks.resnet_stages import require_resnet
from methods.blocks.reverse_resnet import FusedCode, ReverseResNet
from methods.contract import MethodError

LAYERS = ("layer1", "layer2", "layer3")


class RD4AD(FeatureTrained):
    """Map = sum over the layers of 1 - cosine of original and restored features at each position, blurred.

    Args:
        backbone, weights: of the encoder, see `FeatureSource`; torchvision's ResNets only.
        learning_rate, betas: of Adam.
        sigma: of the map's Gaussian blur, in pixels of the input.
        feature_cache_mib: see `FeatureTrained`.
    """

    def __init__(
        self,
        backbone: str,
        weights: str,
        learning_rate: float,
        betas: tuple[float, float],
        sigma: float,
        feature_cache_mib: int,
    ) -> None:
        require_resnet(backbone, "RD4AD")
        super().__init__(FeatureSource(backbone, weights, LAYERS), feature_cache_mib)
        self.learning_rate, self.betas, self.sigma = learning_rate, (betas[0], betas[1]), sigma
        self.bottleneck, self.decoder = FusedCode(backbone), ReverseResNet(backbone)
        self.to(memory_format=torch.channels_last)

    def loss(self, images_BCHW: Tensor) -> Tensor:
        features = self.fit_features(images_BCHW)
        return cosine_loss(features, self.restored(features))

    def restored(self, features: Sequence[Tensor]) -> list[Tensor]:
        """The features of the three layers as the decoder gives them back, shapes as they came."""
        restored: list[Tensor] = self.decoder(self.bottleneck(features))
        if restored[0].shape != features[0].shape:
            raise MethodError(
                "RD4AD takes images whose sides are multiples of 32 px: set method.inputs.object.px (or texture.px) to one, "
                "such as 256."
            )
        return restored

    def configure_optimizers(self) -> torch.optim.Optimizer:
        trained = [*self.bottleneck.parameters(), *self.decoder.parameters()]
        return torch.optim.Adam(trained, self.learning_rate, self.betas)

    def anomaly_map(self, images_BCHW: Tensor) -> Tensor:
        features = list(self.source(images_BCHW).values())
        map_BHW = cosine_map(features, self.restored(features), images_BCHW.shape[2:])
        return gaussian_blur(map_BHW, self.sigma)


def cosine_loss(original: Sequence[Tensor], restored: Sequence[Tensor]) -> Tensor:
    """1 - cosine of an image's whole flattened map, mean over the images, sum over the layers.

    As in the authors' code; the paper writes it for each position.
    """
    return torch.stack(
        [
            1 - F.cosine_similarity(o_BCHW.flatten(1), r_BCHW.flatten(1)).mean()
            for o_BCHW, r_BCHW in zip(original, restored, strict=True)
        ]
    ).sum()


def cosine_map(original: Sequence[Tensor], restored: Sequence[Tensor], size: Sequence[int]) -> Tensor:
    """Sum over the layers of 1 - cosine at each position, brought to the size of the images, (B, H, W)."""
    distances = (1 - F.cosine_similarity(o, r)[:, None] for o, r in zip(original, restored, strict=True))
    upsampled = [F.interpolate(d_B1HW, size, mode="bilinear", align_corners=True) for d_B1HW in distances]
    return torch.cat(upsampled, dim=1).sum(dim=1)
