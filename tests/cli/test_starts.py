"""What a start has to import: seconds that a user waits for, before the first line."""

import ast
from functools import cache
from pathlib import Path

import pytest

from benchmarks.common.project import CODE

COMPUTING = {
    "faiss", "kornia", "lightning_fabric", "matplotlib", "numba", "pytorch_lightning", "scipy", "sklearn", "torch", "torchvision",
}  # fmt: skip
CONFIGURING = {"hydra", "omegaconf", "pandas", "rich"}
STARTS = {
    "a command's help": (["benchmarks.cli"], COMPUTING | CONFIGURING | {"numpy", "PIL"}),
    "a sweep that has nothing to run": (["benchmarks.sweep.sweeper"], COMPUTING),
    "list runs, of runs that are stale": (
        ["benchmarks.sweep.status", "benchmarks.run.images", "benchmarks.run.standing"],
        COMPUTING,
    ),
    "estimate": (["benchmarks.sweep.estimate"], COMPUTING),
    "report": (["benchmarks.report.build", "benchmarks.report.page"], COMPUTING),
    "inspect": (
        ["benchmarks.inspect", "benchmarks.inspect.drift", "methods.dfm", "methods.ae", "methods.padim"],
        CONFIGURING | {"faiss", "kornia", "matplotlib", "scipy", "sklearn"},
    ),
}  # fmt: skip
"""Modules, and what they must not import before they are called."""


@pytest.mark.parametrize("start", STARTS)
def test_a_start_imports_only_what_it_needs(start: str) -> None:
    modules, kept_out = STARTS[start]
    found = imported_by(modules)
    assert {name: path for name, path in found.items() if name in kept_out} == {}
    assert "click" in found or "numpy" in found, "the walk has found something"


def imported_by(modules: list[str]) -> dict[str, str]:
    """The packages that importing modules of this project imports, by name, each with the way to it."""
    found: dict[str, str] = {}
    ways, seen = [(name, name) for name in modules], set()
    while ways:
        name, way = ways.pop()
        if name in seen:
            continue
        seen.add(name)
        package = name.partition(".")[0]
        if package not in {"benchmarks", "methods"}:
            found.setdefault(package, way)
            continue
        parts = [name.rpartition(".")[0] or name, *_imports_of(name)]  # a package is imported before its modules
        ways += [(part, f"{way} > {part}") for part in parts]
    return found


@cache
def _imports_of(module: str) -> tuple[str, ...]:
    """Those that are made when it is imported: neither in functions nor for type checkers alone."""
    path = CODE.joinpath(*module.split("."))
    source = next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)
    statements = ast.parse(Path(source).read_text(encoding="utf-8")).body if source else []
    names: list[str] = []
    for statement in statements:
        if isinstance(statement, ast.Import):
            names += [alias.name for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom) and statement.module:
            names += [statement.module, *(f"{statement.module}.{alias.name}" for alias in statement.names)]
    return tuple(names)
