"""One cell of the table: skip it if it is finished, else measure it and keep the record."""

import logging
import os
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from benchmarks.common import provenance
from benchmarks.common.errors import UserError
from benchmarks.common.files import write_text
from benchmarks.common.project import revision
from benchmarks.config import applies, composed, instantiated
from benchmarks.data.fingerprint import hash_of
from benchmarks.run.benchmark import Benchmark
from benchmarks.run.isolation import isolated
from benchmarks.run.settings import check
from benchmarks.run.threads import limited_threads, threads_of
from benchmarks.store.identity import Identity, code_fingerprint
from benchmarks.store.lookup import Lookup
from benchmarks.store.record import Cell, Record
from benchmarks.store.runs import RECORD, SCORES, RunStore
from methods.contract import MethodError

log = logging.getLogger(__name__)

# The parts of the config that decide the numbers; the rest says where things lie and what is shown.
DECIDING = ("method", "category", "input", "protocol", "budget", "trainer", "seed")


def run(config: DictConfig) -> Record:
    """Make sure that the configured cell is finished, and return its record.

    Raises:
        Busy: another process is running it.
        UserError: the method does not take this kind of category; the data or the configuration cannot be used; or the run failed,
            and its folder then holds a record that says so.
    """
    check(config)
    cell = Cell(config.method.name, config.category.name, config.seed)
    if not applies(config.method, config.category.kind):
        raise UserError(
            f"{cell.method} does not apply to {cell.category}: it takes {' and '.join(config.method.inputs)}s."
        )
    with isolated(), limited_threads(threads_of(config)):
        return _run(config, cell)


def _run(config: DictConfig, cell: Cell) -> Record:
    benchmark: Benchmark = instantiated(config.benchmark)
    category = benchmark.read(config)
    wanted = _identity(config, benchmark, category)
    store = RunStore(Path(config.results.dir))
    with store.claim(cell):
        record = store.find(cell)
        if record is None or record.status != "finished" or config.force:
            record = _run_and_record(config, benchmark, category, wanted, store)
        elif changes := _changes(record, wanted, config, benchmark, category):
            log.info("stale: %s is finished, but since then changed: %s", cell, "; ".join(changes))
            record = _run_and_record(config, benchmark, category, wanted, store)
        else:
            log.info("skipped: %s is finished (force=true runs it again)", cell)
        Lookup(store.results).keep(_overrides(), record, [*benchmark.files(config, category), *_weights(config)])
    return record


def changes_since(record: Record) -> list[str]:
    """What has changed in configuration, code, versions and data since a finished run, in words; nothing if it still stands.

    Raises:
        UserError, HydraException: what it was asked for cannot be asked for any more.
    """
    config = composed(record.overrides)
    benchmark: Benchmark = instantiated(config.benchmark)
    category = benchmark.read(config)
    return _changes(record, _identity(config, benchmark, category), config, benchmark, category)


def _overrides() -> tuple[str, ...]:
    """What was said on the command line, or for this job of a sweep."""
    return tuple(HydraConfig.get().overrides.task) if HydraConfig.initialized() else ()


def _weights(config: DictConfig) -> list[Path]:
    """The file of weights that the method starts from, if there is one."""
    path = Path(str(config.method.get("weights", "")))
    return [path] if path.is_file() else []


def _identity(config: DictConfig, benchmark: Benchmark, category: Any) -> Identity:
    resolved: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    method_module = config.method.model._target_.rpartition(".")[0]
    deciding = {key: resolved[key] for key in DECIDING}
    deciding["method"].pop("family", None)  # where tables list the method
    for weights in _weights(config):  # the content decides, not the name
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
    warnings = tuple(benchmark.survey(config, category))
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
        revision=revision(),
        device=_device(config),
        visible_gpus=os.environ.get("CUDA_VISIBLE_DEVICES", ""),
        threads=torch.get_num_threads(),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=0.0,
        overrides=_overrides(),
        warnings=warnings,
    )
    with store.writing(cell) as folder, _logged_to(folder / "log.txt"):
        log.info("running: %s, budget %s", cell, record.budget)
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


def _device(config: DictConfig) -> str:
    on_gpu = torch.cuda.is_available() and config.trainer.accelerator != "cpu"
    return torch.cuda.get_device_name() if on_gpu else provenance.processor()


@contextmanager
def _logged_to(path: Path) -> Iterator[None]:
    """Keep the lines of the project and of Lightning, with their times, in a file as well."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    loggers = [logging.getLogger(name) for name in ("benchmarks", "methods", "pytorch_lightning")]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
        handler.close()


def _in_words(error: Exception) -> str:
    return str(error) if isinstance(error, (UserError, MethodError)) else f"{type(error).__name__}: {error}"
