"""`conf/`: how a configuration is composed, what can be chosen, and which method applies to which category.

One way for a run, a sweep, an estimate and a look at old runs. Needs no torch.
"""

import copy
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import hydra
import hydra.utils
import yaml
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, InstantiationException
from omegaconf import DictConfig, ListConfig, OmegaConf, flag_override
from omegaconf.errors import OmegaConfBaseException

from benchmarks.common.errors import UserError
from benchmarks.common.project import project_file

CONF = project_file("conf")
OWN = "own"
"""The category file that users' own categories start from."""

MUST_SAY = {"method": ("name", "title", "family", "inputs", "train", "predict_batch_size", "model._target_")}
"""What files of a group say at least, if more than their name."""

SWEEP_FUNCTION = re.compile(r"(choice|glob|range|interval|shuffle|sort|tag)\(")
QUOTED_ITEM = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^,]+""")
PLAIN_NAME = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)
NOT_NAMES = frozenset({"true", "false", "null", "nan", "inf"})


# -- composition ------------------------------------------------------------------------------------------------------------------


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
    for name in names - {OWN}:
        if re.search(r"[/\\]|^\.+$", name):
            raise UserError(f"category={name}: the name of a folder in data.root, not a path.")
        settings = OmegaConf.create(
            known.get(name) or known.get(OWN) or OmegaConf.load(CONF / "category" / f"{OWN}.yaml")
        )
        settings.name = name
        ConfigStore.instance().store(group="category", name=name, node=settings)
    return overrides


@cache
def category_set(name: str | None) -> dict[str, DictConfig]:
    """The settings in `conf/category/<name>`: of categories by their names, and `own` for all others."""
    files = sorted((CONF / "category" / name).glob("*.yaml")) if name else []
    return {path.stem: OmegaConf.load(path) for path in files}  # type: ignore[misc]


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
    files = [_read(kind, name) for kind in ("experiment", "benchmark") for name in chosen(overrides, kind)]
    for config in [*files, _read("", "config")]:
        for entry in config.get("defaults", []):
            for key, value in entry.items() if OmegaConf.is_dict(entry) else ():
                if key in {group, f"override /{group}"}:
                    return {str(value)}
    return set()


@cache
def _read(group: str, name: str) -> DictConfig:
    path = CONF / group / f"{name}.yaml"
    config = OmegaConf.load(path) if path.is_file() else OmegaConf.create()  # Hydra says what there is
    assert isinstance(config, DictConfig)
    return config


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


def quoted(key: str, value: str) -> str:
    """An override whose value may hold any character."""
    escaped = re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + ("\\'" if found[2] else ""), value)
    return f"{key}='{escaped}'"


def plain(override: str) -> str:
    """An override of the category as Hydra takes it: names such as `12`, `1e3`, `null`, `part (v2)` and `a=b` are names."""
    key, equals, value = override.partition("=")
    if key != "category" or not equals or SWEEP_FUNCTION.match(value):
        return override
    return f"category={','.join(_quoted(item) for item in QUOTED_ITEM.findall(value))}"


def _quoted(item: str) -> str:
    item = item.strip()
    if item[:1] in {"'", '"'} or (PLAIN_NAME.fullmatch(item) and item.casefold() not in NOT_NAMES):
        return item
    return quoted("", item)[1:]


def chosen(overrides: Iterable[str], group: str) -> set[str]:
    """The options that overrides choose in a config group, sweeps unrolled."""
    names: set[str] = set()
    for text in overrides:
        try:
            override = OverridesParser.create().parse_override(plain(text))
        except HydraException:
            continue  # a flag such as -m, or a mistake that Hydra reports better
        if override.key_or_group == group:
            names |= set(_values(override))
    return names


def _values(override: Override) -> list[str]:
    """The values of an override as text, without quotes."""
    if not override.is_sweep_override():
        return [str(override.value())]
    parse = OverridesParser.create().parse_override
    return [str(parse(f"key={value}").value()) for value in override.sweep_string_iterator()]


def instantiated(node: DictConfig, **arguments: Any) -> Any:
    """What the `_target_` of a node makes.

    Raises:
        Exception: whatever the making raises, as it was raised.
    """
    try:
        return hydra.utils.instantiate(node, **arguments)
    except InstantiationException as error:
        cause: BaseException = error
        while isinstance(cause, InstantiationException) and cause.__cause__ is not None:
            cause = cause.__cause__
        raise cause from None


# -- what may be asked for --------------------------------------------------------------------------------------------------------

TARGET = "_target_"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""OmegaConf's own takes half a second for all of `conf/`."""
FLAGS = ("force", "save_maps", "save_checkpoint", "save_inspector", "progress")
ON, OFF = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}


def targets(config: Any, place: str = "") -> dict[str, str]:
    """All that a configuration would instantiate: the `_target_` at each dotted place."""
    if isinstance(config, DictConfig | ListConfig):
        config = OmegaConf.to_container(config)  # a target that is interpolated is not one of `conf/`
    parts = config.items() if isinstance(config, dict) else enumerate(config) if isinstance(config, list) else ()
    found: dict[str, str] = {}
    for key, value in parts:
        name = f"{place}.{key}" if place else str(key)
        found |= {name: str(value)} if key == TARGET else targets(value, name)
    return found


