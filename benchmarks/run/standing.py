"""Whether a finished run still stands for a request: what a cell's numbers follow from, and what of it has changed since.

Needs no torch: a look at a store, or a sweep that has nothing to run, does without.
"""

from collections.abc import Callable
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from benchmarks.common import provenance
from benchmarks.config.compose import composed, settle_flags
from benchmarks.config.targets import instantiated, targets
from benchmarks.data.fingerprint import content_of
from benchmarks.run.benchmark import Benchmark
from benchmarks.run.precision import settle_precision
from benchmarks.store.identity import FILES, Identity, code_fingerprint, named_files
from benchmarks.store.record import Record

RECORDED = ("method", "category", "input", "protocol", "budget", "trainer", "seed")
"""The parts of the configuration that say how a number was made; which of them decide it, `Identity` knows."""


def changes_since(record: Record) -> list[str]:
    """What has changed in configuration, code, versions and data since a finished run, in words; nothing if it still stands.

    Raises:
        UserError, HydraException: what it was asked for cannot be asked for any more.
    """
    config = deepcopy(_composed_for_all_seeds(tuple(t for t in record.overrides if not t.startswith("seed="))))
    config.seed = record.seed
    settle_precision(config)
    config.force = False
    if config.data.cache_dir and not Path(config.data.cache_dir).is_dir():
        config.data.cache_dir = None  # the record may come from anywhere: looking at it writes nothing anew
    benchmark: Benchmark = instantiated(config.benchmark)
    category = benchmark.read(config, make=False)
    wanted = identity_of(config, benchmark, benchmark.train_fingerprint(config, category))
    return changes_of(record, wanted, lambda: benchmark.test_fingerprint(config, category))


@lru_cache(maxsize=16)  # seeds of a cell lie side by side in a store
def _composed_for_all_seeds(overrides: tuple[str, ...]) -> DictConfig:
    """What takes nearly all the time of a comparison: a fifth of a second."""
    return composed(overrides)


def identity_of(config: DictConfig, benchmark: Benchmark, train_data: str) -> Identity:
    """What the numbers of a request follow from, but for its test images; `train_data` is the hash of what it is fitted to."""
    # what only the images tell is filled in later, whatever was said of it
    settled = OmegaConf.merge(config, {"channels": None, "columns": None})
    resolved: dict[str, Any] = OmegaConf.to_container(settled, resolve=True)  # type: ignore[assignment]
    contents = {
        name: " ".join(content_of(part) if isinstance(part, Path) else part for part in parts)
        for name, parts in named_files(resolved["method"]).items()
    }
    return Identity(
        config={key: resolved[key] for key in RECORDED} | ({FILES: contents} if contents else {}),
        train_data=train_data,
        code=code_fingerprint(_modules(resolved["method"]), [*benchmark.modules, *_modules(resolved["data"])]),
        versions=provenance.versions(*_libraries(resolved["method"])),
    )


def identity_without_images(config: DictConfig) -> Identity:
    """The part of a request's identity that needs none of its images: settings, code and versions."""
    settled = deepcopy(config)
    settle_flags(settled)
    settle_precision(settled)
    return identity_of(settled, instantiated(settled.benchmark), "")


def _libraries(method: dict[str, Any]) -> list[str]:
    """Optional packages that a method computes with."""
    return ["timm"] if str(method.get("backbone")).startswith("timm:") else []


def _modules(config: Any) -> list[str]:
    """The modules of the classes that a part of the configuration names."""
    return [target.rpartition(".")[0] for target in targets(config).values()]


def changes_of(found: Record, wanted: Identity, test_data: Callable[[], str]) -> list[str]:
    """Why a finished run does not stand for the wanted one. Test images are looked at only if all else is equal."""
    changes = wanted.changes(found.identity)
    if not changes and found.test_data != test_data():
        changes = ["test_data"]
    return changes
