"""What decides a run's numbers: configuration, data, code and library versions. Equal identities need no second run."""

import ast
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.common.project import CODE

PROJECT = CODE
PACKAGES = ("benchmarks", "methods")


@dataclass(frozen=True)
class Identity:
    """All that a finished run must share with a wanted one to stand for it, but for the test images (`Record.test_data`)."""

    config: dict[str, Any]
    train_data: str
    code: str
    versions: dict[str, str]

    def changes(self, stored: Mapping[str, Any]) -> list[str]:
        """What differs from a stored identity, in words: `method.train.epochs 10 -> 20`, `train_data`, `code`."""
        changed = [key for key in ("train_data", "code") if stored.get(key) != getattr(self, key)]
        changed += differences(stored.get("config", {}), self.config)
        return changed + differences(stored.get("versions", {}), self.versions)


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Settings that differ, by their dotted names: `method.train.epochs 10 -> 20`."""
    old, new = _flat(before), _flat(after)
    return [f"{k} {old.get(k)} -> {new.get(k)}" for k in sorted(old.keys() | new.keys()) if old.get(k) != new.get(k)]


def code_fingerprint(modules: Iterable[str]) -> str:
    """A hash over modules and all modules of this project that they import, comments, layout and docstrings left out."""
    reached: dict[str, str] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in reached and (source := _source_file(name)) is not None:
            reached[name], imported = _digest(source)
            waiting += imported
    return hashlib.blake2b(repr(sorted(reached.items())).encode(), digest_size=16).hexdigest()


@cache
def _digest(source: Path) -> tuple[str, list[str]]:
    """The hash of one file's code, and the project's modules that it imports."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    imported: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            imported += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            imported += [alias.name for alias in node.names]
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [part for part in body if not _is_docstring(part)]  # type: ignore[attr-defined]
    return hashlib.blake2b(ast.dump(tree).encode(), digest_size=16).hexdigest(), imported


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _source_file(module: str) -> Path | None:
    if module.split(".")[0] not in PACKAGES:
        return None
    path = PROJECT.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Nested settings by their dotted names."""
    if not isinstance(tree, Mapping):
        return {prefix: tree}
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{prefix}.{key}" if prefix else str(key))
    return flat
