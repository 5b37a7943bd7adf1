"""Convolutional autoencoders, compared with their input pixel by pixel (L2) or by structural similarity (SSIM).

Paper: Bergmann et al., MVTec AD, CVPR 2019, section 4.1; architecture of Bergmann et al., Improving Unsupervised Defect
Segmentation by Applying Structural Similarity to Autoencoders, VISAPP 2019 (arXiv 2018), table 1.
Idea: the bottleneck passes only what good images have in common, so a defect is not reconstructed; the map is the
reconstruction error. Textures are learnt as 128 px patches and scored in overlapping tiles, objects whole at 256 px.
Cost of the paper's 200 epochs over 10,000 samples: hours on a CPU (about 180 patches or 63 objects a second on two cores).
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from methods.blocks.chunks import images_at_once
from methods.blocks.divergence import require_finite
from methods.blocks.diversity import diversity, variety
from methods.blocks.ssim import SSIM
from methods.blocks.tiling import tiled_map
from methods.contract import Method, MethodError

# (kernel, stride, channels) of the encoder at 128 px; larger inputs put one more FRONT layer before it for each doubling.
LAYERS = ((4, 2, 32), (4, 2, 32), (3, 1, 32), (4, 2, 64), (3, 1, 64), (4, 2, 128), (3, 1, 64), (3, 1, 32))
FRONT = (4, 2, 32)
BASE_PX = 128
LEAK = 0.2


def encoder_layers(px: int) -> tuple[tuple[int, int, int], ...]:
    """The convolutions that bring a px x px input down to 8 x 8.

    Raises:
        MethodError: px is not 128, 256 or a further doubling.
    """
    doublings = (px // BASE_PX).bit_length() - 1
    if doublings < 0 or px != BASE_PX << doublings:
        raise MethodError(f"The autoencoder takes inputs of {BASE_PX}, {2 * BASE_PX}, {4 * BASE_PX}, ... px, not {px}.")
    return (FRONT,) * doublings + LAYERS


def autoencoder(channels: int, px: int, latent: int) -> tuple[nn.Sequential, nn.Sequential]:
    """Encoder (B, C, px, px) -> (B, latent, 1, 1) and its mirror, the decoder. Latent and output are linear."""
    layers = encoder_layers(px)
    widths = [channels, *(width for _, _, width in layers)]
    encoder: list[nn.Module] = []
    decoder: list[nn.Module] = [nn.ConvTranspose2d(latent, widths[-1], 8)]
    for (kernel, stride, _), before, after in zip(layers, widths, widths[1:], strict=False):
        encoder += [nn.Conv2d(before, after, kernel, stride, padding=1), nn.LeakyReLU(LEAK, inplace=True)]
    for (kernel, stride, _), before, after in zip(layers[::-1], widths[:0:-1], widths[-2::-1], strict=True):
        mirrored = nn.Conv2d if stride == 1 else nn.ConvTranspose2d
        decoder += [nn.LeakyReLU(LEAK, inplace=True), mirrored(before, after, kernel, stride, padding=1)]
    return initialised(*encoder, nn.Conv2d(widths[-1], latent, 8)), initialised(*decoder)


@torch.no_grad()
def initialised(*layers: nn.Module) -> nn.Sequential:
    """The layers in sequence, with weights under which the signal keeps its size from layer to layer (He et al., ICCV 2015).

    Ours: the paper names no initialisation. Under PyTorch's default each layer passes a sixth of its input's variance: after 18
    the output shows nothing of the image, and the first thousand samples of training go into finding it again. A unit of a
    transposed convolution sums kernel^2 / stride^2 taps of each channel; the one that unfolds the latent vector sums a single one.
    """
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]
    for layer in convolutions:
        taps = layer.kernel_size[0] ** 2
        if isinstance(layer, nn.ConvTranspose2d):
            taps = 1 if layer.padding == (0, 0) else taps // layer.stride[0] ** 2
        gain = 1.0 if layer is convolutions[-1] else nn.init.calculate_gain("leaky_relu", LEAK)  # the last is linear
        layer.weight.normal_(std=gain / math.sqrt(layer.in_channels * taps))
        assert layer.bias is not None
        layer.bias.zero_()
    return nn.Sequential(*layers)


class Autoencoder(Method):
    """What autoencoders share: network, optimiser, tiling. A subclass names the error that is trained and mapped.

    Args:
        channels: 1 or 3.
        px: side of the network's input; larger images are scored in tiles of this size.
        latent: size of the bottleneck.
        stride: of the tiles, in pixels.
        learning_rate, weight_decay: of Adam.
        last_layer: times the initial weights of the decoder's last layer.
        output_start: its initial bias, which untrained outputs lie around.
    """

    def __init__(
        self,
        channels: int,
        px: int,
        latent: int,
        stride: int,
        learning_rate: float,
        weight_decay: float,
        last_layer: float,
        output_start: float,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False  # a batch's gradient is summed over its parts
        self.px, self.stride = px, stride
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.encoder, self.decoder = autoencoder(channels, px, latent)
        self._start_near(output_start, last_layer)
        self.output_diversity: Tensor
        self.register_buffer("output_diversity", torch.tensor(math.nan))
        self.training_diversity: Tensor
        self.register_buffer("training_diversity", torch.tensor(math.nan))
        self.to(memory_format=torch.channels_last)  # 5 times faster than the default layout on a CPU

    @torch.no_grad()
    def _start_near(self, output: float, last_layer: float) -> None:
        """Let untrained outputs vary little around one gray value.

        Ours. Outputs that vary as much as the input, and without relation to it, are punished by SSIM wherever the input is flat:
        Adam then shrinks every layer until the output is one gray, and no gradient leads out again. Outputs below black have a
        negative SSIM, which training only brings to 0.
        """
        last = self.decoder[-1]
        assert isinstance(last, nn.ConvTranspose2d) and last.bias is not None
        last.weight.mul_(last_layer)
        last.bias.fill_(output)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Reconstructions, (B, C, px, px)."""
        reconstructions_BCHW: Tensor = self.decoder(self.encoder(images_BCHW))
        return reconstructions_BCHW

    def error_map(self, images_BCHW: Tensor, reconstructions_BCHW: Tensor) -> Tensor:
        """Reconstruction error per pixel, (B, H, W)."""
        raise NotImplementedError

    def loss(self, images_BCHW: Tensor, reconstructions_BCHW: Tensor) -> Tensor:
        """What training minimises, a scalar."""
        raise NotImplementedError

    def training_step(self, batch: Tensor, batch_idx: int = 0) -> Tensor:
        """One step of Adam on the loss of the whole batch, whose parts pass the network one after another."""
        adam: Any = self.optimizers()
        adam.zero_grad()
        loss = torch.stack(
            [self._backward(part, len(part) / len(batch)) for part in torch.split(batch, self._at_once)]
        ).sum()
        adam.step()
        self._last_loss = loss
        if batch_idx == 0:  # the last batch may be a single image
            self._first_images = batch
        self.log("train_loss", loss, prog_bar=True, on_step=False, on_epoch=True)
        return loss

    def _backward(self, images_BCHW: Tensor, share: float) -> Tensor:
        """Add a part's share of the batch's loss to the gradients, and return it."""
        loss = self.loss(images_BCHW, self(images_BCHW)) * share
        self.manual_backward(loss)
        return loss.detach()

    @property
    def _at_once(self) -> int:
        return images_at_once(self.px, LAYERS[0][2], self.device)

    def on_train_epoch_end(self) -> None:
        require_finite(self._last_loss, self.current_epoch)
        with torch.no_grad():
            made = [self(part_BCHW) for part_BCHW in torch.split(self._first_images, self._at_once)]
        self.output_diversity = diversity(torch.cat(made))
        self.training_diversity = diversity(self._first_images)
        del self._first_images

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), self.learning_rate, weight_decay=self.weight_decay)

    def facts(self) -> dict[str, str | int | float]:
        """How much reconstructions and images vary in the first batch of the last epoch (`methods.blocks.diversity`)."""
        return variety("output", self.output_diversity.item(), self.training_diversity.item())

    def anomaly_map(self, images_BCHW: Tensor) -> Tensor:
        return tiled_map(self._tile_map, images_BCHW, self.px, self.stride, self._at_once)

    def _tile_map(self, tiles_NCHW: Tensor) -> Tensor:
        return self.error_map(tiles_NCHW, self(tiles_NCHW))


