"""Only what `conf/` holds is ever instantiated, whoever asks for it: a stored run may come from anywhere."""

from collections.abc import Iterable
from functools import cache
from typing import Any

import hydra.utils
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, InstantiationException
from omegaconf import DictConfig, ListConfig, OmegaConf

from benchmarks.common.errors import UserError
from benchmarks.config.catalogue import CONF

TARGET = "_target_"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""OmegaConf's own takes half a second for all of `conf/`."""


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
