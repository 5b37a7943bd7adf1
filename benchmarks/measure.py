"""Fit a method to a category's good images, score its test images, decide: the benchmark's main line, top to bottom."""

import logging
import math
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from statistics import fmean
from typing import Any

import hydra.utils
import pandas as pd
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf

from benchmarks.data.augmentation import Augmentation
from benchmarks.data.datamodule import DefectData, Input, Training
from benchmarks.data.index import Category
from benchmarks.protocol.area_score import area_in_pixels
from benchmarks.protocol.decision import classified_correctly
from benchmarks.protocol.image_metrics import image_metrics
from benchmarks.protocol.pixel_metrics import PixelMetrics
from benchmarks.provenance import peak_memory_mib, reset_peak_memory
from benchmarks.score import ScoreMaps, Scores, area_column
from benchmarks.seeding import stream_seed
from benchmarks.store.record import Result
from methods.contract import Method

log = logging.getLogger(__name__)


def measure(config: DictConfig, category: Category, folder: Path) -> tuple[Result, pd.DataFrame]:
    """Run one method on one category.

    Args:
        config: the composed configuration of the run (`conf/config.yaml`).
        folder: where losses, PRO curve and, if wanted, checkpoint and maps go.

    Returns:
        The result, and the scores of all validation and test images.

    Raises:
        UserError, MethodError: data or training with which the run cannot go on.
    """
    _start_memory_counters()
    data = _data(config, category)
    pl.seed_everything(stream_seed(config.seed, "method"), verbose=False)
    method = _method(config, data)
    scores = Scores(category, config.protocol, _maps_folder(config, folder))
    maps = ScoreMaps()
    trainer = _trainer(config, folder, maps)

    start = time.perf_counter()
    trainer.fit(method, datamodule=data)
    fit_seconds = time.perf_counter() - start
    if config.save_checkpoint:
        trainer.save_checkpoint(folder / "method.ckpt")

    maps.start(data.validation_files, scores.add_validation)
    trainer.predict(method, data.val_dataloader(), return_predictions=False)
    scores.start_test()
    maps.start(category.test, scores.add_test)
    trainer.predict(method, data.test_dataloader(), return_predictions=False)

    costs: dict[str, Any] = {
        "fit_seconds": fit_seconds,
        "ms_per_image": maps.ms_per_image,
        "peak_memory_mib": peak_memory_mib(),
        "peak_gpu_memory_mib": torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else None,
    }
    result = result_of(scores, folder, method.facts(), trainer.strategy.root_device.type)
    return replace(result, **costs), scores.table()


def result_of(scores: Scores, folder: Path, facts: dict[str, str | int | float], device: str = "cpu") -> Result:
    """Threshold, decisions and metrics, from the scores of all maps; what making the maps cost is left open.

    Args:
        folder: where the PRO curve goes (`pro_curve.csv`), if there are masks.
        device: "cuda" sorts the pixels on the GPU.
    """
    area = scores.protocol.minimum_area
    table = scores.table()
    test = table[table["split"] == "test"]
    test_scores, defective = test[area_column(area)].to_numpy(), test["defective"].to_numpy()
    good, bad = classified_correctly(test_scores, defective, scores.threshold)
    return Result(
        threshold=scores.threshold,
        minimum_area=area,
        minimum_area_px=area_in_pixels(area, math.prod(scores.map_size)),
        map_size=scores.map_size,
        validation_images=int((table["split"] == "validation").sum()),
        good=good,
        defective=bad,
        image=image_metrics(test_scores, defective),
        image_of_maximum=image_metrics(test["map_maximum"].to_numpy(), defective),
        false_alarms_per_good_image=fmean(scores.false_alarms) if scores.false_alarms else None,
        pixel=_pixel_metrics(scores, folder, device),
        has_masks=scores.category.has_masks,
        fit_seconds=None,
        ms_per_image=None,
        peak_memory_mib=None,
        peak_gpu_memory_mib=None,
        facts=facts,
    )


def _pixel_metrics(scores: Scores, folder: Path, device: str) -> PixelMetrics | None:
    pixels = scores.pixels.sorted(device) if scores.pixels is not None else None
    if pixels is None:
        return None
    fpr, pro = pixels.pro_curve()
    pd.DataFrame({"false_positive_rate": fpr, "region_overlap": pro}).to_csv(folder / "pro_curve.csv", index=False)
    return pixels.metrics(scores.threshold, scores.protocol.aupro_limit)


class TimeLeft(pl.Callback):
    """Says after each epoch how long the training still takes: Lightning's bars know only the current epoch."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.start = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        done, epochs = trainer.current_epoch + 1, trainer.max_epochs or 1
        left = timedelta(seconds=round((time.perf_counter() - self.start) / done * (epochs - done)))
        if left:
            log.info("epoch %d of %d, about %s left", done, epochs, left)


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


def _maps_folder(config: DictConfig, folder: Path) -> Path | None:
    """`maps/<method>/<category>`, so that `maps` is what `defectbench evaluate` and MVTec's own program expect."""
    return folder / "maps" / config.method.name / config.category.name if config.save_maps else None


def _trainer(config: DictConfig, folder: Path, maps: ScoreMaps) -> pl.Trainer:
    settings: dict[str, Any] = OmegaConf.to_container(config.trainer, resolve=True)  # type: ignore[assignment]
    logger = hydra.utils.instantiate(config.logger, save_dir=str(folder / "logs")) if config.logger else False
    return pl.Trainer(
        **settings,
        max_epochs=config.method.train.get("epochs", 1),
        logger=logger,
        callbacks=[maps, TimeLeft()],
        log_every_n_steps=1,
        default_root_dir=folder,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=config.progress,
        num_sanity_val_steps=0,  # a method that is fitted in closed form has nothing to validate before it is fitted
    )


def _start_memory_counters() -> None:
    reset_peak_memory()
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
