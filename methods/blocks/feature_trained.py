"""What methods share that train a network on the features of a frozen one, images unaugmented: STFPM, RD4AD, SuperSimpleNet."""

import hashlib

import torch
from torch import Tensor

from methods.blocks.divergence import require_finite
from methods.blocks.features import FeatureSource
from methods.contract import Method


class FeatureTrained(Method):
    """A method that minimises a loss on frozen features; a subclass writes `loss`.

    Args:
        source: the frozen network.
        feature_cache_mib: memory for the features of training and held-out images, which are then computed once instead of once an
            epoch. Images beyond it are computed anew; the numbers are the same either way.
    """

    def __init__(self, source: FeatureSource, feature_cache_mib: int) -> None:
        super().__init__()
        self.source = source
        self._cache = FeatureCache(source, feature_cache_mib * 2**20)

    def loss(self, images_BCHW: Tensor) -> Tensor:
        """What training minimises, a scalar."""
        raise NotImplementedError

    def fit_features(self, images_BCHW: Tensor) -> list[Tensor]:
        """Frozen features of images that come again each epoch, (B, C, h, w) for each layer."""
        return self._cache(images_BCHW)

    def training_step(self, batch: Tensor, batch_idx: int = 0) -> Tensor:
        loss = self.loss(batch)
        self._last_loss = loss.detach()
        self.log("train_loss", self._last_loss, prog_bar=True, on_step=False, on_epoch=True, batch_size=len(batch))
        return loss

    def on_train_epoch_end(self) -> None:
        require_finite(self._last_loss, self.current_epoch)

    def on_fit_end(self) -> None:
        self._cache.clear()

    def facts(self) -> dict[str, str | int | float]:
        return dict(self.source.identity)


class FeatureCache:
    """Features of images, found again by the images' pixels, in whatever order and batches they come.

    Each image passes the network alone: then its features are the same to the last bit whether they are kept or computed anew in a
    batch of another make-up. On a CPU a batch is no faster.
    """

    def __init__(self, source: FeatureSource, limit_bytes: int) -> None:
        self._source, self._limit, self._bytes = source, limit_bytes, 0
        self._kept: dict[bytes, list[Tensor]] = {}

    def __call__(self, images_BCHW: Tensor) -> list[Tensor]:
        """Features (B, C, h, w) of each layer."""
        each = [self._of(image_CHW) for image_CHW in images_BCHW]
        return [torch.cat(layer) for layer in zip(*each, strict=True)]

    def clear(self) -> None:
        self._kept, self._bytes = {}, 0

    def _of(self, image_CHW: Tensor) -> list[Tensor]:
        key = hashlib.blake2b(image_CHW.cpu().numpy().tobytes(), digest_size=16).digest()
        if key in self._kept:
            return self._kept[key]
        with torch.no_grad(), torch.autocast(image_CHW.device.type, enabled=False):
            features = list(self._source(image_CHW[None]).values())
        size = sum(feature.nbytes for feature in features)
        if self._bytes + size <= self._limit:
            self._kept[key] = features
            self._bytes += size
        return features
