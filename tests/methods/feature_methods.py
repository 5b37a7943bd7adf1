"""What the tests of methods on frozen features share: images, a network with random weights, fitting without a trainer."""

from typing import Any, TypeVar

import torch
from torch import Tensor

from methods.contract import FittedMethod

NETWORK: dict[str, Any] = {"backbone": "resnet18", "weights": "random"}
Fitted = TypeVar("Fitted", bound=FittedMethod)


def stripes(count: int, px: int = 64, seed: int = 0) -> Tensor:
    """Noisy stripes, (count, 3, px, px)."""
    generator = torch.Generator().manual_seed(seed)
    stripes_W = 0.5 + 0.3 * torch.sin(torch.arange(px) * 0.8)
    return (stripes_W + 0.1 * torch.randn(count, 3, px, px, generator=generator)).clamp(0, 1)


@torch.no_grad()
def fit(method: Fitted, images_BCHW: Tensor, batch_size: int = 3) -> Fitted:
    """As the trainer does it."""
    method.training_images = len(images_BCHW)
    for batch_BCHW in images_BCHW.split(batch_size):
        method.observe(batch_BCHW)
    method.fit()
    return method.eval()