class AutoencoderL2(Autoencoder):
    """Trained on the mean squared error; map = squared error summed over the channels."""

    def loss(self, images_BCHW: Tensor, reconstructions_BCHW: Tensor) -> Tensor:
        return nn.functional.mse_loss(reconstructions_BCHW, images_BCHW)

    def error_map(self, images_BCHW: Tensor, reconstructions_BCHW: Tensor) -> Tensor:
        return (images_BCHW - reconstructions_BCHW).square().sum(dim=1)


class AutoencoderSSIM(Autoencoder):
    """Trained on the mean of 1 - SSIM; map = 1 - SSIM, averaged over the channels (the paper's input is gray).

    Args:
        window: side of the SSIM window, in pixels.
        sigma: of the window's Gaussian, in pixels.
        constants: c1 and c2 of SSIM, for values in [0, 1].
        architecture: arguments of `Autoencoder`.
    """

    def __init__(self, window: int, sigma: float, constants: Sequence[float], **architecture: Any) -> None:
        super().__init__(**architecture)
        self.ssim = SSIM(window, sigma, *constants)

    def loss(self, images_BCHW: Tensor, reconstructions_BCHW: Tensor) -> Tensor:
        return self.error_map(images_BCHW, reconstructions_BCHW).mean()

    def error_map(self, images_BCHW: Tensor, reconstructions_BCHW: Tensor) -> Tensor:
        similarity_BCHW: Tensor = self.ssim(images_BCHW, reconstructions_BCHW)
        return 1 - similarity_BCHW.mean(dim=1)
