"""Fit a method to a category's good images, score its test images, decide: the benchmark's main line, top to bottom."""

import math
import time
from pathlib import Path

import hydra.utils
import pandas as pd
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf

from benchmarks.data.augmentation import Augmentation
from benchmarks.data.datamodule import DefectData, Input, Training
from benchmarks.data.index import Category
from benchmarks.data.masks import check_masks
from benchmarks.errors import UserError
from benchmarks.protocol.area_score import area_in_pixels
from benchmarks.protocol.decision import classified_correctly, threshold
from benchmarks.protocol.image_metrics import image_metrics
from benchmarks.provenance import peak_memory_mib, reset_peak_memory
from benchmarks.score import ScoreMaps, area_column
from benchmarks.seeding import stream_seed
from benchmarks.store.record import Result
from benchmarks.training import TimeLeft, trainer_for
from methods.contract import Method


def measure(config: DictConfig, category: Category, folder: Path) -> tuple[Result, pd.DataFrame]:
    """Run one method on one category.

    Args:
        config: the composed configuration of the run (`conf/config.yaml`).
        folder: where losses and, if wanted, checkpoint and maps go.

    Returns:
        The result, and the scores of all validation and test images.

    Raises:
        UserError, MethodError: data or training with which the run cannot go on.
    """
    _start_memory_counters()
    data = _data(config, category)
    pl.seed_everything(stream_seed(config.seed, "method"), verbose=False)
    method = _method(config, data)
    scores = ScoreMaps(_areas(config.protocol), folder / "maps" if config.save_maps else None)
    trainer = trainer_for(config, folder, [scores, TimeLeft()])

    start = time.perf_counter()
    trainer.fit(method, datamodule=data)
    fit_seconds = time.perf_counter() - start
    if config.save_checkpoint:
        trainer.save_checkpoint(folder / "method.ckpt")

    scores.start("validation", data.validation_files)
    trainer.predict(method, data.val_dataloader(), return_predictions=False)
    check_masks(category.test)
    scores.start("test", category.test)
    trainer.predict(method, data.test_dataloader(), return_predictions=False)
    return _result(config, category, scores, fit_seconds, method.facts()), scores.table()


def _data(config: DictConfig, category: Category) -> DefectData:
    return DefectData(
        category,
        Input(**config.input),
        Training(**config.method.train),
        Augmentation(**config.category.augmentation),
        validation_share=config.protocol.validation_share,
        predict_batch_size=config.method.predict_batch_size,
        seed=config.seed,
        cache_dir=Path(config.data.cache_dir) if config.data.cache_dir else None,
    )


def _method(config: DictConfig, data: DefectData) -> Method:
    """The method as configured; only the images tell the number of channels."""
    settled = OmegaConf.merge(config, {"channels": data.decoding.channels})
    method: Method = hydra.utils.instantiate(settled.method.model)
    return method


def _areas(protocol: DictConfig) -> list[float]:
    """The grid of areas to score, with the one that decides among them."""
    areas = sorted({*protocol.area_grid, protocol.minimum_area})
    if not 0 < areas[0] <= areas[-1] <= 1:
        raise UserError(
            f"protocol.minimum_area and area_grid are shares of the image, above 0 and up to 1, not {areas}."
        )
    return areas


def _result(
    config: DictConfig, category: Category, scores: ScoreMaps, fit_seconds: float, facts: dict[str, str | int | float]
) -> Result:
    area = config.protocol.minimum_area
    by_split = dict(list(scores.table().groupby("split")))
    test = by_split["test"]
    test_scores = test[area_column(area)].to_numpy()
    defective = test["defective"].to_numpy()
    limit = threshold(by_split["validation"][area_column(area)].to_numpy())
    good, bad = classified_correctly(test_scores, defective, limit)
    return Result(
        threshold=limit,
        minimum_area=area,
        minimum_area_px=area_in_pixels(area, math.prod(scores.map_size)),
        map_size=scores.map_size,
        validation_images=len(by_split["validation"]),
        good=good,
        defective=bad,
        image=image_metrics(test_scores, defective),
        image_of_maximum=image_metrics(test["map_maximum"].to_numpy(), defective),
        false_alarms_per_good_image=None,
        pixel=None,
        has_masks=category.has_masks,
        fit_seconds=fit_seconds,
        ms_per_image=scores.ms_per_image,
        peak_memory_mib=peak_memory_mib(),
        peak_gpu_memory_mib=torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else None,
        facts=facts,
    )


def _start_memory_counters() -> None:
    reset_peak_memory()
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
