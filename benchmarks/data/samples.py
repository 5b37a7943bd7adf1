"""Samples in memory, such as rows of a table or digits: normal ones to fit to and to hold out, and the test samples."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from benchmarks.data.datasets import batches
from benchmarks.data.index import GOOD
from benchmarks.data.order import OrderedData
from benchmarks.data.split import SAMPLES, draw, split


@dataclass(frozen=True)
class Samples:
    """One category: rows (N, D) or pictures (N, 1, H, W), float64 or float32. All of `train` are normal."""

    train: NDArray[Any]
    test: NDArray[Any]
    train_names: Sequence[str]
    """Where each sample comes from: `line 17`, `t10k/00012`."""
    test_names: Sequence[str]
    test_types: Sequence[str]
    """`good`, or the kind of anomaly."""
    facts: Mapping[str, str | int | float] = field(default_factory=dict)
    """What a record should say of the data."""

    @property
    def anomalous(self) -> NDArray[np.bool_]:
        return np.array([kind != GOOD for kind in self.test_types], dtype=bool)

    def train_fingerprint(self) -> str:
        """A hash over what methods are fitted to and thresholds drawn from."""
        return _hash(self.train, self.train_names)

    def test_fingerprint(self) -> str:
        """A hash over the test samples and their kinds."""
        return _hash(self.test, self.test_names, self.test_types)


class SampleData(OrderedData):
    """Batches of one category. What is fitted to (and standardised by) never includes held-out or test samples.

    Args:
        standardise: bring each value to mean 0 and standard deviation 1 over the samples that are fitted to.
        limit: random subset of the samples to fit to; None takes all.
    """

    def __init__(
        self,
        samples: Samples,
        *,
        standardise: bool,
        batch_size: int,
        predict_batch_size: int,
        limit: int | None,
        validation_share: float,
        seed: int,
    ) -> None:
        super().__init__(seed)
        self.samples = samples
        self.batch_size, self.predict_batch_size = batch_size, predict_batch_size
        fit_part, self.held_out = split(range(len(samples.train)), validation_share, seed, SAMPLES)
        self.fitted_to = draw(fit_part, limit, seed)
        self.mean, self.scale = np.zeros(()), np.ones(())
        if standardise:
            self.mean, self.scale = _mean_and_scale(samples.train[self.fitted_to])

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample: (D,) or (1, H, W)."""
        return self.samples.train.shape[1:]

    @property
    def test(self) -> Tensor:
        """All test samples, as methods see them."""
        return self.prepared(self.samples.test)

    def prepared(self, values: NDArray[Any]) -> Tensor:
        """Raw samples as methods see them: float32, standardised if wanted."""
        return torch.from_numpy(((values - self.mean) / self.scale).astype(np.float32))

    def train_dataloader(self) -> DataLoader[Any]:
        """Normal samples, in a new order in each epoch."""
        return batches(_InMemory(self.prepared(self.samples.train[self.fitted_to])), self.batch_size, self.order())

    def val_dataloader(self, count: int | None = None) -> DataLoader[Any]:
        """Held-out normal samples: all, or the first so many in one batch."""
        held_out = self.prepared(self.samples.train[self.held_out[:count]])
        return batches(_InMemory(held_out), count or self.predict_batch_size)

    def test_dataloader(self) -> DataLoader[Any]:
        """Test samples, in their order."""
        return batches(_InMemory(self.test), self.predict_batch_size)


class _InMemory(Dataset[Tensor]):
    def __init__(self, samples: Tensor) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitems__(self, indices: list[int]) -> Tensor:
        return self.samples[indices]


def _mean_and_scale(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Mean and standard deviation of each value; one that never changes but by rounding (scikit-learn's bound) keeps its scale."""
    mean, variance = values.mean(axis=0, dtype=np.float64), values.var(axis=0, dtype=np.float64)
    rounding = len(values) * np.finfo(np.float64).eps
    constant = variance <= rounding * variance + (rounding * mean) ** 2
    return mean, np.where(constant, 1.0, np.sqrt(variance))


def _hash(values: NDArray[Any], *labels: Sequence[str]) -> str:
    total = hashlib.blake2b(digest_size=16)
    total.update(f"{values.shape} {values.dtype}".encode())
    total.update(np.ascontiguousarray(values).data)
    for texts in labels:
        total.update("\n".join(texts).encode())
    return total.hexdigest()
