"""How the configuration of a run is composed: one way for a run, a sweep, an estimate and a look at old runs."""

import copy
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, flag_override

from benchmarks.common.errors import UserError
from benchmarks.config.catalogue import CONF, OWN, category_set
from benchmarks.config.overrides import FLAGS, chosen, is_on, plain
from benchmarks.config.targets import refuse_foreign_targets


def composed(overrides: Sequence[str]) -> DictConfig:
    """The configuration of one run, as `defectbench run` composes it from overrides.

    Raises:
        HydraException: an override that cannot be understood or an option that does not exist.
        UserError: a `_target_` that `conf/` does not hold.
    """
    register_resolvers()
    overrides = register_categories(overrides)
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("config", list(overrides))
    refuse_foreign_targets(config)
    return config


def as_asked(overrides: Sequence[str]) -> DictConfig:
    """The same, and Hydra told that this process was asked for it, so that the run's record holds the overrides.

    Raises:
        HydraException, UserError: as `composed`.
    """
    register_resolvers()
    overrides = register_categories(overrides)
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        whole = hydra.compose("config", list(overrides), return_hydra_config=True)
    config = copy.deepcopy(whole)
    with flag_override(config, ["read_only", "struct"], False):
        del config["hydra"]
    refuse_foreign_targets(config)
    HydraConfig.instance().set_config(whole)
    return config


def settle_flags(config: DictConfig) -> None:
    """Make the settings that are on or off so, however they are spelt: true, yes, on, 1.

    Raises:
        UserError: a value that is neither.
    """
    for name in FLAGS:
        config[name] = is_on(name, config[name])


def register_resolvers() -> None:
    """What `conf/` uses: limits of budgets, values that may be null, numbers in names, stems of files."""
    OmegaConf.register_new_resolver("at_most", _at_most, replace=True)
    OmegaConf.register_new_resolver("first_of", _first_of, replace=True)
    OmegaConf.register_new_resolver("number_in", _number_in, replace=True)
    OmegaConf.register_new_resolver("stem_of", lambda file: Path(str(file)).stem, replace=True)


def _at_most(value: int, limit: int | None) -> int:
    return value if limit is None else min(value, limit)


def _number_in(name: str) -> int:
    found = re.search(r"\d+$", str(name))
    return int(found[0]) if found else -1


def _first_of(*values: object) -> object:
    return next((value for value in values if value is not None), None)


def register_categories(overrides: Sequence[str]) -> list[str]:
    """Make `category=<name>` work for any name: the dataset's own settings of it, else `own.yaml`.

    Returns:
        The overrides, with names quoted that Hydra would read as something else.

    Raises:
        UserError: a name that is a path.
    """
    overrides = [plain(text) for text in overrides]
    known = category_set(settings_of(overrides))
    names = {*known, *chosen(overrides, "category"), *_defaults("category", overrides), *_unsaid("category", overrides)}
    names |= _swept("category", overrides)
    for name in names - {OWN}:
        if re.search(r"[/\\]|^\.+$", name):
            raise UserError(f"category={name}: the name of a folder in data.root, not a path.")
        settings = OmegaConf.create(
            known.get(name) or known.get(OWN) or OmegaConf.load(CONF / "category" / f"{OWN}.yaml")
        )
        settings.name = name
        ConfigStore.instance().store(group="category", name=name, node=settings)
    return overrides


def settings_of(overrides: Sequence[str]) -> str | None:
    """Which settings belong to the dataset that overrides choose (`categories` in its YAML)."""
    if named := chosen(overrides, "data.categories"):
        return named.pop()
    sets = {_read("data", name).get("categories") for name in _defaults("data", overrides)}
    if len(sets) > 1:
        raise UserError(
            "A sweep takes one dataset: the settings of its categories belong to it. Sweep over each data= by itself."
        )
    return sets.pop() if sets else None


def _defaults(group: str, overrides: Sequence[str]) -> set[str]:
    """The options of a group that hold: those named, else those of the experiment, the benchmark, `config.yaml`."""
    return chosen(overrides, group) or _unsaid(group, overrides)


def _unsaid(group: str, overrides: Sequence[str]) -> set[str]:
    """The options of a group that hold where no override names one; a sweep is composed with them first."""
    for config in [*_presets(overrides), _read("", "config")]:
        for entry in config.get("defaults", []):
            for key, value in entry.items() if OmegaConf.is_dict(entry) else ():
                if key in {group, f"override /{group}"}:
                    return {str(value)}
    return set()


def _swept(group: str, overrides: Sequence[str]) -> set[str]:
    """The options of a group that an experiment or a benchmark sweeps over where no override names one."""
    lists = [OmegaConf.select(config, f"hydra.sweeper.params.{group}") for config in _presets(overrides)]
    return set[str]().union(*(chosen([f"{group}={names}"], group) for names in lists if names))


def _presets(overrides: Sequence[str]) -> list[DictConfig]:
    """The files of the experiment and of the benchmark that overrides choose."""
    return [_read(kind, name) for kind in ("experiment", "benchmark") for name in chosen(overrides, kind)]


@cache
def _read(group: str, name: str) -> DictConfig:
    path = CONF / group / f"{name}.yaml"
    config = OmegaConf.load(path) if path.is_file() else OmegaConf.create()  # Hydra says what there is
    assert isinstance(config, DictConfig)
    return config
