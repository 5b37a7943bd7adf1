"""One cell of the table: skip it if it is finished, else measure it and keep the record."""

import logging
import os
import time
import traceback
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hydra.utils
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from benchmarks import provenance
from benchmarks.benchmark import Benchmark
from benchmarks.data.fingerprint import hash_of
from benchmarks.errors import UserError
from benchmarks.files import write_text
from benchmarks.store.identity import PROJECT, Identity, code_fingerprint
from benchmarks.store.record import Cell, Record
from benchmarks.store.runs import RECORD, SCORES, RunStore
from methods.contract import MethodError

log = logging.getLogger(__name__)

# The parts of the config that decide the numbers; the rest says where things lie and what is shown.
DECIDING = ("method", "category", "input", "protocol", "budget", "trainer", "seed")


class NotApplicable(UserError):
    """The method is not meant for this category (PROTOCOL section 3)."""


def run(config: DictConfig) -> Record:
    """Make sure that the configured cell is finished, and return its record.

    Raises:
        NotApplicable: the method does not take this kind of category.
        UserError: the data or the configuration cannot be used, or the run failed; its folder then holds a record that says so.
    """
    if not isinstance(config.seed, int):
        raise UserError(f"seed={config.seed} is not a whole number.")
    cell = Cell(config.method.name, config.category.name, config.seed)
    if config.category.kind not in config.method.inputs:
        raise NotApplicable(
            f"{cell.method} does not apply to {cell.category}: it takes {' and '.join(config.method.inputs)}s."
        )
    benchmark: Benchmark = hydra.utils.instantiate(config.benchmark)
    category = benchmark.read(config)
    wanted = _identity(config, benchmark, category)
    store = RunStore(Path(config.results.dir))
    with store.claim(cell):
        found = store.find(cell)
        if found is not None and found.status == "finished" and not config.force:
            changes = _changes(found, wanted, config, benchmark, category)
            if not changes:
                log.info("skipped: %s is finished (force=true runs it again)", cell)
                return found
            log.info("stale: %s is finished, but since then changed: %s", cell, "; ".join(changes))
        return _run_and_record(config, benchmark, category, wanted, store)


def _identity(config: DictConfig, benchmark: Benchmark, category: Any) -> Identity:
    resolved: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    method_module = config.method.model._target_.rpartition(".")[0]
    deciding = {key: resolved[key] for key in DECIDING}
    weights = Path(str(config.method.get("weights", "")))
    if weights.is_file():  # the content decides, not the name
        deciding["weights_content"] = hash_of(weights)
    return Identity(
        config=deciding,
        train_data=benchmark.train_fingerprint(config, category),
        code=code_fingerprint([method_module, type(benchmark).__module__]),
        versions=provenance.versions(),
    )


def _changes(found: Record, wanted: Identity, config: DictConfig, benchmark: Benchmark, category: Any) -> list[str]:
    """Why a finished run does not stand for the wanted one. Test images are looked at only if all else is equal."""
    changes = wanted.changes(found.identity)
    if not changes and found.test_data != benchmark.test_fingerprint(config, category):
        changes = ["test_data"]
    return changes


def _run_and_record(
    config: DictConfig, benchmark: Benchmark, category: Any, identity: Identity, store: RunStore
) -> Record:
    cell = Cell(config.method.name, config.category.name, config.seed)
    start = time.perf_counter()
    record = Record(
        method=cell.method,
        category=cell.category,
        kind=config.category.kind,
        seed=cell.seed,
        dataset=config.data.name,
        budget=config.budget.name,
        status="failed",
        identity=asdict(identity),
        test_data="",
        revision=provenance.revision(PROJECT),
        device=torch.cuda.get_device_name() if torch.cuda.is_available() else provenance.processor(),
        visible_gpus=os.environ.get("CUDA_VISIBLE_DEVICES", ""),
        threads=torch.get_num_threads(),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=0.0,
        overrides=tuple(HydraConfig.get().overrides.task) if HydraConfig.initialized() else (),
    )
    log.info("running: %s, budget %s", cell, record.budget)
    with store.writing(cell) as folder:
        write_text(folder / "config.yaml", OmegaConf.to_yaml(config))
        try:
            result, scores = benchmark.measure(config, category, folder)
        except Exception as error:  # whatever it is: this cell has failed, and its folder must say why
            (folder / "error.txt").write_text(traceback.format_exc(), encoding="utf-8")
            record = replace(record, error=_in_words(error))
        else:
            scores.to_csv(folder / SCORES, index=False)
            record = replace(
                record, status="finished", result=result, test_data=benchmark.test_fingerprint(config, category)
            )
        record = replace(record, seconds=time.perf_counter() - start)
        write_text(folder / RECORD, record.to_json())
    if record.status == "failed":
        raise UserError(f"{cell} failed: {record.error}\nMore in {store.folder(cell) / 'error.txt'}.")
    return record


def _in_words(error: Exception) -> str:
    return str(error) if isinstance(error, (UserError, MethodError)) else f"{type(error).__name__}: {error}"
