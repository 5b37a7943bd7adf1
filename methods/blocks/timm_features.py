"""Networks of timm (Wightman, PyTorch Image Models), the optional extra `timm`: convolutional nets and plain ViTs.

A ViT's patch tokens are laid out as one feature map; its position embedding follows the images' size.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from methods.blocks.feature_weights import IMAGENET, RANDOM, fill, read_weights
from methods.contract import MethodError

PREFIX = "timm:"
PLAIN_VITS = ("vision_transformer", "deit", "eva")  # timm's modules whose nets take images of any size on request


class TimmFeatures(nn.Module):
    """Normalised images in, the output of each wanted layer out; see `FeatureSource` for arguments and errors.

    Args:
        tag: architecture and weights, such as `vit_small_patch14_dinov2.lvd142m`; `weights=imagenet` means the tag's own, whatever
            they were trained on, and asks for the full tag: timm's default weights of an architecture change.
    """

    def __init__(self, tag: str, weights: str, layers: Sequence[str]) -> None:
        super().__init__()
        timm = _timm()
        self.network = _built(timm, tag, pretrained=weights == IMAGENET)
        self.layers = tuple(layers)
        self._places = _places(self.network, tag, layers)
        info = self.network.feature_info
        self.channels: dict[str, int] = {layer: info[at]["num_chs"] for layer, at in self._places.items()}
        self.mean, self.std = self.network.pretrained_cfg["mean"], self.network.pretrained_cfg["std"]
        self.library = f"timm {timm.__version__}"
        self.network.prune_intermediate_layers(list(self._places.values()), prune_norm=True, prune_head=True)
        self.weights_mark = self._load(tag, weights)

    def _load(self, tag: str, weights: str) -> str:
        if weights == RANDOM:
            return RANDOM
        if weights == IMAGENET:
            return f"timm {tag}"
        path = Path(weights).expanduser()
        fill(self.network, read_weights(path), path, f"timm's {tag}", self.layers, None)
        return path.name

    def forward(self, images_BCHW: Tensor) -> dict[str, Tensor]:
        self._check(*images_BCHW.shape[2:])
        found = self.network.forward_intermediates(
            images_BCHW, indices=list(self._places.values()), intermediates_only=True
        )
        return dict(zip(self._places, found, strict=True))

    def _check(self, height: int, width: int) -> None:
        """A ViT cuts its images into whole patches: padding would shift the map."""
        patch = max(getattr(getattr(self.network, "patch_embed", None), "patch_size", (1,)))
        if height % patch or width % patch:
            fitting = height // patch * patch
            raise MethodError(
                f"Images of {height} x {width} px do not divide into patches of {patch} px: give method.inputs.*.px a "
                f"multiple of it, such as {fitting} or {fitting + patch}."
            )


def _timm() -> Any:
    try:
        import timm
    except ImportError as error:
        raise MethodError(f"method.backbone={PREFIX}... needs the extra `timm`: pip install '.[timm]'.") from error
    return timm


def _built(timm: Any, tag: str, pretrained: bool) -> Any:
    architecture, _, name = tag.partition(".")
    if not timm.is_model(architecture) or (name and tag not in timm.list_pretrained(f"{architecture}.*")):
        known = timm.list_pretrained(f"{architecture}.*") or timm.list_models(f"*{architecture[:8]}*")
        raise MethodError(
            f"timm {timm.__version__} has no {tag}. It has: {', '.join(known[:12]) or 'nothing like it'}."
        )
    if pretrained and not name:
        tags = ", ".join(timm.list_pretrained(f"{architecture}.*"))
        raise MethodError(f"{PREFIX}{tag} does not say which weights: give the full tag, one of {tags}.")
    plain_vit = any(timm.list_models(architecture, module=module) for module in PLAIN_VITS)
    options = {"dynamic_img_size": True} if plain_vit else {}
    try:
        return timm.create_model(tag, pretrained=pretrained, **options)
    except Exception as error:  # timm downloads through several libraries, each with errors of its own
        if not pretrained:
            raise
        reason = str(error).splitlines()[0]
        raise MethodError(
            f"Could not get timm's weights of {tag} ({reason}). Give them as method.weights=PATH, or for a mere trial "
            "method.weights=random."
        ) from error


def _places(network: Any, tag: str, layers: Sequence[str]) -> dict[str, int]:
    """Where the wanted layers lie among those that the network can show, first to last."""
    known = [info["module"] for info in network.feature_info]
    if unknown := [layer for layer in layers if layer not in known]:
        raise MethodError(f"timm's {tag} has the layers {', '.join(known)}, not {', '.join(unknown)}.")
    return {layer: at for at, layer in enumerate(known) if layer in layers}
