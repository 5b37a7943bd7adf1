"""torchvision's ResNets (He et al., CVPR 2016) up to a layer, with exactly the tensors that it needs, under torchvision's names."""

from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import (
    ResNet,
    ResNet18_Weights,
    ResNet50_Weights,
    WeightsEnum,
    Wide_ResNet50_2_Weights,
    resnet18,
    resnet50,
    wide_resnet50_2,
)

from methods.blocks.feature_weights import IMAGENET, RANDOM, State, fill, read_weights
from methods.contract import MethodError

# What `weights=imagenet` means: one named set each, the one that the papers of these methods had.
PUBLISHED = {
    "resnet18": (resnet18, ResNet18_Weights.IMAGENET1K_V1),
    "resnet50": (resnet50, ResNet50_Weights.IMAGENET1K_V1),
    "wide_resnet50_2": (wide_resnet50_2, Wide_ResNet50_2_Weights.IMAGENET1K_V1),
}
LAYERS = ("layer1", "layer2", "layer3", "layer4", "avgpool")  # avgpool is layer4 averaged, 1 x 1


class ResNetStages(nn.Sequential):
    """Normalised images in, the output of each wanted layer out; see `FeatureSource` for arguments and errors."""

    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet

    def __init__(self, backbone: str, weights: str, layers: Sequence[str]) -> None:
        super().__init__()
        _check(backbone, layers)
        self.layers = tuple(layers)
        self.channels: dict[str, int] = {}
        self._take_over(PUBLISHED[backbone][0]())
        self.library = f"torchvision {torchvision.__version__}"
        self.weights_mark = self._load(backbone, weights)

    def _take_over(self, network: ResNet) -> None:
        for name, part in network.named_children():
            self.add_module(name, part)
            if name in self.layers:
                norms = [module for module in self.modules() if isinstance(module, nn.BatchNorm2d)]
                self.channels[name] = norms[-1].num_features
            if self.channels.keys() >= set(self.layers):
                break
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
                module.__class__ = TrimmedConv2d  # the same parameters, another forward
        self.to(memory_format=torch.channels_last)  # 1.2 times faster than the default layout on a CPU

    def _load(self, backbone: str, weights: str) -> str:
        """The answer is what a record says of the weights."""
        if weights == RANDOM:
            return RANDOM
        if weights == IMAGENET:
            published = PUBLISHED[backbone][1]
            self.load_state_dict(_downloaded(published), strict=False)
            return str(published)
        path = Path(weights).expanduser()
        state = read_weights(path)
        fill(self, state, path, f"torchvision's {backbone}", self.layers, _looks_like(state))
        return path.name

    def forward(self, images_BCHW: Tensor) -> dict[str, Tensor]:
        found, features_BCHW = {}, images_BCHW
        for name, part in self.named_children():
            features_BCHW = part(features_BCHW)
            if name in self.layers:
                found[name] = features_BCHW
        return found


class TrimmedConv2d(nn.Conv2d):
    """A 3x3 convolution that leaves out the taps which meet only zero padding, where its output is a single pixel.

    Small patches shrink to a pixel before layer4: there 8 of 9 taps are spent on padding.
    """

    def forward(self, input: Tensor) -> Tensor:
        height, width = input.shape[-2:]
        if max(height, width) > self.stride[0]:
            return super().forward(input)
        taps_DCHW = self.weight[:, :, 1 : 1 + height, 1 : 1 + width]
        return F.linear(input.flatten(1), taps_DCHW.flatten(1), self.bias)[:, :, None, None]


def require_resnet(backbone: str, method: str) -> None:
    """Raise a MethodError unless the backbone is one of torchvision's ResNets, whose build the method trains anew."""
    if backbone not in PUBLISHED:
        raise MethodError(
            f"{method} trains a network of its backbone's build: method.backbone takes {', '.join(PUBLISHED)}, not {backbone}."
        )


def _check(backbone: str, layers: Sequence[str]) -> None:
    if backbone not in PUBLISHED:
        raise MethodError(f"method.backbone takes {', '.join(PUBLISHED)} or timm:<full tag>, not {backbone}.")
    if unknown := [layer for layer in layers if layer not in LAYERS]:
        raise MethodError(f"{backbone} has the layers {', '.join(LAYERS)}, not {', '.join(unknown)}.")


def _downloaded(published: WeightsEnum) -> State:
    try:
        state: State = published.get_state_dict(progress=False, check_hash=True)
    except (OSError, HTTPException, RuntimeError) as error:
        raise MethodError(
            f"Could not get {published} from {published.url} ({error}), and {Path(torch.hub.get_dir()) / 'checkpoints'} "
            f"does not hold them. Put the file there by hand, or give it as method.weights=PATH; for a mere trial, "
            f"method.weights=random."
        ) from error
    return state


def _looks_like(state: State) -> str | None:
    """The network whose tensors all of these could be."""
    for name, (build, _) in PUBLISHED.items():
        with torch.device("meta"):
            shapes = {key: tensor.shape for key, tensor in build().state_dict().items()}
        if state and all(shapes.get(key) == tensor.shape for key, tensor in state.items()):
            return name
    return None
