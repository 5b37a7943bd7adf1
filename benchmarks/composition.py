"""How a configuration is composed from `conf/` and overrides: one way for a run, a sweep, an estimate and a look at old runs."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

CONF = Path(__file__).resolve().parents[1] / "conf"


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
