"""The DataModule: what is in its batches, and that test images stay closed until they are scored."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from benchmarks.common.errors import UserError
from benchmarks.data import datamodule
from benchmarks.data.augmentation import Augmentation
from benchmarks.data.datamodule import DefectData, Input, Training
from benchmarks.data.layouts import read_category
from benchmarks.data.split import Fold
from methods.contract import FittedMethod
from tests.conftest import needs_gpu

MOVED = Augmentation(rotation_deg=10, translation=0.05, mirror=[], border="border")


def data(root: Path, training: Training, seed: int = 0, fold: Fold | None = None, **input: Any) -> DefectData:
    settings = {"px": 16, "colour": "rgb"} | input
    return DefectData(
        read_category(root, "parts").train,
        Input(**settings),
        training,
        MOVED,
        validation_share=0.2,
        predict_batch_size=4,
        seed=seed,
        cache_dir=None,
        fold=fold,
    )


def training_batches(module: DefectData) -> list[torch.Tensor]:
    return [module.on_after_batch_transfer(batch, 0) for batch in module.train_dataloader()]


def test_plain_training_shows_each_image_once(tree: Callable[..., Path]) -> None:
    module = data(tree(), Training(batch_size=3))
    batches = training_batches(module)
    assert [len(batch) for batch in batches] == [3, 3, 2]  # 10 images, 2 of them held out
    assert len(torch.unique(torch.cat(batches), dim=0)) == 8
    assert len(next(iter(module.val_dataloader()))) == 2


def test_the_cache_holds_an_image_once_whatever_seeds_draw(tree: Callable[..., Path], tmp_path: Path) -> None:
    root, seen = tree(), []
    for seed in range(3):
        module = data(root, Training(batch_size=8), seed)
        without_cache = training_batches(module), list(module.val_dataloader())
        cached = data(root, Training(batch_size=8), seed)
        cached.cache_dir = tmp_path / "cache"
        cached.read()
        for found, expected in zip(
            (training_batches(cached), list(cached.val_dataloader())), without_cache, strict=True
        ):
            assert torch.equal(torch.cat(found), torch.cat(expected))
        seen.append(torch.cat(list(cached.val_dataloader())))
    assert not torch.equal(seen[0], seen[1])
    assert len(list((tmp_path / "cache" / "pixels").glob("*.npy"))) == 1


def test_folds_share_one_array_of_the_decoded_images(
    tree: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def folds() -> list[DefectData]:
        return [data(tree(), Training(batch_size=8), fold=Fold(number, 2)) for number in (0, 1)]

    expected = [torch.cat(list(alone.val_dataloader())) for alone in folds()]
    first, second = folds()
    first.read(first)
    monkeypatch.setattr(datamodule, "load_images", lambda *_: pytest.fail("decoded again"))
    second.read(first)
    assert all(map(torch.equal, [torch.cat(list(fold.val_dataloader())) for fold in (first, second)], expected))


def test_a_method_may_be_fitted_to_a_few(tree: Callable[..., Path]) -> None:
    module = data(tree(), Training(batch_size=3, images=4))
    assert sum(len(batch) for batch in training_batches(module)) == 4
    assert len(module.validation_files) == 2


def test_augmented_training_has_as_many_samples_as_asked(tree: Callable[..., Path]) -> None:
    module = data(tree(), Training(batch_size=8, samples=20))
    batches = training_batches(module)
    assert [tuple(batch.shape) for batch in batches] == [(8, 3, 16, 16), (8, 3, 16, 16), (4, 3, 16, 16)]
    assert all(batch.min() >= 0 and batch.max() <= 1 for batch in batches)


def test_trained_methods_see_whole_images_in_a_new_order_each_epoch_and_the_others_as_the_files_lie(
    tree: Callable[..., Path],
) -> None:
    def epochs(training: Training, seed: int = 0) -> list[torch.Tensor]:
        loader = data(tree(), training, seed).train_dataloader()
        return [torch.cat(list(loader)).sum(dim=(1, 2, 3)) for _ in range(2)]

    first, second = epochs(Training(batch_size=3, epochs=5))
    assert not torch.equal(first, second) and torch.equal(first.sort().values, second.sort().values)
    again = epochs(Training(batch_size=3, epochs=5))
    assert torch.equal(first, again[0]) and torch.equal(second, again[1])
    in_order, still = epochs(Training(batch_size=3))
    assert torch.equal(in_order, still) and not torch.equal(in_order, first)


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


def test_no_test_file_is_opened_before_it_is_asked_for(tree: Callable[..., Path], opened_files: list[str]) -> None:
    root = tree()
    module = data(root, Training(batch_size=4, samples=8))
    opened_files.clear()
    training_batches(module)
    list(module.val_dataloader())
    assert any("/train/" in path for path in opened_files)
    assert not any("/test/" in path or "/ground_truth/" in path for path in opened_files)
    list(module.loader(read_category(root, "parts").test))
    assert any("/test/" in path for path in opened_files)


class Peeking(FittedMethod):
    """Fits itself to test images."""

    def observe(self, images_BCHW: torch.Tensor) -> None:
        list(self.trainer.datamodule.test_dataloader())  # type: ignore[attr-defined]


def test_a_method_that_is_being_fitted_gets_no_test_image(tree: Callable[..., Path]) -> None:
    module = data(tree(), Training(batch_size=4))
    trainer = pl.Trainer(accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False)
    with pytest.raises(UserError, match="Test images are opened for scoring alone"):
        trainer.fit(Peeking(), datamodule=module)
    assert not any("/test/" in str(value) for value in vars(module).values())
