"""The Hydra application behind `defectbench run`: composes a configuration for each job and runs it."""

import logging
import signal
import threading
import time
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import FrameType

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from benchmarks.sweep.jobs import Outcome, Status, report_end

CONF = Path(__file__).resolve().parents[1] / "conf"

PLAIN_LAUNCHER = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"

log = logging.getLogger("benchmarks")


def register_resolvers() -> None:
    """What `conf/` uses: `at_most` for budgets, `first_of` for values that may be null, `stem_of` for names of files."""
    OmegaConf.register_new_resolver("at_most", _at_most, replace=True)
    OmegaConf.register_new_resolver("first_of", _first_of, replace=True)
    OmegaConf.register_new_resolver("stem_of", lambda file: Path(str(file)).stem, replace=True)


def _at_most(value: int, limit: int | None) -> int:
    return value if limit is None else min(value, limit)


def _first_of(*values: object) -> object:
    return next((value for value in values if value is not None), None)


def register_own_categories(overrides: Iterable[str]) -> None:
    """Make `category=<name>` work for folders that have no file in `conf/category`: they start from `own.yaml`."""
    known = {path.stem for path in (CONF / "category").glob("*.yaml")}
    for name in sorted(chosen(overrides, "category") - known):
        own = OmegaConf.load(CONF / "category" / "own.yaml")
        own.name = name
        ConfigStore.instance().store(group="category", name=name, node=own)


def composed(overrides: Sequence[str]) -> DictConfig:
    """The configuration of one run, as `defectbench run` composes it from overrides.

    Raises:
        HydraException: an override that cannot be understood or an option that does not exist.
    """
    register_resolvers()
    register_own_categories(overrides)
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose("config", list(overrides))


def chosen(overrides: Iterable[str], group: str) -> set[str]:
    """The options that overrides choose in a config group, sweeps unrolled."""
    names: set[str] = set()
    for text in overrides:
        try:
            override = OverridesParser.create().parse_override(text)
        except HydraException:
            continue  # a flag such as -m, or a mistake that Hydra reports better
        if override.key_or_group == group:
            names |= set(override.sweep_string_iterator()) if override.is_sweep_override() else {str(override.value())}
    return names


def register_sweeper() -> None:
    """Make Hydra know our sweeper. It takes plugins from the namespace `hydra_plugins` alone, so that is where the name lies."""
    plugins = (
        Plugins.instance()
    )  # first: looking for plugins defines Hydra's classes anew, and ours builds on one of them
    from benchmarks.sweep.sweeper import CellSweeper

    plugins.class_name_to_class["hydra_plugins.defectbench.CellSweeper"] = CellSweeper


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def main(config: DictConfig) -> None:
    """One job of `defectbench run`. Alone it raises what goes wrong; in a sweep it reports how it ended."""
    from benchmarks.report.terminal import run_in_words
    from benchmarks.run import run  # torch and Lightning, which --help can do without

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _stop)
    if HydraConfig.get().mode is RunMode.MULTIRUN:
        _job_of_a_sweep(config)
        return
    configure_logging()
    log.info(run_in_words(run(config)))


def _job_of_a_sweep(config: DictConfig) -> None:
    from benchmarks.report.terminal import run_in_words
    from benchmarks.run import run
    from benchmarks.store.runs import Busy

    place = HydraConfig.get().sweep
    side_by_side = HydraConfig.get().launcher._target_ != PLAIN_LAUNCHER
    configure_logging(silent=side_by_side)  # several processes on one terminal: the parent speaks for them
    config.progress = config.progress and not side_by_side
    start = time.perf_counter()
    status: Status
    try:
        status, words = "finished", run_in_words(run(config))
    except Busy as error:
        status, words = "busy", str(error)
    except Exception as error:  # the other cells go on
        status, words = "failed", str(error) or type(error).__name__
    log.log(logging.ERROR if status == "failed" else logging.INFO, "%s", words)
    report_end(Path(place.dir), int(place.subdir), Outcome(status, words, time.perf_counter() - start))


def _stop(signum: int, frame: FrameType | None) -> None:
    """End the whole sweep; Lightning alone would note the signal and go on with the next cell."""
    raise SystemExit(128 + signum)


def configure_logging(silent: bool = False) -> None:
    """Our own lines as they are; of Lightning, which speaks to programmers, only errors."""
    log.handlers = [logging.NullHandler() if silent else logging.StreamHandler()]
    log.propagate = False
    log.setLevel(logging.INFO)
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"pytorch_lightning\.")
