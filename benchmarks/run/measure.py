"""Fit a method to a category's good images, score its test images, decide: the benchmark's main line, top to bottom."""

import logging
import math
import time
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import hydra.utils
import pandas as pd
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf

from benchmarks.common.provenance import peak_memory_mib, reset_peak_memory
from benchmarks.common.seeding import stream_seed
from benchmarks.data.augmentation import Augmentation
from benchmarks.data.datamodule import DefectData, Input, Training
from benchmarks.data.index import Category
from benchmarks.protocol.area_score import area_in_pixels
from benchmarks.protocol.decision import classified_correctly, threshold
from benchmarks.protocol.image_metrics import image_metrics
from benchmarks.protocol.pixel_metrics import PixelMetrics
from benchmarks.run.scores import ScoreMaps, Scores
from benchmarks.run.trainer import TimeLeft, trainer_for
from benchmarks.store.record import OWN, OwnScore, Result
from benchmarks.store.scores import MAP_MAXIMUM, OWN_SCORE, area_column
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
    data.read()
    pl.seed_everything(stream_seed(config.seed, "method"), verbose=False)
    method = _method(config, data)
    scores = Scores(category, config.protocol, _maps_folder(config, folder), own_score=method.has_own_score())
    maps = ScoreMaps()
    trainer = trainer_for(config, method, folder, [maps, TimeLeft()])

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
    facts = method.facts()
    if "warning" in facts:
        log.warning("%s", facts["warning"])
    result = result_of(scores, folder, facts, trainer.strategy.root_device.type)
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
    own = _own_score(table, scores.protocol.image_score == OWN)
    good, bad = (
        classified_correctly(test[OWN_SCORE].to_numpy(), defective, own.threshold)
        if own is not None and own.decides
        else classified_correctly(test_scores, defective, scores.threshold)
    )
    return Result(
        threshold=scores.threshold,
        minimum_area=area,
        minimum_area_px=area_in_pixels(area, math.prod(scores.map_size)),
        map_size=scores.map_size,
        validation_images=int((table["split"] == "validation").sum()),
        good=good,
        defective=bad,
        image=image_metrics(test_scores, defective),
        image_of_maximum=image_metrics(test[MAP_MAXIMUM].to_numpy(), defective),
        false_alarms_per_good_image=fmean(scores.false_alarms) if scores.false_alarms else None,
        pixel=_pixel_metrics(scores, folder, device),
        has_masks=scores.category.has_masks,
        fit_seconds=None,
        ms_per_image=None,
        peak_memory_mib=None,
        peak_gpu_memory_mib=None,
        facts=facts,
        own=own,
    )


def _own_score(table: pd.DataFrame, decides: bool) -> OwnScore | None:
    """What the method's own image score is worth; None if it has none."""
    if OWN_SCORE not in table:
        return None
    test = table[table["split"] == "test"]
    limit = threshold(table.loc[table["split"] == "validation", OWN_SCORE].to_numpy())
    return OwnScore(limit, image_metrics(test[OWN_SCORE].to_numpy(), test["defective"].to_numpy()), decides)


def _pixel_metrics(scores: Scores, folder: Path, device: str) -> PixelMetrics | None:
    pixels = scores.pixels.sorted(device) if scores.pixels is not None else None
    if pixels is None:
        return None
    fpr, pro = pixels.pro_curve()
    pd.DataFrame({"false_positive_rate": fpr, "region_overlap": pro}).to_csv(folder / "pro_curve.csv", index=False)
    return pixels.metrics(scores.threshold, scores.protocol.aupro_limit)


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


def _start_memory_counters() -> None:
    reset_peak_memory()
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
