"""One cell of the table: skip it if it is finished, else measure it and keep the record."""

import logging
import os
import shutil
import traceback
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from benchmarks.common import provenance
from benchmarks.common.errors import UnusableData, UserError, refusal
from benchmarks.common.files import plain_name, write_text
from benchmarks.common.logs import logged_to
from benchmarks.common.project import revision
from benchmarks.common.words import in_plural, printable
from benchmarks.config.catalogue import applies
from benchmarks.config.compose import settle_flags
from benchmarks.config.targets import instantiated, refuse_foreign_targets
from benchmarks.inspect.specification import INSPECTOR
from benchmarks.run.benchmark import Benchmark
from benchmarks.run.epochs import wanted_epochs
from benchmarks.run.isolation import isolated
from benchmarks.run.precision import settle_precision
from benchmarks.run.settings import check
from benchmarks.run.standing import changes_of, identity_of
from benchmarks.run.state import CellState, ends_in_order
from benchmarks.run.threads import limited_threads, threads_of
from benchmarks.store.epochs import EPOCHS
from benchmarks.store.identity import Identity, named_files
from benchmarks.store.lookup import Lookup, is_kept
from benchmarks.store.progress import Progress, kept, state_folder
from benchmarks.store.record import CONFIG, FITTED, MAPS, RECORD, SCORES, Cell, Record
from benchmarks.store.runs import ERROR, RunStore
from benchmarks.store.scores import check_scores, hash_of_scores
from methods.contract import MethodError

log = logging.getLogger(__name__)

CHECKPOINT = "save_checkpoint"
KEPT_ON_REQUEST = {"save_maps": MAPS, CHECKPOINT: FITTED, "save_inspector": INSPECTOR}
"""What a run keeps if it is told to, by its setting."""


def run(config: DictConfig) -> Record:
    """Make sure that the configured cell is finished, and return its record.

    Nothing is touched before the request is known to be one that can be run.

    Raises:
        Busy: another process is running it.
        UserError: the method does not take this kind of category, or the configuration cannot be used; or the run failed, perhaps
            as its data cannot be used, and a folder beside or in its place then says why.
    """
    refuse_foreign_targets(config)
    settle_flags(config)
    check(config)
    cell = _cell(config)
    with isolated(), limited_threads(threads_of(config)):
        try:
            return _run(config, cell)
        except UnusableData as error:
            raise UserError(_kept_failure(config, cell, error)) from error


def _run(config: DictConfig, cell: Cell) -> Record:
    settle_precision(config)
    benchmark: Benchmark = instantiated(config.benchmark)
    category = benchmark.read(config)
    benchmark.validate(config, category)
    store = RunStore(Path(config.results.dir))
    requests = Lookup(store.results)
    request = requests.asked(_overrides(), [*benchmark.files(config, category), *_method_files(config)])
    wanted = identity_of(config, benchmark, benchmark.train_fingerprint(config, category))
    with store.claim(cell):
        record = None if config.force else _standing(store, cell, wanted, config, benchmark, category)
        if record is not None and (lacking := _lacking(store, record, config)):
            log.info("%s is finished, but lacks the files of %s: it is run again", cell, lacking)
            record = None
        if record is None:
            record = _run_and_record(config, benchmark, category, wanted, store)
        else:
            record = _under_its_new_name(store, record, wanted, config)
            log.info("skipped: %s is finished (force=true runs it again)", cell)
        _remove_state(state_folder(store.folder(cell)), wanted)
        requests.keep(request, record, _asked_for(config))
    return record


def _remove_state(folder: Path, finished: Identity) -> None:
    """Of a finished run nothing is left to go on from; an interrupted one with other settings may still be resumed."""
    found = Progress.read(folder)
    if found is None or not finished.changes(found.identity):
        shutil.rmtree(folder, ignore_errors=True)


def _cell(config: DictConfig) -> Cell:
    """The cell that is asked for.

    Raises:
        UserError: a name cannot be one, or the method does not take this kind of category.
    """
    for what in ("data", "budget"):
        plain_name(f"{what}.name", config[what].name)
    cell = Cell(config.method.name, config.category.name, config.seed)
    if not applies(config.method, config.category.kind):
        raise UserError(f"{cell.method} does not apply to {cell.category}: it takes {in_plural(config.method.inputs)}.")
    return cell


