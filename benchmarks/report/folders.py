"""Folders of absolute paths are not published: they say nothing to others, and something of the one who publishes."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROSE = ("warnings", "error")
"""Keys of a record below which a path may be part of a sentence; elsewhere it is a whole value, blanks and commas included."""
IN_PROSE = re.compile(r"(?<![\w.~/:])~?/(?:[^/\s\"',:\[\]]+/)+")
VALUE = re.compile(r"(?:[^\s/=]+=)?[\"']?(~?/.*?)/*[\"']?")
"""A path, or an override that sets one."""


def without_folders(record: dict[str, Any], settings: Any) -> tuple[dict[str, Any], Any]:
    """A run's record and settings, in which absolute paths are cut to their last part.

    A sentence may name files below the folders that its record and settings name, whatever their names are made of; other paths in
    it are told by their slashes.
    """
    known = {folder for folder in (*_folders(record), *_folders(settings), str(Path.home())) if folder}
    longest_first = sorted(known, key=len, reverse=True)
    return _cut(record, longest_first), _cut(settings, longest_first)


def _folders(found: Any) -> Iterator[str]:
    if isinstance(found, dict):
        for key, value in found.items():
            yield from () if key in PROSE else _folders(value)
    elif isinstance(found, list):
        for value in found:
            yield from _folders(value)
    elif isinstance(found, str) and (path := VALUE.fullmatch(found)):
        yield path[1].rpartition("/")[0]


def _cut(found: Any, folders: list[str], prose: bool = False) -> Any:
    if isinstance(found, dict):
        return {key: _cut(value, folders, prose or key in PROSE) for key, value in found.items()}
    if isinstance(found, list):
        return [_cut(value, folders, prose) for value in found]
    if not isinstance(found, str):
        return found
    if not prose and (path := VALUE.fullmatch(found)):
        start, end = path.span(1)
        return found[:start] + path[1].rpartition("/")[2] + found[end:].lstrip("/")
    for folder in folders:
        found = found.replace(f"{folder}/", "/_/")
    return IN_PROSE.sub("", found)
