"""Features of frozen networks, computed once for an image: the fits of `protocol.held_out=cross` share most of theirs.

With five folds an image is fitted to four times, and a test image is asked about five times. Each image passes the network alone
here (`BATCH`), so that what is remembered is what would be computed, to the last bit.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from methods.blocks.features import FeatureSource

BATCH = "method.train.batch_size=1"
"""How methods in closed form are asked to observe; it has no influence on what they compute."""
LIMIT_BYTES = 2**30

Features = dict[str, Tensor]


@contextmanager
def remembered() -> Iterator[None]:
    """While it lasts, frozen networks answer for images that they have seen, as long as the memory suffices."""
    original, kept = FeatureSource.forward, dict[bytes, Features]()
    room = LIMIT_BYTES

    def forward(self: FeatureSource, images_BCHW: Tensor) -> Features:
        nonlocal room
        if len(images_BCHW) != 1:
            return original(self, images_BCHW)
        key = _key(self, images_BCHW)
        if key in kept:
            return kept[key]
        with torch.inference_mode(False), torch.no_grad():  # predicted today, fitted to tomorrow
            features = original(self, images_BCHW)
        room -= sum(feature.nbytes for feature in features.values())
        if room >= 0:
            kept[key] = features
        return features

    FeatureSource.forward = forward  # type: ignore[method-assign]
    try:
        yield
    finally:
        FeatureSource.forward = original  # type: ignore[method-assign]


def _key(source: FeatureSource, images_BCHW: Tensor) -> bytes:
    network = (
        f"{source.identity['weights_sha256']} {list(source.channels)} {images_BCHW.device} {tuple(images_BCHW.shape)}"
    )
    return hashlib.blake2b(images_BCHW.cpu().contiguous().numpy().tobytes() + network.encode(), digest_size=16).digest()
