"""Features of image patches from torchvision's ResNet-18 (He et al., CVPR 2016), averaged over the pixels of one of its layers."""

import hashlib
import warnings
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import ResNet18_Weights, resnet18
from torchvision.transforms.functional import normalize

from methods.contract import MethodError

IMAGENET, RANDOM = "imagenet", "random"  # what `weights` may be, beside a path
LAYERS = ("layer1", "layer2", "layer3", "avgpool")  # 64, 128, 256 and 512 features; avgpool is layer4 averaged
IMAGENET_MEAN, IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
PIXELS_AT_ONCE = 2**18  # that enter the network, 1024 patches of 16 px: bounds the memory at some 100 MB


class ResNetFeatures(nn.Module):
    """Patches in, one feature vector per patch out. Never trained: always in evaluation mode, without gradients.

    Args:
        weights: `imagenet` (torchvision downloads, checks and caches them), `random`, or the path of a state dict in
            torchvision's names, which may lack what `layer` does not need.
        layer: one of `LAYERS`.
        input_px: side at which patches enter the network; those of another size are resized bilinearly.

    Raises:
        MethodError: unknown layer; weights that cannot be had, read or fitted to the network, or lack some of its tensors.
    """

    def __init__(self, weights: str, layer: str, input_px: int) -> None:
        super().__init__()
        if layer not in LAYERS:
            raise MethodError(f"method.layer takes {', '.join(LAYERS)}, not {layer}.")
        self.input_px = input_px
        self.body = _body(layer)
        self.weights_mark = _load(self.body, weights, layer)
        self.requires_grad_(False).train(False)

    def forward(self, patches_NCHW: Tensor) -> Tensor:
        """Features (N, D) of RGB patches with values in [0, 1]."""
        if patches_NCHW.shape[-1] != self.input_px:
            patches_NCHW = F.interpolate(patches_NCHW, size=self.input_px, mode="bilinear")
        normalised_NCHW = normalize(patches_NCHW, IMAGENET_MEAN, IMAGENET_STD)
        features_NDHW: Tensor = self.body(normalised_NCHW.contiguous(memory_format=torch.channels_last))
        return features_NDHW.mean(dim=(2, 3))

    def of_patches(self, image_CHW: Tensor, corners_N2: Tensor, patch: int) -> Tensor:
        """Features (N, D) of the patch x patch windows of an image whose first pixels (y, x) are given, a chunk at a time."""
        windows_CYXPP = image_CHW.unfold(1, patch, 1).unfold(2, patch, 1)  # a view: pixels are copied by indexing
        chunks = torch.split(corners_N2, max(1, PIXELS_AT_ONCE // self.input_px**2))
        return torch.cat(
            [self(windows_CYXPP[:, y, x].transpose(0, 1)) for y, x in (chunk.unbind(1) for chunk in chunks)]
        )

    def train(self, mode: bool = True) -> "ResNetFeatures":
        return super().train(False)  # batch statistics would let patches change each other's features


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


def _body(layer: str) -> nn.Sequential:
    """ResNet-18 up to and including a layer, with exactly the tensors it needs, under torchvision's names."""
    body = nn.Sequential()
    for name, part in resnet18().named_children():
        body.add_module(name, part)
        if name == layer:
            break
    for module in body.modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
            module.__class__ = TrimmedConv2d  # the same parameters, another forward
    return body.to(memory_format=torch.channels_last)  # 1.2 times faster than the default layout on a CPU


def _load(body: nn.Sequential, weights: str, layer: str) -> str:
    """Load weights into the body; the answer is what a record says of them."""
    if weights == RANDOM:
        warnings.warn("ResNet-18 has RANDOM weights: good for a trial run, its numbers mean nothing.", stacklevel=2)
        return RANDOM
    state = _downloaded() if weights == IMAGENET else _read(Path(weights).expanduser())
    try:
        missing = body.load_state_dict(state, strict=False).missing_keys
    except (RuntimeError, TypeError) as error:
        raise MethodError(f"{weights} does not hold weights of torchvision's ResNet-18: {error}") from error
    if missing:
        raise MethodError(
            f"{weights} lacks tensors that method.layer={layer} needs: {', '.join(missing)}. Give a complete file, or "
            f"choose an earlier layer ({', '.join(LAYERS[:-1])})."
        )
    return IMAGENET if weights == IMAGENET else _file_mark(Path(weights).expanduser())


def _downloaded() -> Mapping[str, Tensor]:
    published = ResNet18_Weights.IMAGENET1K_V1
    try:
        state: Mapping[str, Tensor] = published.get_state_dict(progress=False, check_hash=True)
    except (OSError, HTTPException, RuntimeError) as error:
        raise MethodError(
            f"Could not get the ImageNet weights of ResNet-18 from {published.url} ({error}), and "
            f"{Path(torch.hub.get_dir()) / 'checkpoints'} does not hold them. Put the file there by hand, or give it as "
            f"method.weights=PATH; for a mere trial, method.weights=random."
        ) from error
    return state


def _read(path: Path) -> Mapping[str, Tensor]:
    if not path.is_file():
        raise MethodError(f"No weight file {path}: method.weights takes a path, {IMAGENET} or {RANDOM}.")
    try:
        state: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what a broken file raises depends on where it is broken
        reason = str(error).splitlines()[0]
        raise MethodError(f"{path} cannot be read as a file of PyTorch weights ({reason}).") from error
    return state


def _file_mark(path: Path) -> str:
    with path.open("rb") as file:
        return f"{path.name} (sha256 {hashlib.file_digest(file, 'sha256').hexdigest()[:12]})"