def _overrides() -> tuple[str, ...]:
    """What was said on the command line, or for this job of a sweep."""
    return tuple(HydraConfig.get().overrides.task) if HydraConfig.initialized() else ()


# -- what stands ------------------------------------------------------------------------------------------------------------------


def _method_files(config: DictConfig) -> list[Path]:
    """The files that the method's settings name, such as weights."""
    method: dict[str, Any] = OmegaConf.to_container(config.method, resolve=True)  # type: ignore[assignment]
    return [part for parts in named_files(method).values() for part in parts if isinstance(part, Path)]


def _standing(
    store: RunStore, cell: Cell, wanted: Identity, config: DictConfig, benchmark: Benchmark, category: Any
) -> Record | None:
    """A finished run that is the wanted one: the cell's, or one that it replaced, which then takes its place again."""
    test_data = cache(lambda: benchmark.test_fingerprint(config, category))
    found = store.find(cell)
    stale = found is not None and found.status == "finished" and changes_of(found, wanted, test_data)
    if found is not None and found.status == "finished" and not stale:
        return found
    for folder, earlier in store.replaced_runs(cell):
        if not changes_of(earlier, wanted, test_data) and _is_intact(folder, earlier):
            store.take_back(cell, folder)
            log.info("restored: %s, which another run had replaced", cell)
            return earlier
    if stale:
        log.info("stale: %s is finished, but these have changed since: %s", cell, "; ".join(stale))
    return None


def _is_intact(folder: Path, record: Record) -> bool:
    try:
        check_scores(folder, record)
    except UserError:
        return False
    return True


def _under_its_new_name(store: RunStore, record: Record, wanted: Identity, config: DictConfig) -> Record:
    """A run that is asked for under another budget or dataset, neither of which changes its numbers, moves to those tables."""
    names = {"dataset": config.data.name, "budget": config.budget.name}
    kept: dict[str, Any] = record.identity["config"]
    if names == {"dataset": record.dataset, "budget": record.budget} and kept.get("budget") == wanted.config["budget"]:
        return record
    identity = record.identity | {"config": kept | {"budget": wanted.config["budget"]}}
    renamed = replace(record, **names, identity=identity, overrides=_overrides())
    folder = store.folder(record.cell)
    write_text(folder / CONFIG, OmegaConf.to_yaml(config, resolve=True))
    write_text(folder / RECORD, renamed.to_json())
    log.info("%s: the same numbers as dataset %s, budget %s; its record says so now", record.cell, *names.values())
    return renamed


def _lacking(store: RunStore, record: Record, config: DictConfig) -> str:
    """What is asked for now and a finished run was not told to keep, or was kept and is gone."""
    if record.result is None:
        return ""
    folder, has_maps = store.folder(record.cell), record.result.map_size is not None  # digits and tables have none
    possible = KEPT_ON_REQUEST if has_maps else {CHECKPOINT: KEPT_ON_REQUEST[CHECKPOINT]}
    wanted = [setting for setting in possible if config[setting]]
    lacking = [f"{setting}=true" for setting in wanted if not any(map(is_kept, folder.rglob(possible[setting])))]
    last = OmegaConf.select(config, "method.train.epochs", default=0)
    on_the_way = [epoch for epoch in wanted_epochs(config) if epoch < last] if has_maps else []
    if not all(is_kept(folder / EPOCHS / str(epoch)) for epoch in on_the_way):
        lacking.append(f"score_at_epochs={config.score_at_epochs}")
    return " and ".join(lacking)


def _asked_for(config: DictConfig) -> list[str]:
    """What a run is told to keep, by the names in its folder."""
    files = [name for setting, name in KEPT_ON_REQUEST.items() if config[setting]]
    return files + [f"{EPOCHS}/{epoch}" for epoch in wanted_epochs(config)]


# -- running ----------------------------------------------------------------------------------------------------------------------


