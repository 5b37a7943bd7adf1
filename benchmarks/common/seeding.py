"""One seed per run, and a stream of its own for everything that draws from it."""

import zlib

import numpy as np


def stream_seed(seed: int, stream: str) -> int:
    """The seed of a named stream, such as "split" or "augmentation": streams do not disturb each other when one draws more."""
    return int(np.random.SeedSequence([seed, zlib.crc32(stream.encode())]).generate_state(1)[0])


def stream(seed: int, name: str) -> np.random.Generator:
    """A numpy generator of the named stream."""
    return np.random.default_rng(stream_seed(seed, name))
