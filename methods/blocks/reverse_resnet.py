"""Bottleneck and decoder of RD4AD (Deng & Li, CVPR 2022, section 3; layers as in the authors' code), for torchvision's ResNets.

The decoder is a ResNet backwards: where a ResNet's stages halve the side by a stride, its stages double it by a transposed
convolution.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, ResNet
from torchvision.models.resnet import Bottleneck as BottleneckBlock

from methods.blocks.resnet_stages import PUBLISHED

PLANES = (64, 128, 256, 512)  # of a ResNet's stages, before a bottleneck block's expansion


class FusedCode(nn.Module):
    """Maps of layer1 to layer3 in, a code of half layer3's side out: the paper's one-class bottleneck embedding."""

    def __init__(self, backbone: str) -> None:
        super().__init__()
        network = _network(backbone)
        e = network.layer4[0].expansion
        self.from_layer1 = nn.Sequential(*_halved(64 * e, 128 * e), *_halved(128 * e, 256 * e))
        self.from_layer2 = nn.Sequential(*_halved(128 * e, 256 * e))
        self.stage = _stage(network, 3 * 256 * e, 512, len(network.layer4), up=False)
        _initialise(self)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """(B, 64 e, h, w), (B, 128 e, h/2, w/2), (B, 256 e, h/4, w/4) to (B, 512 e, h/8, w/8), e = 1 for ResNet-18, else 4."""
        layer1, layer2, layer3 = features
        fused = torch.cat([self.from_layer1(layer1), self.from_layer2(layer2), layer3], dim=1)
        code: Tensor = self.stage(fused)
        return code


class ReverseResNet(nn.Module):
    """A code in, the maps of layer1 to layer3 out."""

    def __init__(self, backbone: str) -> None:
        super().__init__()
        network = _network(backbone)
        e = network.layer4[0].expansion
        counts = [len(stage) for stage in (network.layer1, network.layer2, network.layer3)]  # in this order: code
        self.stages = nn.ModuleList(
            _stage(network, before * e, planes, count, up=True)
            for before, planes, count in zip(PLANES[:0:-1], PLANES[-2::-1], counts, strict=True)
        )
        _initialise(self)

    def forward(self, code_BCHW: Tensor) -> list[Tensor]:
        restored = []
        for stage in self.stages:
            code_BCHW = stage(code_BCHW)
            restored.append(code_BCHW)
        return restored[::-1]


def _network(backbone: str) -> ResNet:
    """The encoder's shape, without its weights."""
    with torch.device("meta"):
        return PUBLISHED[backbone][0]()


def _halved(before: int, after: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)


def _stage(network: ResNet, before: int, planes: int, count: int, up: bool) -> nn.Sequential:
    """Residual blocks, of which the first halves the side of its input, or doubles it (`up`)."""
    block: type[BasicBlock | BottleneckBlock] = type(network.layer4[0])
    after, width = planes * block.expansion, network.base_width
    conv = nn.ConvTranspose2d(before, after, 2, 2, bias=False) if up else nn.Conv2d(before, after, 1, 2, bias=False)
    shortcut = nn.Sequential(conv, nn.BatchNorm2d(after))
    first = block(before, planes, 1 if up else 2, shortcut, base_width=width)
    if up:
        strided = "conv1" if block is BasicBlock else "conv2"
        conv = getattr(first, strided)
        setattr(first, strided, nn.ConvTranspose2d(conv.in_channels, conv.out_channels, 2, 2, bias=False))
    return nn.Sequential(first, *(block(after, planes, base_width=width) for _ in range(count - 1)))


def _initialise(network: nn.Module) -> None:
    """He et al., as in torchvision's ResNets; transposed convolutions keep PyTorch's default (code)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
