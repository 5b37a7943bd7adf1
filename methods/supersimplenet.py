"""SuperSimpleNet: two small heads on pretrained features learn to tell good images from the same with noise in random places.

Paper: Rolih, Fucka, Skocaj, SuperSimpleNet: Unifying Unsupervised and Supervised Learning for Fast and Reliable Surface Defect
Detection, ICPR 2024 (arXiv 2408.03143), unsupervised; settings as in the authors' code (blaz-r/SuperSimpleNet).
Idea: features pass a linear layer and take Gaussian noise where a Perlin mask says so: a defect in feature space. One head segments
the noise, another decides from features and segmentation whether there is any; what they learn answers to true defects. The
paper's network is a Wide ResNet-50 (`method.backbone=wide_resnet50_2`).
Cost of the paper's 300 epochs: about 55 h for 200 images on one CPU core (3.4 s an image and epoch).
Published (authors' results, Wide ResNet-50, five seeds): image AUROC 0.984 by its own score, pixel AUROC 0.975.
Not known to reproduce: the AU-PRO published beside it is an old anomalib's.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LRScheduler, MultiStepLR
from torchvision.ops import sigmoid_focal_loss
from torchvision.transforms.functional import gaussian_blur

from methods.blocks.feature_trained import FeatureTrained
from methods.blocks.features import FeatureSource
from methods.blocks.perlin import perlin_masks

GAMMA = 4  # of the focal loss
SEGMENTATION_WIDTH, CLASSIFICATION_WIDTH = 1024, 128
EMPTY_SHARE, OCTAVES = 0.5, 6  # of the masks
FALLS = (0.8, 0.9)  # of the epochs: where the learning rate falls


class SuperSimpleNet(FeatureTrained):
    """Map = the segmentation head's, blurred; image score = the classification head's, a logit.

    Args:
        backbone, weights, layers: of the frozen network, see `FeatureSource`; the first layer's grid is doubled.
        noise: standard deviation of the noise on adapted features.
        perlin_threshold: noise covers where the Perlin noise exceeds it.
        margin: of the truncated L1 loss.
        adaptor_learning_rate, adaptor_weight_decay, learning_rate, weight_decay: of AdamW, for the adaptor and for the heads.
        learning_rate_fall: factor at 80 % and at 90 % of the epochs.
        sigma: of the map's Gaussian blur, in pixels of the input.
        feature_cache_mib: see `FeatureTrained`.
    """

    def __init__(
        self,
        backbone: str,
        weights: str,
        layers: Sequence[str],
        noise: float,
        perlin_threshold: float,
        margin: float,
        adaptor_learning_rate: float,
        adaptor_weight_decay: float,
        learning_rate: float,
        weight_decay: float,
        learning_rate_fall: float,
        sigma: float,
        feature_cache_mib: int,
    ) -> None:
        super().__init__(FeatureSource(backbone, weights, layers), feature_cache_mib)
        self.noise, self.perlin_threshold, self.margin, self.sigma = noise, perlin_threshold, margin, sigma
        self.adaptor_learning_rate, self.adaptor_weight_decay = adaptor_learning_rate, adaptor_weight_decay
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.learning_rate_fall = learning_rate_fall
        channels = sum(self.source.channels.values())
        self.adaptor = nn.Conv2d(channels, channels, 1)
        self.segmentation = SegmentationHead(channels)
        self.classification = ClassificationHead(channels)
        for module in (self.adaptor, self.segmentation, self.classification):
            module.apply(_initialise)
        self.to(memory_format=torch.channels_last)

    def loss(self, images_BCHW: Tensor) -> Tensor:
        adapted_BCHW = self.adaptor(pooled(self.fit_features(images_BCHW)))
        doubled_NCHW = torch.cat([adapted_BCHW, adapted_BCHW])
        size = (doubled_NCHW.shape[2], doubled_NCHW.shape[3])
        masks_N1HW = perlin_masks(len(doubled_NCHW), size, self.perlin_threshold, OCTAVES, EMPTY_SHARE)
        masks_N1HW = masks_N1HW.to(doubled_NCHW.device)
        noisy_NCHW = doubled_NCHW + self.noise * torch.randn_like(doubled_NCHW) * masks_N1HW
        map_N1HW, score_N = (logits.float() for logits in self._heads(noisy_NCHW))
        return (
            truncated_l1(map_N1HW, masks_N1HW, self.margin)
            + focal_loss(map_N1HW, masks_N1HW)
            + focal_loss(score_N, masks_N1HW.amax(dim=(1, 2, 3)))
        )

    def _heads(self, adapted_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, 1, h, w) and score (B,), both logits of noise."""
        map_B1HW = self.segmentation(adapted_BCHW)
        return map_B1HW, self.classification(adapted_BCHW, map_B1HW.detach())

    def configure_optimizers(self) -> tuple[list[torch.optim.Optimizer], list[LRScheduler]]:
        heads = [*self.segmentation.parameters(), *self.classification.parameters()]
        optimizer = torch.optim.AdamW(
            [
                {
                    "params": self.adaptor.parameters(),
                    "lr": self.adaptor_learning_rate,
                    "weight_decay": self.adaptor_weight_decay,
                },
                {"params": heads, "lr": self.learning_rate, "weight_decay": self.weight_decay},
            ]
        )
        falls = [round(share * (self.trainer.max_epochs or 1)) for share in FALLS]
        return [optimizer], [MultiStepLR(optimizer, falls, self.learning_rate_fall)]

    def anomaly_map(self, images_BCHW: Tensor) -> Tensor:
        return self.map_and_score(images_BCHW)[0]

    def map_and_score(self, images_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        features = list(self.source(images_BCHW).values())
        map_B1HW, score_B = self._heads(self.adaptor(pooled(features)))
        map_B1HW = F.interpolate(map_B1HW, images_BCHW.shape[2:], mode="bilinear")
        if not self.sigma:
            return map_B1HW[:, 0], score_B
        taps = 2 * math.ceil(3 * self.sigma) + 1
        return gaussian_blur(map_B1HW, taps, self.sigma)[:, 0], score_B


class SegmentationHead(nn.Sequential):
    """Features (B, C, h, w) to one logit for each position, (B, 1, h, w)."""

    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.Conv2d(channels, SEGMENTATION_WIDTH, 1),
            nn.BatchNorm2d(SEGMENTATION_WIDTH),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(SEGMENTATION_WIDTH, 1, 1, bias=False),
        )


