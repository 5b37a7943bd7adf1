"""Data whose samples come in a new order in each epoch, which a resumed training goes on with."""

import pytorch_lightning as pl
import torch
from torch import Tensor

from benchmarks.common.seeding import stream_seed


class OrderedData(pl.LightningDataModule):
    """Keeps the stream that shuffles the training samples.

    Lightning's own hooks for a data module's state are of no use here: some benchmarks hand it loaders alone, lest a method finds
    the test samples.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed
        self._order = torch.Generator()
        self._resumed: Tensor | None = None

    def order(self) -> torch.Generator:
        """The stream from its start, or from where the training that is resumed left it."""
        self._order.manual_seed(stream_seed(self.seed, "order"))
        if self._resumed is not None:
            self._order.set_state(self._resumed)
        return self._order

    def order_state(self) -> Tensor:
        """Where the stream is, (bytes,) uint8."""
        return self._order.get_state()

    def resume_order(self, state: Tensor) -> None:
        """Go on from a state of `order_state`, in loaders that exist and those to come."""
        self._resumed = state
        self._order.set_state(state)
