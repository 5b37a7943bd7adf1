"""Overrides as text: names that may hold any character, and what a command line chooses."""

import re
from collections.abc import Iterable

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from benchmarks.common.errors import UserError

SWEEP_FUNCTION = re.compile(r"(choice|glob|range|interval|shuffle|sort|tag)\(")
QUOTED_ITEM = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^,]+""")
LIST = re.compile(r"\[.*,.*\]")
PLAIN_NAME = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)
NOT_NAMES = frozenset({"true", "false", "null", "nan", "inf"})
PLACES = ("results.dir", "data.root", "data.cache_dir", "data.csv", "data.bad")
"""Settings that name a file or a folder."""
FLAGS = ("force", "save_maps", "save_checkpoint", "save_inspector", "progress")
ON, OFF = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}


def quoted(key: str, value: str) -> str:
    """An override whose value may hold any character."""
    escaped = re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + ("\\'" if found[2] else ""), value)
    return f"{key}='{escaped}'"


def plain(override: str) -> str:
    """An override of the category as Hydra takes it: names such as `12`, `1e3`, `null`, `part (v2)` and `a=b` are names.

    Raises:
        UserError: a list in brackets.
    """
    key, equals, value = override.partition("=")
    if key != "category" or not equals or SWEEP_FUNCTION.match(value):
        return override
    if LIST.fullmatch(value):
        raise UserError(f"category is one name; several are swept over: -m category={value[1:-1]}")
    return f"category={','.join(_quoted(item) for item in QUOTED_ITEM.findall(value))}"


def of_categories(names: Iterable[str]) -> str:
    """An override that chooses these categories, whatever characters their names hold."""
    return f"category={','.join(map(_quoted, names))}"


def _quoted(item: str) -> str:
    item = item.strip().rstrip("/")  # as a shell completes the name of a folder
    if item[:1] in {"'", '"'} or (PLAIN_NAME.fullmatch(item) and item.casefold() not in NOT_NAMES):
        return item
    return quoted("", item)[1:]


def chosen(overrides: Iterable[str], group: str) -> set[str]:
    """The options that overrides choose in a config group, sweeps unrolled."""
    names: set[str] = set()
    for text in overrides:
        if group not in text:
            continue  # parsing takes milliseconds, and a sweep asks for every cell
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
