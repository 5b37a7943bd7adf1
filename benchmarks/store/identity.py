"""What decides a run's numbers: configuration, data, code and library versions. Equal identities need no second run."""

import ast
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.common.project import CODE

PROJECT = CODE
PACKAGES = ("benchmarks", "methods")

READ_BY_EVERY_RUN = ("input", "trainer", "seed")
UNREAD = {"reason", "title", "feature_cache_mib"}
"""Keys that decide nothing, wherever they stand: words for readers, and memory for what would else be computed again."""
FILES = "files"
"""In a stored configuration: the content of each file that a setting names, by the setting's dotted name."""


@dataclass(frozen=True)
class Identity:
    """All that a finished run must share with a wanted one to stand for it, but for the test images (`Record.test_data`)."""

    config: dict[str, Any]
    """Resolved. All of it is kept for readers; what counts is `deciding`."""
    train_data: str
    code: dict[str, str]
    """A hash of each module that the numbers pass through."""
    versions: dict[str, str]

    def changes(self, stored: Mapping[str, Any]) -> list[str]:
        """What differs from a stored identity, in words: `method.train.epochs 10 -> 20`, `train_data`, `code of methods.ae`.

        `stored` is the identity as JSON (`Record.identity`); what it lacks counts as different.
        """
        data = ["train_data"] if stored.get("train_data") != self.train_data else []
        return data + self._changed_code(stored.get("code")) + self.changed_settings(stored)

    def changed_settings(self, stored: Mapping[str, Any]) -> list[str]:
        """The part of `changes` that is settings and versions of libraries."""
        theirs, ours = deciding(stored.get("config", {})), deciding(self.config)
        if ours.get("trainer.accelerator") == "auto":  # takes what there is, and stands for what there was
            theirs["trainer.accelerator"] = "auto"
        return differences(theirs, ours) + differences(stored.get("versions", {}), self.versions)

    def _changed_code(self, stored: Any) -> list[str]:
        if not isinstance(stored, Mapping):  # written when all modules had one hash
            return ["code"]
        return [
            f"code of {name}"
            for name in sorted(stored.keys() | self.code.keys())
            if stored.get(name) != self.code.get(name)
        ]


def deciding(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a resolved configuration that can change a number, by their dotted names.

    Of a method these are what it is built with and how it is trained: what its file says of other kinds of categories is not read,
    and budgets count only where the method reads them. A category's augmentation counts for methods that draw augmented samples.
    A file counts by its content, not by its name.
    """
    method, category = config.get("method", {}), config.get("category", {})
    read: dict[str, Any] = {key: config[key] for key in READ_BY_EVERY_RUN if key in config}
    read["method"] = {key: method[key] for key in ("model", "train") if key in method}
    read["category"] = {"kind": category.get("kind")}
    if method.get("train", {}).get("samples") is not None:
        read["category"]["augmentation"] = category.get("augmentation")
    protocol = config.get("protocol", {})
    unread = {"cross": "validation_share", "split": "folds"}.get(str(protocol.get("held_out")))
    read["protocol"] = {key: value for key, value in protocol.items() if key != unread}
    if "threshold" in config:  # of maps that another program made
        read["threshold"] = config["threshold"]
    flat = {name: value for name, value in _flat(read).items() if not UNREAD & set(name.split("."))}
    return flat | {name: f"content {content}" for name, content in config.get(FILES, {}).items() if name in flat}


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Settings that differ, by their dotted names: `method.train.epochs 10 -> 20`."""
    old, new = _flat(before), _flat(after)
    return [f"{k} {old.get(k)} -> {new.get(k)}" for k in sorted(old.keys() | new.keys()) if old.get(k) != new.get(k)]


def named_files(method: Mapping[str, Any]) -> dict[str, list[Path | str]]:
    """The settings of a method that name existing files, by their dotted names; of a list, which may name several, all entries.

    In a text with a slash a folder counts as well.
    """
    found = {}
    for name, value in _flat({"method": method}).items():
        parts = [
            _existing(part) or part for part in (value if isinstance(value, list) else [value]) if isinstance(part, str)
        ]
        if any(isinstance(part, Path) for part in parts):
            found[name] = parts
    return found


def _existing(text: str) -> Path | None:
    try:
        path = Path(text).expanduser()
        return path if path.is_file() or ("/" in text and path.is_dir()) else None
    except (OSError, ValueError, RuntimeError):  # too long for a name, a null byte, no home
        return None


# -- code -------------------------------------------------------------------------------------------------------------------------


def code_fingerprint(method: Iterable[str], declared: Iterable[str]) -> dict[str, str]:
    """A hash of each module that numbers pass through; comments, layout, docstrings, log lines and error texts left out.

    Args:
        method: modules of a method. What they import of `methods` counts as well: a method imports only what it computes with.
        declared: the modules that a benchmark and a dataset name. Of these none but the named ones count.
    """
    found = {name: _digest(source)[0] for package in declared for name, source in _modules_of(package)}
    waiting = list(method)
    while waiting:
        name = waiting.pop()
        if name not in found and (source := _source_file(name)) is not None:
            found[name], imported = _digest(source)
            waiting += [other for other in imported if other.split(".")[0] == "methods"]
    return dict(sorted(found.items()))


def _modules_of(name: str) -> Iterator[tuple[str, Path]]:
    """A module, or all those of a package, with their files."""
    source = _source_file(name)
    if source is not None:
        yield name, source
        if source.name == "__init__.py":
            for path in sorted(source.parent.glob("[!_]*.py")):
                yield f"{name}.{path.stem}", path


@cache
def _digest(source: Path) -> tuple[str, list[str]]:
    """The hash of one file's code, and the modules that it imports."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    imported: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            imported += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            imported += [alias.name for alias in node.names]
    return hashlib.blake2b(" ".join(_words(tree)).encode(), digest_size=8).hexdigest(), imported


def _words(node: Any) -> Iterator[str]:
    """A syntax tree in words, the same for all versions of Python (`ast.dump` is not), without what computes nothing."""
    if isinstance(node, list):
        yield "["
        for part in node:
            if not _is_idle(part):
                yield from _words(part)
        yield "]"
    elif isinstance(node, ast.AST):
        yield type(node).__name__
        for name, value in ast.iter_fields(_without_words(node)):
            if value is not None and value != [] and name not in NOT_COMPUTING:
                yield name
                yield from _words(value)
    else:
        yield repr(node)


NOT_COMPUTING = {"annotation", "returns", "type_comment", "kind", "ctx"}


def _is_idle(node: Any) -> bool:
    """A docstring or another bare text, or a log line."""
    if not isinstance(node, ast.Expr):
        return False
    called = node.value.func if isinstance(node.value, ast.Call) else None
    is_log_line = isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) and called.value.id == "log"
    return is_log_line or (isinstance(node.value, ast.Constant) and isinstance(node.value.value, str))


def _without_words(node: ast.AST) -> ast.AST:
    """An error counts by its kind."""
    if isinstance(node, ast.Raise):
        return ast.Raise(exc=node.exc.func if isinstance(node.exc, ast.Call) else node.exc)
    return node


def _source_file(module: str) -> Path | None:
    if module.split(".")[0] not in PACKAGES:
        return None
    path = PROJECT.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Nested settings by their dotted names; lists stay whole unless they hold settings."""
    if isinstance(tree, list) and any(isinstance(part, Mapping) for part in tree):
        tree = {str(place): part for place, part in enumerate(tree)}
    if not isinstance(tree, Mapping):
        return {prefix: tree}
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{prefix}.{key}" if prefix else str(key))
    return flat
