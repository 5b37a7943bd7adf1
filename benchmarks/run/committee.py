"""The methods of `protocol.held_out=cross`, asked together."""

from collections.abc import Sequence

import pytorch_lightning as pl
import torch
from torch import Tensor

from methods.contract import Method


class Committee(pl.LightningModule):
    """K fitted methods; predicts their maps side by side, (B, K, H, W), and their own image scores, (B, K), if they have any."""

    def __init__(self, methods: Sequence[Method]) -> None:
        super().__init__()
        self.methods = torch.nn.ModuleList(methods)

    def predict_step(self, batch: Tensor, batch_idx: int = 0) -> Tensor | tuple[Tensor, ...]:
        predicted = [method.predict_step(batch, batch_idx) for method in self.methods]  # type: ignore[operator]
        if isinstance(predicted[0], tuple):
            return tuple(torch.stack(parts, dim=1) for parts in zip(*predicted, strict=True))
        return torch.stack(predicted, dim=1)
