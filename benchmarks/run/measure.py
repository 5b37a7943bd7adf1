"""Fit a method to a category's good images, score its test images, decide: the benchmark's main line, top to bottom."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytorch_lightning as pl
from numpy.typing import NDArray
from omegaconf import DictConfig

from benchmarks.common.errors import UserError
from benchmarks.common.seeding import stream_seed
from benchmarks.data.augmentation import Augmentation
from benchmarks.data.cache import memo_of
from benchmarks.data.datamodule import DefectData, Input, Training
from benchmarks.data.fingerprint import fingerprint
from benchmarks.data.images import Fit as FitOfImages
from benchmarks.data.index import Category, ImageFile
from benchmarks.data.split import Fold
from benchmarks.inspect.saving import save_inspector
from benchmarks.inspect.specification import INSPECTOR
from benchmarks.protocol.thresholds import MAXIMUM, Rule
from benchmarks.run.committee import Committee
from benchmarks.run.contract_check import check_contract
from benchmarks.run.epochs import ScoreAtEpochs, wanted_epochs
from benchmarks.run.loggers import tell_result
from benchmarks.run.memory import peak_memory, start_memory_counters
from benchmarks.run.method import make_method, method_class
from benchmarks.run.result import result_of
from benchmarks.run.scores import ScoreMaps, Scores, Take
from benchmarks.run.state import CellState, KeepState, StateFile
from benchmarks.run.trainer import TimeLeft, trainer_for
from benchmarks.store.record import FITTED, MAPS, Result
from methods.contract import Method

log = logging.getLogger(__name__)

SPLIT, CROSS = HELD_OUT = ("split", "cross")
"""Values of `protocol.held_out`."""
NO_PROMISE = {"no_promise": "the method itself uses the held-out images"}


def measure(config: DictConfig, category: Category, folder: Path, state: CellState) -> Result:
    """Run one method on one category.

    Args:
        config: the composed configuration of the run (`conf/config.yaml`).
        folder: where scores, losses, PRO curve and, if wanted, checkpoint and maps go.
        state: what an interrupted run resumes from.

    Raises:
        UserError, MethodError: data or training with which the run cannot go on.
    """
    start_memory_counters()
    epochs = wanted_epochs(config)
    fits = _fits(config, category)
    rule, scores = _rule(config, fits), _scores(config, category, _maps_folder(config, folder))
    for fit in fits:
        fit.data.read(fits[0].data)
    maps, methods, fit_seconds = ScoreMaps(), list[Method](), 0.0
    with scores.kept_in(folder):
        for number, fit in enumerate(fits):
            pl.seed_everything(stream_seed(config.seed, "method"), verbose=False)
            make = partial(make_method, config, channels=fit.data.decoding.channels)
            method = make()
            methods.append(method)
            keeper = KeepState(StateFile(state, fit.place, number, len(fits)), fit.data)
            curve = ScoreAtEpochs(
                epochs, fit.data, category.test, partial(_scores, config, category, None), result_of, keeper
            )
            trainer = trainer_for(config, method, folder / fit.place, [maps, TimeLeft(), curve], keeper)
            trainer.fit(method, datamodule=fit.data, ckpt_path=keeper.file.checkpoint, weights_only=True)
            fit_seconds += keeper.fit_seconds
            curve.bring_to(folder)
            if config.save_checkpoint:
                trainer.save_checkpoint(folder / fit.place / FITTED)
            check_contract(method, partial(_first_maps, trainer, maps, fit.data), make)
            predict = partial(_predict, trainer, maps, keeper, fit.data)
            predict(method, fit.data.validation_files, partial(scores.add_validation, fold=fit.fold))

        scores.start_test()
        alone = len(methods) == 1
        take = scores.add_test if alone else scores.add_test_of_folds
        predict(method if alone else Committee(methods), category.test, take)

    costs = _costs(fit_seconds, maps.ms_per_image)
    facts = {**_facts(methods), **_promise(config, rule, scores)}
    if "warning" in facts:
        log.warning("%s", facts["warning"])
    result = result_of(scores, folder, facts, trainer.strategy.root_device.type)
    if config.save_inspector:
        _save_inspector(config, category, folder, fits, methods, scores, result)
    result = replace(result, **costs)
    tell_result(trainer.loggers, result, folder)
    return result


def _facts(methods: Sequence[Method]) -> dict[str, str | int | float]:
    """What the first fit says of itself; a warning of any fold, as each of them votes."""
    facts = [method.facts() for method in methods]
    warnings = [f"fold {fold}: {found['warning']}" for fold, found in enumerate(facts) if "warning" in found]
    return facts[0] | ({"warning": "; ".join(warnings)} if warnings and len(methods) > 1 else {})


def _costs(fit_seconds: float, ms_per_image: float) -> dict[str, Any]:
    """What a cell has taken up to now; an inspector is saved later, and does not count."""
    return {"fit_seconds": fit_seconds, "ms_per_image": ms_per_image, **peak_memory()}


def check_request(config: DictConfig, category: Category) -> None:
    """Refuse what `measure` would refuse, before anything is read or fitted.

    Raises:
        UserError: a setting of the protocol, of the images or of the training that cannot be, or too few images for it.
    """
    _rule(config, _fits(config, category))
    _scores(config, category, None)


def _first_maps(
    trainer: pl.Trainer, maps: ScoreMaps, data: DefectData, method: Method, count: int
) -> NDArray[np.float32]:
    """Maps (count, H, W) of the first held-out images, made together; where only one is held out, of fitted ones as well."""
    found: list[NDArray[np.float32]] = []
    files = [*data.validation_files, *data.fit_files][:count]
    maps.start(files, lambda image, map_HW, own: found.append(map_HW))
    trainer.predict(method, data.loader(files, batch_size=count), return_predictions=False)
    return np.stack(found)


def _predict(
    trainer: pl.Trainer,
    maps: ScoreMaps,
    keeper: KeepState,
    data: DefectData,
    method: pl.LightningModule,
    images: Sequence[ImageFile],
    take: Take,
) -> None:
    """Hand on the maps of images: those that were kept before the run was interrupted, then those that are left to make."""
    made = maps.start(images, take, keeper.file.maps(fingerprint(images, memo_of(data.cache_dir, images))))
    if made < len(images):
        trainer.predict(method, data.loader(images, made), return_predictions=False)


def _save_inspector(
    config: DictConfig,
    category: Category,
    folder: Path,
    fits: Sequence["Fit"],
    methods: Sequence[Method],
    scores: Scores,
    result: Result,
) -> None:
    held_out = [file for fit in fits for file in fit.data.validation_files]
    decoding = fits[0].data.decoding
    save_inspector(
        folder / INSPECTOR, config, category, decoding, methods, held_out, scores.folds, scores.table(), result
    )


class Fit(NamedTuple):
    """One fit of the cell: `held_out=split` has one, `cross` one for each fold."""

    fold: int
    data: DefectData
    place: str
    """Below the run's folder, for what the fit leaves."""


