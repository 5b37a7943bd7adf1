"""Features of images, layer by layer, from a frozen network: the one source that all feature methods stand on.

The name of a network does not fix its weights, so `FeatureSource.identity` says which tensors were used.
"""

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.transforms.functional import normalize

from methods.blocks.feature_weights import RANDOM, fingerprint
from methods.blocks.resnet_stages import ResNetStages
from methods.blocks.timm_features import PREFIX, TimmFeatures


class FeatureSource(nn.Module):
    """Images in, feature maps out. Never trained: always in evaluation mode, without gradients.

    Args:
        backbone: `resnet18`, `resnet50` or `wide_resnet50_2` of torchvision, or `timm:<full tag>`.
        weights: `imagenet` (the library downloads, checks and caches them), `random` (drawn from torch's global generator), or
            the path of a state dict in the library's names, which may lack what `layers` do not need.
        layers: whose output is wanted: `layer1` to `layer4` and `avgpool` of a ResNet, or names in timm's `feature_info`.

    Attributes:
        identity: facts for the run's record: backbone, library, weights, and the sha256 of the tensors that were used.
        channels: number of feature channels of each layer.

    Raises:
        MethodError: unknown backbone or layer; weights that cannot be had or read, or do not fit the network.
    """

    def __init__(self, backbone: str, weights: str, layers: Sequence[str]) -> None:
        super().__init__()
        make = TimmFeatures if backbone.startswith(PREFIX) else ResNetStages
        self.body = make(backbone.removeprefix(PREFIX), weights, layers)
        self.channels: dict[str, int] = self.body.channels
        self.requires_grad_(False).train(False)
        if weights == RANDOM:
            warnings.warn(
                f"{backbone} has RANDOM weights: good for a trial run, its numbers mean nothing.", stacklevel=2
            )
        self.identity = {
            "backbone": backbone,
            "library": self.body.library,
            "weights": self.body.weights_mark,
            "weights_sha256": fingerprint(self.body.state_dict()),
        }

    def forward(self, images_BCHW: Tensor) -> dict[str, Tensor]:
        """Feature maps (B, channels[layer], h, w) of each layer, first layer first, for RGB or gray images with values in [0, 1].

        Gray is tripled; the mean and standard deviation that the network was trained with are applied here.
        """
        features: dict[str, Tensor] = self.body(self.normalised(images_BCHW))
        return features

    def normalised(self, images_BCHW: Tensor) -> Tensor:
        """Images as the network takes them, (B, 3, H, W)."""
        normalised_BCHW: Tensor = normalize(images_BCHW.expand(-1, 3, -1, -1), self.body.mean, self.body.std)
        return normalised_BCHW.contiguous(memory_format=torch.channels_last)

    def train(self, mode: bool = True) -> "FeatureSource":
        return super().train(False)  # batch statistics would let images change each other's features
