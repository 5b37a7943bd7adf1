"""What tests of trained methods share: a Lightning fit on a few images, and a feature source for it."""

from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from methods.contract import Method


def fit(method: Method, images: torch.Tensor, epochs: int = 1, held_out: torch.Tensor | None = None) -> Method:
    """The method after some epochs over the images, in batches of 3, shuffled."""
    trainer = pl.Trainer(
        accelerator="cpu", deterministic=True, max_epochs=epochs, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
    )  # fmt: skip
    order = torch.Generator().manual_seed(7)
    options: dict[str, Any] = {"batch_size": 3, "collate_fn": torch.stack}
    train: Any = DataLoader(list(images), shuffle=True, generator=order, **options)
    trainer.fit(method, train, DataLoader(list(images[:2] if held_out is None else held_out), **options))
    return method.eval()


def noise_images(count: int = 4, px: int = 64) -> torch.Tensor:
    return torch.rand(count, 3, px, px, generator=torch.Generator().manual_seed(3))
