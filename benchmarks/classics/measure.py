"""The benchmarks of single samples: fit a method to normal ones, score the test samples, decide."""

import logging
import time
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf
from torch.utils.data import DataLoader

from benchmarks.common.seeding import stream_seed
from benchmarks.config.targets import instantiated
from benchmarks.data.index import GOOD
from benchmarks.data.samples import SampleData, Samples
from benchmarks.protocol.decision import classified_correctly
from benchmarks.protocol.image_metrics import image_metrics
from benchmarks.protocol.sample_decision import check_rate, threshold_at
from benchmarks.run.contract_check import check_contract
from benchmarks.run.loggers import tell_result
from benchmarks.run.memory import peak_memory, start_memory_counters
from benchmarks.run.method import make_method
from benchmarks.run.scores import write_scores
from benchmarks.run.state import CellState, KeepState, StateFile
from benchmarks.run.trainer import TimeLeft, check_trainer, trainer_for
from benchmarks.store.record import FITTED, Cell, Result
from benchmarks.store.runs import RunStore
from methods.contract import Method, MethodError, SampleMethod

log = logging.getLogger(__name__)

FIGURES = "figures"


class Draw(Protocol):
    """Draws the figures of one run into a folder."""

    def __call__(
        self, method: SampleMethod, data: SampleData, scores: pd.DataFrame, threshold: float, folder: Path
    ) -> None: ...


class SampleBenchmark:
    """A benchmark whose samples have one score each: no maps, no masks, no areas.

    Args:
        figures: whether to draw.
        draw: what to draw.
    """

    modules = tuple(
        f"benchmarks.{room}.{name}"
        for room, names in {
            "classics": ("measure",),
            "common": ("seeding",),
            "data": ("order", "samples"),
            "protocol": ("decision", "image_metrics", "intervals", "sample_decision"),
            "run": ("method", "scores", "trainer"),
        }.items()
        for name in names
    )

    def __init__(self, figures: bool, draw: Draw) -> None:
        self.figures, self.draw = figures, draw

    def read(self, config: DictConfig, make: bool = True) -> Samples:
        if not make and "download" in config.data:
            config = OmegaConf.merge(config, {"data": {"download": False}})  # type: ignore[assignment]
        samples: Samples = instantiated(config.data.samples)
        return samples

    def files(self, config: DictConfig, category: Samples) -> list[Path]:
        places = (config.data.get("csv"), config.data.get("root"))
        return [Path(place) for place in places if place is not None and Path(place).exists()]

    def survey(self, config: DictConfig, category: Samples) -> tuple[str, ...]:
        return ()  # they are checked as they are read

    def train_fingerprint(self, config: DictConfig, category: Samples) -> str:
        return category.train_fingerprint()

    def test_fingerprint(self, config: DictConfig, category: Samples) -> str:
        return category.test_fingerprint()

    def validate(self, config: DictConfig, category: Samples) -> None:
        check_rate(config.protocol.false_alarm_rate)
        _data(config, category)
        check_trainer(config)

    def measure(self, config: DictConfig, category: Samples, folder: Path, state: CellState) -> Result:
        """Run one method on one category.

        Raises:
            UserError, MethodError: data or training with which the run cannot go on.
        """
        start_memory_counters()
        data = _data(config, category)
        pl.seed_everything(stream_seed(config.seed, "method"), verbose=False)
        make = partial(make_method, config, columns=data.shape[-1])
        method = make()
        assert isinstance(method, SampleMethod)  # only they apply to samples
        keeper = KeepState(StateFile(state), data)
        trainer = trainer_for(config, method, folder, [TimeLeft()], keeper)

        loaders = data.train_dataloader(), data.val_dataloader()  # without `data`, which holds the test samples
        trainer.fit(method, *loaders, ckpt_path=keeper.file.checkpoint, weights_only=True)
        if config.save_checkpoint:
            trainer.save_checkpoint(folder / FITTED)

        check_contract(method, lambda method, count: _scores(trainer, method, data.val_dataloader(count)), make)
        held_out = _scores(trainer, method, data.val_dataloader())
        start = time.perf_counter()
        test = _scores(trainer, method, data.test_dataloader())
        ms_per_sample = 1000 * (time.perf_counter() - start) / len(test)

        scores = _table(data, held_out, test)
        write_scores(scores, folder)
        limit = threshold_at(held_out, config.protocol.false_alarm_rate)
        if self.figures:
            self.draw(method, data, scores, limit, folder / FIGURES)
            log.info("figures: %s", _final_folder(config) / FIGURES)
        good, anomalous = classified_correctly(test, category.anomalous, limit)
        result = Result(
            threshold=limit,
            minimum_area=None,
            minimum_area_px=None,
            map_size=None,
            validation_images=len(held_out),
            good=good,
            defective=anomalous,
            image=image_metrics(test, category.anomalous),
            image_of_maximum=None,
            false_alarms_per_good_image=None,
            pixel=None,
            has_masks=False,
            fit_seconds=keeper.fit_seconds,
            ms_per_image=ms_per_sample,
            facts={**category.facts, **method.facts()},
            **peak_memory(),  # type: ignore[arg-type]  # by name
        )
        tell_result(trainer.loggers, result, folder)
        return result


def _data(config: DictConfig, samples: Samples) -> SampleData:
    return SampleData(
        samples,
        standardise=config.input.standardise,
        batch_size=config.method.train.batch_size,
        predict_batch_size=config.method.predict_batch_size,
        limit=config.method.train.limit,
        validation_share=config.protocol.validation_share,
        seed=config.seed,
    )


def _scores(trainer: pl.Trainer, method: Method, samples: DataLoader[torch.Tensor]) -> NDArray[np.float64]:
    predicted = trainer.predict(method, samples)
    assert predicted is not None
    scores: NDArray[np.float64] = torch.cat(predicted).double().cpu().numpy()  # type: ignore[arg-type]
    if not np.isfinite(scores).all():
        raise MethodError(f"{(~np.isfinite(scores)).sum()} of {len(scores)} anomaly scores are not finite.")
    return scores


def _table(data: SampleData, held_out: NDArray[np.float64], test: NDArray[np.float64]) -> pd.DataFrame:
    """One row per sample: path (where it comes from), split, defect_type, defective, score."""
    samples = data.samples
    validation = pd.DataFrame({"path": [samples.train_names[index] for index in data.held_out], "score": held_out})
    tested = pd.DataFrame({"path": samples.test_names, "score": test, "defect_type": samples.test_types})
    parts = [validation.assign(split="validation", defect_type=GOOD), tested.assign(split="test")]
    table = pd.concat(parts, ignore_index=True)
    table["defective"] = table["defect_type"] != GOOD
    return table[["path", "split", "defect_type", "defective", "score"]]


def _final_folder(config: DictConfig) -> Path:
    """Where the run's folder will be when it is complete."""
    return RunStore(Path(config.results.dir)).folder(Cell(config.method.name, config.category.name, config.seed))
