"""AnoGAN: a GAN learns to make good images; a defect is what the nearest image that it can make does not show.

Papers: Bergmann et al., MVTec AD, CVPR 2019, section 4.1; Schlegl et al., Unsupervised Anomaly Detection with Generative
Adversarial Networks to Guide Marker Discovery, IPMI 2017. Details that neither states are those of the public code that the
former used (LeeDoYup/AnoGAN-tf). For every image a latent vector is searched by gradient descent, a few hundred times through
both networks; here for a whole batch at once. Inside, images are in [-1, 1], as the generator's tanh makes them.
"""

import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.optim import Adam
from tqdm import tqdm

from methods.blocks.chunks import images_at_once
from methods.blocks.dcgan import Discriminator, generator
from methods.blocks.diversity import diversity, variety
from methods.blocks.tiling import tiled_map
from methods.contract import Method, MethodError

BETA2 = 0.999
SHOWN = 64  # generated images for `pictures` and `facts`


@dataclass(frozen=True)
class LatentSearch:
    """The search for the latent vector whose generated image comes nearest to an image (Schlegl et al., section 2.2).

    Args:
        steps: of Adam.
        learning_rate, beta1: of Adam.
        feature_weight: share of the feature loss in the whole, in [0, 1].
    """

    steps: int
    learning_rate: float
    beta1: float
    feature_weight: float

    def __call__(
        self, generator: nn.Module, discriminator: Discriminator, images_NCHW: Tensor, start_ND: Tensor
    ) -> Tensor:
        """Latent vectors (N, D) for images in [-1, 1], each found independently of the others.

        The images' losses are summed, and Adam treats every number by itself, so one optimiser serves as N.
        """
        features = discriminator.features(images_NCHW).detach()
        z_ND = start_ND.clone().requires_grad_()
        adam = Adam([z_ND], self.learning_rate, betas=(self.beta1, BETA2))
        terminal = sys.__stderr__  # sys.stderr is captured by Lightning's own progress bar
        for _ in tqdm(range(self.steps), "latent search", leave=False, disable=None, file=terminal):
            adam.zero_grad()
            loss_N = self.loss(generator, discriminator, images_NCHW, features, z_ND)
            loss_N.sum().backward(inputs=[z_ND])  # type: ignore[no-untyped-call]  # no gradients of weights
            adam.step()
        return z_ND.detach()

    def loss(
        self, generator: nn.Module, discriminator: Discriminator, images_NCHW: Tensor, features: Tensor, z_ND: Tensor
    ) -> Tensor:
        """Distance of the generated images to images and of their features to features, (N,)."""
        generated_NCHW = generator(z_ND)
        residual_N = (images_NCHW - generated_NCHW).abs().flatten(1).sum(1)
        mismatch_N = (features - discriminator.features(generated_NCHW)).abs().flatten(1).sum(1)
        loss_N: Tensor = (1 - self.feature_weight) * residual_N + self.feature_weight * mismatch_N
        return loss_N


