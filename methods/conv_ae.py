"""Convolutional autoencoder of small pictures: max pooling on the way down, upsampling on the way up.

Source: F. Chollet, Building Autoencoders in Keras, blog.keras.io, 2016, "convolutional autoencoder". Idea: as for the dense one;
its code of 8 x 4 x 4 keeps places, so that strokes are copied rather than recognised.
Cost of the full budget: a minute for 5,800 digits on a free CPU core (1.2 s an epoch).
"""

import torch
from torch import Tensor, nn

from methods.blocks.reconstruction import PictureAutoencoder
from methods.contract import MethodError

PX = 28


class ConvAutoencoder(PictureAutoencoder):
    """Convolutions of 16, 8 and 8 channels and their mirror; 28 -> 14 -> 7 -> 4 -> 8 -> 16 -> 14 -> 28 px.

    Args:
        px: side of the pictures; the layers fit 28 only.
        widths: channels of the three levels, from the finest.
        learning_rate: of Adam.
    """

    def __init__(self, px: int, widths: tuple[int, int, int], learning_rate: float) -> None:
        if px != PX:
            raise MethodError(f"The convolutional autoencoder takes pictures of {PX} px, not {px}.")
        super().__init__(learning_rate)
        fine, middle, coarse = widths
        self.encoder = nn.Sequential(*_down(1, fine), *_down(fine, middle), *_down(middle, coarse))
        self.decoder = nn.Sequential(
            *_up(coarse, coarse),
            *_up(coarse, middle),
            *_up(middle, fine, padding=0),  # 16 -> 14 px, as 7 px were pooled to 4
            nn.Conv2d(fine, 1, 3, padding=1),
            nn.Sigmoid(),
        )
        self.initialise()
        self.to(memory_format=torch.channels_last)  # half as fast again as the default layout on a CPU

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Reconstructions (B, 1, 28, 28), values in [0, 1]."""
        reconstructions_BCHW: Tensor = self.decoder(
            self.encoder(images_BCHW.contiguous(memory_format=torch.channels_last))
        )
        return reconstructions_BCHW


def _down(before: int, after: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True)


def _up(before: int, after: int, padding: int = 1) -> tuple[nn.Module, ...]:
    return nn.Conv2d(before, after, 3, padding=padding), nn.ReLU(), nn.Upsample(scale_factor=2)
