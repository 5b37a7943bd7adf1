"""Generator and discriminator of a DCGAN (Radford et al. 2016), as the public AnoGAN code by LeeDoYup has them.

All convolutions are 5x5 of stride 2 and halve or double the size exactly. TensorFlow's "same" padding, which that code uses,
puts one pixel before and two after the image; here it is two before and one after, which is the same network seen in a mirror.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from methods.contract import MethodError

DOUBLINGS = 4
LEAK = 0.2
WEIGHT_STD = 0.02


def generator(latent: int, channels: int, px: int, width: int) -> nn.Sequential:
    """Latent vectors (N, latent) -> images (N, channels, px, px) in (-1, 1), in training to be fed batches of at least 2.

    Args:
        width: channels of the last hidden layer; each layer before it has twice as many.

    Raises:
        MethodError: px is no multiple of 16.
    """
    if px % 2**DOUBLINGS:
        raise MethodError(f"The generator makes images of a multiple of {2**DOUBLINGS} px, not {px} px.")
    side, widths = px >> DOUBLINGS, [width << level for level in reversed(range(DOUBLINGS))]
    layers: list[nn.Module] = [RowwiseLinear(latent, widths[0] * side**2), nn.Unflatten(1, (widths[0], side, side))]
    for before, after in zip(widths, [*widths[1:], channels], strict=True):
        layers += [nn.BatchNorm2d(before), nn.ReLU(inplace=True)]
        layers += [nn.ConvTranspose2d(before, after, 5, stride=2, padding=2, output_padding=1)]
    return nn.Sequential(*layers, nn.Tanh()).apply(_initialise)


class RowwiseLinear(nn.Linear):
    """A linear layer that multiplies one row at a time when it is not trained, on a CPU.

    A product of matrices is rounded in another way for another number of rows, and the hundreds of steps of a latent search can
    make much of that. Row by row, the image found does not depend on how many are searched together (convolutions on a CPU
    don't either: measured, bit for bit). On a GPU they do, so there the rows are multiplied together.
    """

    def forward(self, rows_NI: Tensor) -> Tensor:
        if self.training or rows_NI.is_cuda:
            return super().forward(rows_NI)
        return torch.stack([linear(row_I, self.weight, self.bias) for row_I in rows_NI])


class Discriminator(nn.Module):
    """Images (N, channels, px, px) in [-1, 1] -> logits (N,) that they are real.

    Args:
        width: channels of the first layer; each layer after it has twice as many.
    """

    def __init__(self, channels: int, px: int, width: int) -> None:
        super().__init__()
        widths = [width << level for level in range(DOUBLINGS)]
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 5, stride=2, padding=2), nn.LeakyReLU(LEAK, inplace=True)]
        for before, after in pairwise(widths):
            layers += [
                nn.Conv2d(before, after, 5, stride=2, padding=2),
                nn.BatchNorm2d(after),
                nn.LeakyReLU(LEAK, inplace=True),
            ]
        self.features = nn.Sequential(*layers)
        """Images -> what the last convolution sees in them, (N, 8 * width, px / 16, px / 16)."""
        self.logit = nn.Linear(widths[-1] * (px >> DOUBLINGS) ** 2, 1)
        self.apply(_initialise)

    def forward(self, images_NCHW: Tensor) -> Tensor:
        logits_N1: Tensor = self.logit(self.features(images_NCHW).flatten(1))
        return logits_N1[:, 0]


@torch.no_grad()
def _initialise(layer: nn.Module) -> None:
    if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        layer.weight.normal_(std=WEIGHT_STD)
        if layer.bias is not None:
            layer.bias.zero_()