class ClassificationHead(nn.Module):
    """Features (B, C, h, w) and map (B, 1, h, w) to one logit for each image, (B,)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels + 1, CLASSIFICATION_WIDTH, 5, padding=2),
            nn.BatchNorm2d(CLASSIFICATION_WIDTH),
            nn.ReLU(inplace=True),
        )
        self.score = nn.Linear(2 * CLASSIFICATION_WIDTH + 2, 1)

    def forward(self, features_BCHW: Tensor, map_B1HW: Tensor) -> Tensor:
        body_BDHW = self.body(torch.cat([features_BCHW, map_B1HW], dim=1))
        pooled = [
            part.amax((2, 3)) if top else part.mean((2, 3)) for part in (body_BDHW, map_B1HW) for top in (True, False)
        ]
        score_B: Tensor = self.score(torch.cat(pooled, dim=1))[:, 0]
        return score_B


def pooled(features: Sequence[Tensor]) -> Tensor:
    """All layers on twice the first one's grid, concatenated, and averaged over 3 x 3 positions, (B, C, 2 h, 2 w)."""
    height, width = features[0].shape[2:]
    size = (2 * height, 2 * width)
    upsampled = [F.interpolate(layer_BCHW, size, mode="bilinear", align_corners=True) for layer_BCHW in features]
    return F.avg_pool2d(torch.cat(upsampled, dim=1), 3, stride=1, padding=1)


def truncated_l1(map_N1HW: Tensor, masks_N1HW: Tensor, margin: float) -> Tensor:
    """Positions without noise are pushed below -margin, those with noise above it, no further; each kind's mean, summed."""
    clean, noisy = map_N1HW[masks_N1HW == 0], map_N1HW[masks_N1HW == 1]
    parts = [F.relu(margin + side) for side in (clean, -noisy) if len(side)]
    return torch.stack([part.mean() for part in parts]).sum()


def focal_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross entropy weighted by (1 - probability of the right answer)^4, mean."""
    loss: Tensor = sigmoid_focal_loss(logits, targets, alpha=-1, gamma=GAMMA, reduction="mean")
    return loss


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_normal_(module.weight)
