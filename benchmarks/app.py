"""The Hydra application behind `defectbench run`: composes a configuration for each job and runs it."""

import logging
import signal
import warnings
from collections.abc import Iterable
from pathlib import Path
from types import FrameType

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

CONF = Path(__file__).resolve().parents[1] / "conf"

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
    for name in sorted(_chosen(overrides, "category") - known):
        own = OmegaConf.load(CONF / "category" / "own.yaml")
        own.name = name
        ConfigStore.instance().store(group="category", name=name, node=own)


def _chosen(overrides: Iterable[str], group: str) -> set[str]:
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


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def main(config: DictConfig) -> None:
    """One job of `defectbench run`."""
    from benchmarks.report.terminal import run_in_words
    from benchmarks.run import NotApplicable, run  # torch and Lightning, which --help can do without

    configure_logging()
    signal.signal(signal.SIGTERM, _stop)
    in_sweep = HydraConfig.get().mode is RunMode.MULTIRUN
    try:
        log.info(run_in_words(run(config)))
    except NotApplicable as error:
        if not in_sweep:
            raise
        log.warning("left out: %s", error)
    except Exception as error:
        if in_sweep:  # say it now; Hydra goes on with the other jobs and raises the first failure at the end
            log.error("%s", error)
        raise


def _stop(signum: int, frame: FrameType | None) -> None:
    """End the whole sweep; Lightning alone would note the signal and go on with the next cell."""
    raise SystemExit(128 + signum)


def configure_logging() -> None:
    """Our own lines as they are; of Lightning, which speaks to programmers, only errors."""
    log.handlers = [logging.StreamHandler()]
    log.propagate = False
    log.setLevel(logging.INFO)
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"pytorch_lightning\.")
