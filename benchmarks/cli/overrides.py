"""Overrides as users type them: put in order, checked before anything is composed, and what is wrong with them in plain words."""

import fnmatch
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from benchmarks.cli.spelling import check_choice, check_spelling
from benchmarks.common.errors import UserError, nearest
from benchmarks.config.catalogue import CONF
from benchmarks.config.compose import composed
from benchmarks.config.overrides import FLAGS, PLACES, plain, quoted

WHOLE = re.compile(r"^budget\.|\.train\.|^(seed|threads|data\.spec)\b")
"""Settings that count something; other whole numbers in `conf/` stand for numbers of any kind."""

ANYTHING = frozenset({"data.normal"})
"""The label of a table's normal rows: a number or a word."""

GLOB = re.compile(r"glob\((.*)\)")
"""Hydra's sweep over the options whose names match a pattern."""

INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
"""What Hydra's `--info` may be asked for."""

NUMBER = re.compile(r"[-+.\d_eE]+")

PLAIN = re.compile(r"[\w/.+:@#=~ -]+")
"""No character that makes a list, a group or a quotation."""


def arranged(arguments: Iterable[str], sweep: bool = False) -> list[str]:
    """Options first, wherever they were typed, as Hydra wants them; a leading ~ in a value is the home folder.

    Args:
        sweep: lists make a sweep without `-m`, too.
    """
    given = list(_info_of_all(arguments))
    overrides = [text for text in given if not text.startswith("-") and ("=" in text or text.startswith("~"))]
    readable = list(map(_readable, map(plain, overrides)))
    is_sweep = (
        sweep or bool({"-m", "--multirun"} & set(given)) or any(text.startswith("experiment=") for text in readable)
    )
    return [*(text for text in given if text not in overrides), *(_of_each_job(readable) if is_sweep else readable)]


def _info_of_all(arguments: Iterable[str]) -> Iterator[str]:
    """Hydra's `--info` may go without its value; before an override it would take that for its value."""
    given = list(arguments)
    for text, after in zip(given, [*given[1:], ""], strict=True):
        yield "--info=all" if text in ("--info", "-i") and after not in INFO else text


def _of_each_job(overrides: list[str]) -> list[str]:
    """Settings of a method that a sweep varies, as lists of one value.

    Hydra gives all settings but lists to a configuration that is composed before the sweep's, with the default method, which
    need not have them.
    """
    methods = [text for text in overrides if text.startswith("method=")]
    varied = any(mark in text for text in methods for mark in ",(*") or not methods  # an experiment names its methods
    return [_as_list(text) for text in overrides] if varied else overrides


def _as_list(text: str) -> str:
    key, _, value = text.partition("=")
    if not key.startswith("method.") or not value or _parsed(text).is_sweep_override():
        return text
    return f"{key}=choice({value})"


def _readable(text: str) -> str:
    """With quotes around a value that Hydra cannot read and that can mean one thing only."""
    key, _, value = text.partition("=")
    value = str(Path(value).expanduser()) if value.startswith("~/") else value
    if key in PLACES and NUMBER.fullmatch(value):
        return quoted(key, value)  # a folder called 2026
    if found := GLOB.fullmatch(value):
        return f"{key}={','.join(_matching(key, found[1]))}"
    if PLAIN.fullmatch(value) and ("=" in value or "#" in value or not value.isascii()):
        return quoted(key, value)
    return f"{key}={value}" if "=" in text else text


def _matching(group: str, pattern: str) -> list[str]:
    """The options of a group that a pattern matches, as Hydra's `glob` sweeps over them.

    Raises:
        UserError: none, or no such pattern: categories are those of the dataset, and known to nobody before it is read.
    """
    names = sorted(path.stem for path in (CONF / group).glob("*.yaml"))
    if group == "category" or not names or re.search(r"[,=\[]", pattern):
        raise UserError(f"{group}=glob({pattern}): name them, separated by commas.")
    found = fnmatch.filter(names, pattern.strip("'\""))
    if not found:
        raise UserError(f"{group}=glob({pattern}): none of {', '.join(names)}.")
    return found


@contextmanager
def checked(arguments: Sequence[str], command: str = "run") -> Iterator[None]:
    """Look through overrides before a block, and say in plain words what Hydra finds wrong with them in it.

    Args:
        command: of defectbench, for which remedies are written out.

    Raises:
        UserError: a value that has to be quoted or is of a wrong type, a key that does not exist.
    """
    check_spelling(arguments)
    overrides = [_parsed(text) for text in arguments if "=" in text and not text.startswith("-")]
    for override in overrides:
        check_choice(override)
        _check_type(override)
    try:
        yield
    except HydraException as error:
        if words := _in_words(str(error), arguments, overrides, command):
            raise UserError(words) from error
        raise
    except OmegaConfBaseException as error:
        referring = " ".join(text for text in arguments if "${" in text)
        if referring:
            raise UserError(f"{referring}: {str(error).splitlines()[0]}.") from error
        raise


def _parsed(text: str) -> Override:
    parser = OverridesParser.create()
    try:
        return parser.parse_override(text)
    except HydraException:
        key, _, value = text.partition("=")
        raise UserError(
            f"{text}: characters in this value mean something to Hydra. Quote it, once for the shell and once for Hydra: "
            f'"{quoted(key, value)}"'
        ) from None