def refuse_foreign_targets(config: DictConfig) -> None:
    """Only what `conf/` holds is ever instantiated, whoever asks for it: a stored run may come from anywhere.

    Raises:
        UserError: a `_target_` that no file of `conf/` has in that part.
    """
    known = _known_targets()
    for place, target in targets(config).items():
        if (place.split(".")[0], target) not in known:
            raise UserError(
                f"{place}={target}: no file in conf/{place.split('.')[0]} has this target, and no other is ever called. A method "
                "of your own gets a file there."
            )


def refuse_foreign_overrides(overrides: Iterable[str]) -> None:
    """The same for what Hydra instantiates itself, such as launchers, before there is a configuration.

    Raises:
        UserError: an override that sets a `_target_` that `conf/` does not hold.
    """
    known = {target for _, target in _known_targets()}
    for text in (text for text in overrides if TARGET in text):
        try:
            override = OverridesParser.create().parse_override(text)
        except HydraException:
            continue  # Hydra reports it better
        key = override.get_key_element().lstrip("+~")
        value = override.value()
        found = [str(value)] if key.split(".")[-1] == TARGET else targets(value).values()
        for target in found:
            if target not in known:
                raise UserError(f"{text}: no file in conf/ has this target, and no other is ever called.")


@cache
def _known_targets() -> set[tuple[str, str]]:
    """Each target in `conf/`, with the part of the configuration that it stands in."""
    known = set()
    for path in CONF.rglob("*.yaml"):
        folder = path.relative_to(CONF).parts[0] if path.parent != CONF else ""
        for place, target in targets(yaml.load(path.read_text(encoding="utf-8"), LOADER)).items():
            known |= {(part, target) for part in (folder, place.split(".")[0])}
    return known


def settle_flags(config: DictConfig) -> None:
    """Make the settings that are on or off so, however they are spelt: true, yes, on, 1.

    Raises:
        UserError: a value that is neither.
    """
    for name in FLAGS:
        config[name] = is_on(name, config[name])


def is_on(name: str, value: object) -> bool:
    """Whether a setting is on.

    Raises:
        UserError: its value is neither on nor off.
    """
    text = str(value).lower()
    if text not in ON | OFF:
        raise UserError(f"{name}={value}: it is true or false.")
    return text in ON


def is_forced(overrides: Iterable[str]) -> bool:
    """Whether the overrides of a job say `force=true`."""
    return any(is_on("force", value) for value in chosen(overrides, "force"))


# -- what can be chosen -----------------------------------------------------------------------------------------------------------


@cache
def options(group: str) -> dict[str, DictConfig]:
    """The files of a config group by their names. A method is in the benchmark by having a file there.

    Raises:
        UserError: a file that is no YAML, lacks what it must say, or gives itself another name than it has.
    """
    return {path.stem: _option(path, group) for path in sorted((CONF / group).glob("*.yaml"))}


def _holds(config: DictConfig, key: str) -> bool:
    """Whether a file gives a key a value; what an interpolation refers to may come from other files."""
    node: Any = OmegaConf.to_container(config, resolve=False)
    for part in key.split("."):
        node = node.get(part) if isinstance(node, dict) else None
    return node not in (None, "", {}, [])


def _option(path: Path, group: str) -> DictConfig:
    try:
        config = OmegaConf.load(path)
    except (yaml.YAMLError, OmegaConfBaseException, OSError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    needed = MUST_SAY.get(group, ("name",))
    missing = [key for key in needed if not _holds(config, key)] if isinstance(config, DictConfig) else needed
    if missing or not isinstance(config, DictConfig):
        raise UserError(
            f"{path} does not say {', '.join(missing)}. Each file in conf/{group} says {', '.join(needed)}."
        )
    name = OmegaConf.to_container(config, resolve=False)["name"]  # type: ignore[index,call-overload]
    if name != path.stem and not str(name).startswith("${"):
        raise UserError(f"{path} says name: {name}, but what is stored is found by the file's name: {path.stem}.")
    return config


def method_names(*kinds: str) -> list[str]:
    """Names that `method=` takes; with kinds of categories, those that apply to one of them."""
    return [name for name, config in options("method").items() if not kinds or set(kinds) & set(config.inputs)]


def methods() -> Iterator[tuple[str, str]]:
    """Name and summary of each method."""
    for name, config in options("method").items():
        yield name, f"{config.title}: {' and '.join(config.inputs)}s"


def categories() -> list[tuple[str, str]]:
    """Name and kind of each category that has settings of its own, and whose they are."""
    sets = sorted(path.name for path in (CONF / "category").iterdir() if path.is_dir())
    return [
        (name, f"{config.kind} ({owner})")
        for owner in sets
        for name, config in category_set(owner).items()
        if name != OWN
    ]


# -- which method applies where ---------------------------------------------------------------------------------------------------


def applies(method: DictConfig, kind: str) -> bool:
    """Whether a method is meant for a kind of category (PROTOCOL section 3)."""
    return kind in method.inputs


def belongs(method: DictConfig, category: str, kind: str, named: Collection[str] = ()) -> bool:
    """Whether a sweep runs this cell: the method applies, and where the paper runs it on some categories only, it is one of those.

    Args:
        named: categories that the command line names itself; for them the paper's choice does not count.
    """
    paper = method.get("table_categories")
    return applies(method, kind) and (paper is None or category in {*paper, *named})
