"""The DataModule: what is in its batches, and that test images stay closed until they are scored."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from benchmarks.data.augmentation import Augmentation
from benchmarks.data.datamodule import DefectData, Input, Training
from benchmarks.data.layouts import read_category
from tests.conftest import needs_gpu

MOVED = Augmentation(rotation_deg=10, translation=0.05, mirror=[], border="border")


def data(root: Path, training: Training, seed: int = 0, **input: Any) -> DefectData:
    category = read_category(root, "parts")
    settings = {"px": 16, "colour": "rgb"} | input
    return DefectData(
        category,
        Input(**settings),
        training,
        MOVED,
        validation_share=0.2,
        predict_batch_size=4,
        seed=seed,
        cache_dir=None,
    )


def training_batches(module: DefectData) -> list[torch.Tensor]:
    return [module.on_after_batch_transfer(batch, 0) for batch in module.train_dataloader()]


def test_plain_training_shows_each_image_once(tree: Callable[..., Path]) -> None:
    module = data(tree(), Training(batch_size=3))
    batches = training_batches(module)
    assert [len(batch) for batch in batches] == [3, 3, 2]  # 10 images, 2 of them held out
    assert len(torch.unique(torch.cat(batches), dim=0)) == 8
    assert len(next(iter(module.val_dataloader()))) == 2


def test_a_method_may_be_fitted_to_a_few(tree: Callable[..., Path]) -> None:
    module = data(tree(), Training(batch_size=3, images=4))
    assert sum(len(batch) for batch in training_batches(module)) == 4
    assert len(module.validation_files) == 2


def test_augmented_training_has_as_many_samples_as_asked(tree: Callable[..., Path]) -> None:
    module = data(tree(), Training(batch_size=8, samples=20))
    batches = training_batches(module)
    assert [tuple(batch.shape) for batch in batches] == [(8, 3, 16, 16), (8, 3, 16, 16), (4, 3, 16, 16)]
    assert all(batch.min() >= 0 and batch.max() <= 1 for batch in batches)


def test_patches(tree: Callable[..., Path]) -> None:
    module = data(tree(), Training(batch_size=5, samples=5), px=20, colour="gray", patch=8)
    assert training_batches(module)[0].shape == (5, 1, 8, 8)


def test_the_same_samples_in_every_epoch_in_another_order(tree: Callable[..., Path]) -> None:
    module = data(tree(), Training(batch_size=20, samples=20))
    loader = module.train_dataloader()
    first, second = (module.on_after_batch_transfer(next(iter(loader)), 0) for _ in range(2))
    assert not torch.equal(first, second)
    torch.testing.assert_close(first.sum(dim=(1, 2, 3)).sort().values, second.sum(dim=(1, 2, 3)).sort().values)


def test_the_seed_decides_everything(tree: Callable[..., Path]) -> None:
    root = tree()
    same, again, other = (data(root, Training(batch_size=20, samples=20), seed) for seed in (1, 1, 2))
    assert torch.equal(training_batches(same)[0], training_batches(again)[0])
    assert not torch.equal(training_batches(same)[0], training_batches(other)[0])


@needs_gpu
def test_on_a_gpu_training_images_lie_there_and_give_the_same_samples(tree: Callable[..., Path]) -> None:
    module = data(tree(), Training(batch_size=4, samples=8), px=20, patch=8)
    expected = torch.cat(training_batches(module))
    module.trainer = pl.Trainer(accelerator="gpu", devices=1, logger=False)
    batches = [module.transfer_batch_to_device(batch, torch.device("cuda"), 0) for batch in module.train_dataloader()]
    assert all(batch.pixels_BHWC.is_cuda for batch in module.train_dataloader())
    found = torch.cat([module.on_after_batch_transfer(batch, 0) for batch in batches])
    torch.testing.assert_close(found.cpu(), expected, atol=1e-5, rtol=0)


def test_no_test_file_is_opened_before_the_test_loader(tree: Callable[..., Path], opened_files: list[str]) -> None:
    module = data(tree(), Training(batch_size=4, samples=8))
    opened_files.clear()
    training_batches(module)
    list(module.val_dataloader())
    assert any("/train/" in path for path in opened_files)
    assert not any("/test/" in path or "/ground_truth/" in path for path in opened_files)
    list(module.test_dataloader())
    assert any("/test/" in path for path in opened_files)