def _run_and_record(
    config: DictConfig, benchmark: Benchmark, category: Any, identity: Identity, store: RunStore
) -> Record:
    warnings = tuple(benchmark.survey(config, category))
    identity = _on_this_machine(config, identity)
    cell = Cell(config.method.name, config.category.name, config.seed)
    state = CellState(state_folder(store.folder(cell)), identity, config.checkpoint.minutes)
    begun = record = _begun(config, identity, warnings)
    with ends_in_order(), store.writing(record.cell) as folder, logged_to(folder / "log.txt"):
        log.info("running: %s, budget %s", record.cell, record.budget)
        write_text(folder / CONFIG, OmegaConf.to_yaml(config, resolve=True))
        try:
            result = benchmark.measure(config, category, folder, state)
            record = replace(
                record,
                status="finished",
                result=result,
                test_data=benchmark.test_fingerprint(config, category),
                scores_hash=hash_of_scores((folder / SCORES).read_bytes()),
                seconds=state.seconds,
            )
            text = record.to_json()
        except Exception as error:  # whatever it is: this cell has failed, and its folder must say why
            record = _failed(begun, error, folder, state.seconds)
            text = record.to_json()
        write_text(folder / RECORD, text)
    if record.status == "failed":
        if not kept(state.folder):  # nothing to go on from
            shutil.rmtree(state.folder, ignore_errors=True)
        raise UserError(_failure(store, record))
    return record


def _kept_failure(config: DictConfig, cell: Cell, error: UnusableData) -> str:
    """Keep the record of a cell that failed before it could begin; the message."""
    store = RunStore(Path(config.results.dir))
    identity = _on_this_machine(config, identity_of(config, instantiated(config.benchmark), ""))
    with store.claim(cell), store.writing(cell) as folder:
        write_text(folder / CONFIG, OmegaConf.to_yaml(config, resolve=True))
        record = _failed(_begun(config, identity, ()), error, folder, 0.0)
        write_text(folder / RECORD, record.to_json())
    return _failure(store, record)


def _failed(begun: Record, error: Exception, folder: Path, seconds: float) -> Record:
    (folder / ERROR).write_text(printable("".join(traceback.format_exception(error))), encoding="utf-8")
    return replace(begun, error=_in_words(error), seconds=seconds)


def _begun(config: DictConfig, identity: Identity, warnings: tuple[str, ...]) -> Record:
    """The record of a run that has not ended."""
    return Record(
        method=config.method.name,
        category=config.category.name,
        kind=config.category.kind,
        seed=config.seed,
        dataset=config.data.name,
        budget=config.budget.name,
        status="failed",
        identity=asdict(identity),
        test_data="",
        revision=revision(),
        device=_device(config),
        visible_gpus=os.environ.get("CUDA_VISIBLE_DEVICES", ""),
        threads=torch.get_num_threads(),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=0.0,
        overrides=_overrides(),
        warnings=warnings,
    )


def _failure(store: RunStore, record: Record) -> str:
    folder = store.where(record)
    stays = (
        f" The run in {store.folder(record.cell)} stays as it was."
        if folder == store.failed_folder(record.cell)
        else ""
    )
    return f"{record.cell} failed: {record.error}\nMore in {folder / ERROR}.{stays}"


def _on_this_machine(config: DictConfig, identity: Identity) -> Identity:
    """With the device that `auto` takes here: a record says it, and a run that began on another one is not resumed."""
    if config.trainer.accelerator != "auto":
        return identity
    trainer = identity.config["trainer"] | {"accelerator": "gpu" if torch.cuda.is_available() else "cpu"}
    return replace(identity, config=identity.config | {"trainer": trainer})


def _device(config: DictConfig) -> str:
    on_gpu = torch.cuda.is_available() and config.trainer.accelerator != "cpu"
    return torch.cuda.get_device_name() if on_gpu else provenance.processor()


def _in_words(error: Exception) -> str:
    if isinstance(error, (UserError, MethodError)):
        return printable(str(error))
    return printable(refusal(error) or f"{type(error).__name__}: {error}")