class AnoGAN(Method):
    """Map = L2 distance of the colours of an image and of the nearest generated one, per pixel, images in [0, 1].

    Args:
        channels: 1 or 3.
        px: side of the networks' images, a multiple of 16; larger images are scored in tiles of this size.
        stride: of the tiles, in pixels.
        latent: size of the latent vector, which is uniform in [-1, 1].
        width: channels of the networks' widest-resolution layers.
        learning_rate, beta1: of both Adams in training.
        generator_updates: for each update of the discriminator.
        search: finds the latent vectors of images.
    """

    def __init__(
        self,
        channels: int,
        px: int,
        stride: int,
        latent: int,
        width: int,
        learning_rate: float,
        beta1: float,
        generator_updates: int,
        search: LatentSearch,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.px, self.stride, self.latent, self.width = px, stride, latent, width
        self.learning_rate, self.beta1, self.generator_updates = learning_rate, beta1, generator_updates
        self.search = search
        self.generator = generator(latent, channels, px, width)
        self.discriminator = Discriminator(channels, px, width)
        self.shown_z_ND: Tensor
        self.register_buffer("shown_z_ND", torch.rand(SHOWN, latent) * 2 - 1)
        self.start_seed: Tensor
        self.register_buffer("start_seed", torch.randint(2**31 - 1, ()))
        self.training_diversity: Tensor
        self.register_buffer("training_diversity", torch.tensor(torch.nan))
        self.to(memory_format=torch.channels_last)

    def configure_optimizers(self) -> list[Adam]:
        """Adam of the discriminator, Adam of the generator."""
        networks = self.discriminator, self.generator
        return [Adam(network.parameters(), self.learning_rate, betas=(self.beta1, BETA2)) for network in networks]

    def training_step(self, batch: Tensor, batch_idx: int = 0) -> None:
        """One update of the discriminator, then those of the generator, all with the same latent vectors (code)."""
        adam_d, adam_g = self.optimizers()  # type: ignore[attr-defined]  # a list, as there are two
        real_BCHW = batch * 2 - 1
        z_BD = torch.rand(len(batch), self.latent, device=self.device) * 2 - 1
        d_loss = self.discriminator_loss(real_BCHW, z_BD)
        self._update(adam_d, self.discriminator, d_loss)
        for _ in range(self.generator_updates):
            g_loss = self.generator_loss(z_BD)
            self._update(adam_g, self.generator, g_loss)
        self._last_losses = torch.stack([d_loss, g_loss]).detach()
        self.log_dict({"d_loss": d_loss, "g_loss": g_loss}, prog_bar=True, on_step=False, on_epoch=True)
        if batch_idx == 0:
            self.training_diversity = diversity(batch)

    def discriminator_loss(self, real_BCHW: Tensor, z_BD: Tensor) -> Tensor:
        """Cross entropy of telling real from generated images, a scalar."""
        with torch.no_grad():
            generated_BCHW = self.generator(z_BD)
        real_B, generated_B = (self.discriminator(images).float() for images in (real_BCHW, generated_BCHW))
        return softplus(-real_B).mean() + softplus(generated_B).mean()

    def generator_loss(self, z_BD: Tensor) -> Tensor:
        """Cross entropy of passing generated images off as real, a scalar."""
        return softplus(-self.discriminator(self.generator(z_BD)).float()).mean()

    def _update(self, adam: LightningOptimizer, network: nn.Module, loss: Tensor) -> None:
        adam.zero_grad()
        self.manual_backward(loss, inputs=list(network.parameters()))  # the other network's gradients are not needed
        adam.step()

    def on_train_epoch_end(self) -> None:
        if not self._last_losses.isfinite().all():
            d_loss, g_loss = self._last_losses.tolist()
            raise MethodError(
                f"Training diverged in epoch {self.current_epoch} (loss of the discriminator {d_loss:g}, of the generator "
                f"{g_loss:g}): lower method.model.learning_rate, or try another seed."
            )

    def pictures(self) -> dict[str, Tensor]:
        return {"generated": self.generated(self.shown_z_ND)}

    def facts(self) -> dict[str, str | int | float]:
        """How much 64 generated images vary, and the first batch of the last epoch (`methods.blocks.diversity`)."""
        made, real = diversity(self.generated(self.shown_z_ND)).item(), self.training_diversity.item()
        return variety("generated", made, real)

    @torch.no_grad()
    def generated(self, z_ND: Tensor) -> Tensor:
        """Images in [0, 1] for latent vectors, (N, C, px, px)."""
        with self._stored_statistics():
            images_NCHW: Tensor = (self.generator(z_ND) + 1) / 2
            return images_NCHW

    def anomaly_map(self, images_BCHW: Tensor) -> Tensor:
        at_once = images_at_once(self.px, self.width, self.device)
        return tiled_map(self._tile_map, images_BCHW, self.px, self.stride, at_once)

    def _tile_map(self, tiles_NCHW: Tensor) -> Tensor:
        start_ND = torch.stack([self._start(tile_CHW) for tile_CHW in tiles_NCHW])
        with self._stored_statistics(), torch.inference_mode(False), torch.enable_grad():  # Lightning predicts without
            z_ND = self.search(self.generator, self.discriminator, tiles_NCHW * 2 - 1, start_ND)
        nearest_NCHW = self.generated(z_ND)
        if not nearest_NCHW.isfinite().all():
            raise MethodError(
                "The generated images are not finite, so training diverged: train again with a lower method.model.learning_rate, "
                "or try another seed."
            )
        distances_NHW: Tensor = (tiles_NCHW - nearest_NCHW).norm(dim=1)
        return distances_NHW

    def _start(self, tile_CHW: Tensor) -> Tensor:
        """Where the search begins: random, but settled by the tile's 8-bit pixels alone, whatever is scored with or before it."""
        pixels = (tile_CHW * 255).round().to("cpu", torch.uint8).contiguous().numpy()
        rng = torch.Generator().manual_seed(zlib.crc32(pixels.tobytes(), int(self.start_seed)))
        return (torch.rand(self.latent, generator=rng) * 2 - 1).to(tile_CHW)

    @contextmanager
    def _stored_statistics(self) -> Iterator[None]:
        """Batch normalisation by the running averages of training, so that images don't see their neighbours."""
        training = self.training
        self.eval()
        try:
            yield
        finally:
            self.train(training)