def _fits(config: DictConfig, category: Category) -> list[Fit]:
    """The fits; none of their images is read yet.

    Raises:
        UserError: `held_out` is neither, or there are too few images.
    """
    if config.protocol.held_out not in HELD_OUT:
        raise UserError(f"protocol.held_out={config.protocol.held_out} is neither split nor cross.")
    folds = [Fold(k, config.protocol.folds) for k in range(config.protocol.folds)]
    parts = folds if config.protocol.held_out == CROSS else [None]
    return [Fit(f.number if f else 0, _data(config, category, f), f"fold={f.number}" if f else ".") for f in parts]


def _rule(config: DictConfig, fits: Sequence[Fit]) -> Rule:
    """The threshold's rule, which must work with so many held-out images."""
    rule, held_out = Rule.of(config.protocol.threshold), sum(len(fit.data.validation_files) for fit in fits)
    if held_out < rule.images_needed:
        share = config.protocol.validation_share
        raise UserError(
            f"protocol.threshold={rule} needs {rule.images_needed} held-out good images, and there are {held_out}. With "
            f"protocol.held_out=cross that takes {rule.images_needed} images in train/good; with held_out=split and "
            f"validation_share={share:g}, {ceil(rule.images_needed / share)}. Add good images, or choose a larger ALPHA."
        )
    return rule


def _scores(config: DictConfig, category: Category, maps_folder: Path | None) -> Scores:
    fit: FitOfImages = config.input.fit if config.input.px else "squash"
    return Scores(category, config.protocol, maps_folder, method_class(config).has_own_score(), fit)


def _promise(config: DictConfig, rule: Rule, scores: Scores) -> dict[str, str | int | float]:
    """What the record says of a threshold that is not the paper's."""
    crossed = config.protocol.held_out == CROSS
    if rule == MAXIMUM and not crossed:
        return {}
    said: dict[str, str | int | float] = {"threshold_rule": str(rule)}
    if crossed:
        said["held_out"] = f"{CROSS}:{config.protocol.folds}"
    images = scores.held_out
    promise = rule.promise(images, config.protocol.folds if crossed else None)
    if promise is None:
        return said
    if method_class(config).sees_held_out():
        return {**said, **NO_PROMISE}
    log.info(
        "threshold %s from %d held-out images: a false-alarm rate of at most %.3g is promised", rule, images, promise
    )
    return {**said, "promised_false_alarm_rate": round(promise, 6)}


def _data(config: DictConfig, category: Category, fold: Fold | None) -> DefectData:
    return DefectData(
        category.train,
        Input(**{name: config.input[name] for name in Input.__dataclass_fields__}),
        Training(**config.method.train),
        Augmentation(**config.category.augmentation),
        validation_share=config.protocol.validation_share,
        # an inspector sees one image at a time, and the last bits of a map depend on the batch's size
        predict_batch_size=1 if config.save_inspector else config.method.predict_batch_size,
        seed=config.seed,
        cache_dir=Path(config.data.cache_dir) if config.data.cache_dir else None,
        fold=fold,
    )


def _maps_folder(config: DictConfig, folder: Path) -> Path | None:
    """`maps/<method>/<category>`, so that `maps` is what `defectbench evaluate` and MVTec's own program expect."""
    return folder / MAPS / config.method.name / config.category.name if config.save_maps else None