# -- types ------------------------------------------------------------------------------------------------------------------------


def _check_type(override: Override) -> None:
    key = override.key_or_group
    if override.is_delete() or override.is_add() or key.startswith("hydra") or key in ANYTHING:
        return
    if key in FLAGS or (override.is_sweep_override() and not override.is_discrete_sweep()):
        return  # yes and 1 mean true, too; an interval is refused as such
    known = [value for value in _defaults(key) if _tells(value)]
    values = override.sweep_iterator() if override.is_discrete_sweep() else [override.value()]
    for value in values:
        if known and _tells(value) and not any(_fits(value, default, key) for default in known):
            raise UserError(
                f"{key}={_shown(value)}: it takes {_kind(known[0], key)}, such as {key}={_shown(known[0])}."
            )


def _tells(value: Any) -> bool:
    """Null is allowed or refused where it is used; an interpolation may be anything."""
    return value is not None and not (isinstance(value, str) and ("${" in value or value == "???"))


def _fits(value: Any, default: Any, key: str) -> bool:
    if isinstance(default, bool):
        return isinstance(value, bool)
    if isinstance(default, (int, float)):
        whole = isinstance(default, int) and WHOLE.search(key)
        return isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if isinstance(default, (list, dict)):
        return isinstance(value, type(default))
    return not isinstance(value, (list, dict))


def _kind(default: Any, key: str) -> str:
    if isinstance(default, bool):
        return "true or false"
    if isinstance(default, (int, float)):
        return "a whole number" if isinstance(default, int) and WHOLE.search(key) else "a number"
    return "a list" if isinstance(default, list) else "keys with values" if isinstance(default, dict) else "one value"


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _defaults(key: str) -> Iterator[Any]:
    """The values of a key in all files of `conf/` that may hold it."""
    group, _, rest = key.partition(".")
    if (CONF / group).is_dir():
        sources = [(content, rest) for content in _contents(group)] if rest else []
    else:
        sources = [(content, key) for content in _contents("")]
    for content, path in sources:
        for part in path.split("."):
            content = content.get(part) if isinstance(content, dict) else None
        yield content


@cache
def _contents(group: str) -> list[Any]:
    files = sorted((CONF / group).glob("*.yaml"))
    return [OmegaConf.to_container(OmegaConf.load(file), resolve=False) for file in files]


# -- what Hydra finds -------------------------------------------------------------------------------------------------------------


def _in_words(said: str, arguments: Sequence[str], overrides: Sequence[Override], command: str) -> str:
    """Empty where Hydra's own words have to do."""
    if "Ambiguous value for argument" in said:
        lists = " ".join(override.input_line or "" for override in overrides if override.is_sweep_override())
        return f"{lists}: a list is swept over with -m: defectbench {command} -m {shlex.join(arguments)}"
    if (found := re.search(r"Could not override '([^']+)'", said)) is None:
        return ""
    key = found.group(1).partition("@")[0]
    return (
        _two_commands(key, arguments, overrides, command)
        or f"There is no setting {key}. {nearest(key, _keys(overrides))}"
    )


def _two_commands(key: str, arguments: Sequence[str], overrides: Sequence[Override], command: str) -> str:
    """A setting that some of a sweep's methods have and others have not."""
    swept = next((one for one in overrides if one.key_or_group == "method" and one.is_sweep_override()), None)
    if swept is None or not key.startswith("method."):
        return ""
    having = {name: key in _keys([_parsed(f"method={name}")]) for name in swept.sweep_string_iterator()}
    with_it = [name for name, has in having.items() if has]
    without = [name for name, has in having.items() if not has]
    if not with_it:
        return ""
    typed = [re.sub(r"^(method\..+)=choice\((.*)\)$", r"\1=\2", text) for text in arguments]  # undoes `_as_list`
    setting = [text for text in typed if text.startswith(f"{key}=")]
    rest = [text for text in typed if text not in setting and text != swept.input_line]
    parts = [[f"method={','.join(with_it)}", *rest, *setting], [f"method={','.join(without)}", *rest]]
    lines = "\n".join(f"  defectbench {command} {shlex.join(part)}" for part in parts)
    return f"{key} is a setting of {', '.join(with_it)}, not of {', '.join(without)}. Give two commands:\n{lines}"


def _keys(overrides: Iterable[Override]) -> list[str]:
    """All settings and groups of the configuration that the overrides choose, the first of each list."""
    choices = []
    for override in overrides:
        if (CONF / override.key_or_group).is_dir():
            swept = override.is_sweep_override()
            value = next(iter(override.sweep_string_iterator())) if swept else override.get_value_element_as_str()
            choices.append(f"{override.key_or_group}={value}")
    try:
        config = OmegaConf.to_container(composed(choices), resolve=False)
    except HydraException:
        return []
    groups = [path.name for path in CONF.iterdir() if path.is_dir()]
    return [*groups, *_flat(config, "")]


def _flat(node: Any, prefix: str) -> Iterator[str]:
    for name, value in node.items():
        yield f"{prefix}{name}"
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
