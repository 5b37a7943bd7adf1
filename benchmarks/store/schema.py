"""From JSON to the classes of a record: every value of its type, every number finite and in its range.

Forwards and backwards: a key that a class does not have is passed over (`Record.to_json` keeps it), one that is not there is the
field's default, else None, else NaN, which means "no number" to all readers.
"""

import math
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
Range = tuple[float, float]

SHARE: Range = (0.0, 1.0)
AMOUNT: Range = (0.0, math.inf)
ROUNDING = 1e-9
"""A mean or an integral of ones may come out as 1.0000000000000002."""


def build(kind: type[T], values: Any, ranges: Mapping[str, Range], name: str = "") -> T:
    """An instance of a dataclass from JSON.

    Args:
        ranges: lowest and highest value of numeric fields, by field name; those of nested dataclasses included.
        name: of the value within the file, for messages.

    Raises:
        ValueError: names the key, its value, and what it should be.
    """
    if not isinstance(values, dict):
        raise ValueError(f"{name or 'it'} is {_shown(values)}, not an object")
    found = {}
    for field, hint, needed in _fields(kind):  # type: ignore[arg-type]
        place = f"{name}.{field}" if name else field
        if field in values:
            found[field] = _reader(hint)(values[field], ranges, place)
        elif needed:
            found[field] = _absent(hint, place)
    return kind(**found)


@cache
def _fields(kind: Any) -> list[tuple[str, Any, bool]]:
    """Name and type of each field of a dataclass, and whether it has no default."""
    hints = get_type_hints(kind)
    return [(f.name, hints[f.name], f.default is MISSING and f.default_factory is MISSING) for f in fields(kind)]


def _absent(hint: Any, name: str) -> Any:
    if type(None) in get_args(hint):
        return None
    if hint is float:
        return math.nan
    raise ValueError(f"{name} is missing")


Reader = Callable[[Any, Mapping[str, Range], str], Any]
"""Takes a value, the ranges and the value's name to what it is read as."""


@cache
def _reader(hint: Any) -> Reader:
    """What reads values of a type; to look into the type takes longer than to read."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:
        return _any_of(args)
    if is_dataclass(hint):
        return lambda value, ranges, name: build(hint, value, ranges, name)  # type: ignore[arg-type]
    if origin is tuple:
        return _row_of(hint, args)
    if origin is dict:
        return _mapping_to(hint, args[1])
    return _single(hint, args if origin is Literal else ())


def _single(hint: Any, words: tuple[Any, ...]) -> Reader:
    def read(value: Any, ranges: Mapping[str, Range], name: str) -> Any:
        if hint is Any or value in words or _is_plain(hint, value):
            return _in_range(value, ranges, name)
        if hint is float and value is None:
            return math.nan
        raise ValueError(f"{name} is {_shown(value)}, not {_in_words(hint)}")

    return read


def _row_of(hint: Any, args: tuple[Any, ...]) -> Reader:
    def read(value: Any, ranges: Mapping[str, Range], name: str) -> Any:
        if isinstance(value, list):
            kinds = args if args[-1] is not Ellipsis else (args[0],) * len(value)
            if len(kinds) == len(value):
                return tuple(_reader(kind)(part, ranges, name) for kind, part in zip(kinds, value, strict=True))
        raise ValueError(f"{name} is {_shown(value)}, not {_in_words(hint)}")

    return read


def _mapping_to(hint: Any, kind: Any) -> Reader:
    def read(value: Any, ranges: Mapping[str, Range], name: str) -> Any:
        if isinstance(value, dict):
            return {key: _reader(kind)(part, {}, f"{name}.{key}") for key, part in value.items()}
        raise ValueError(f"{name} is {_shown(value)}, not {_in_words(hint)}")

    return read


def _any_of(hints: tuple[Any, ...]) -> Reader:
    kinds = [hint for hint in hints if hint is not type(None)]
    alone = _reader(kinds[0]) if len(kinds) == 1 else None

    def read(value: Any, ranges: Mapping[str, Range], name: str) -> Any:
        if value is None and len(kinds) < len(hints):
            return None
        if alone is not None:
            return alone(value, ranges, name)
        if any(_is_plain(kind, value) for kind in kinds):
            return _in_range(value, ranges, name)
        raise ValueError(f"{name} is {_shown(value)}, not {' or '.join(map(_in_words, kinds))}")

    return read


def _is_plain(hint: Any, value: Any) -> bool:
    """Whether a value is of a type that JSON knows; True is no number, and 1 is one with a fraction, too."""
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return hint in {int, str, bool} and type(value) is hint


def _in_range(value: Any, ranges: Mapping[str, Range], name: str) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, high = ranges.get(name.rpartition(".")[2], (-math.inf, math.inf))
        if not (math.isfinite(value) and low - ROUNDING <= value <= high + ROUNDING):
            raise ValueError(f"{name} is {value}, outside its range {low:g} to {high:g}")
    return value


def merged(kept: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """`ours` with the keys that only `kept` has, at all depths; what is "no number" in ours stays as it was in `kept`."""
    whole = dict(kept)
    for key, value in ours.items():
        if isinstance(value, Mapping) and isinstance(kept.get(key), Mapping):
            whole[key] = merged(kept[key], value)
        elif not (isinstance(value, float) and math.isnan(value) and kept.get(key) is None):
            whole[key] = value
    return whole


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."


def _in_words(hint: Any) -> str:
    words = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    if get_origin(hint) is Literal:
        return " or ".join(map(str, get_args(hint)))
    return words.get(hint, {tuple: "a list", dict: "an object"}.get(get_origin(hint) or hint, str(hint)))
