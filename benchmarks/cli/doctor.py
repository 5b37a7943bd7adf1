"""`defectbench doctor`: everything about a machine that a report of a problem needs, on one screen."""

import os
import platform
import re
import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

import click

from benchmarks.cli.errors import user_errors
from benchmarks.common import provenance
from benchmarks.common.project import project_file, version_line

NOT_OPTIONAL = {"cpu", "gpu", "test", "lint", "docs", "speed", "golden", "browser"}
"""Extras that a user has in any case, or that only developers need."""
LITTLE_DISK_GIB = 10
DATASETS = ("data/mvtec_ad", "data/synthetic", "data")


@click.command()
def doctor() -> None:
    """Show versions, devices, disk, datasets and optional parts on one screen, to paste into an issue.

    Exit code 1: something is wrong, and the last lines say what to do about it.
    """
    with user_errors():
        for title, lines in (
            ("program", program()),
            ("devices", devices()),
            ("folders", folders()),
            ("datasets", datasets()),
            ("extras", extras()),
        ):
            for line in lines:
                click.echo(f"{title:10}{line}")
                title = ""
        found = list(problems())
        for problem in found or ["none found"]:
            click.echo(f"{'problems':10}{problem}")
    if found:
        raise SystemExit(1)


def program() -> Iterator[str]:
    yield version_line()
    yield f"Python {platform.python_version()}, {platform.platform()}"
    yield f"code and conf/ in {project_file('conf').parent}"
    versions = [f"{name} {number}" for name, number in provenance.versions().items()]
    for start in range(0, len(versions), 6):
        yield ", ".join(versions[start : start + 6])


def devices() -> Iterator[str]:
    import torch

    from benchmarks.common.pool import available_cores

    yield f"{provenance.processor()}: {available_cores()} cores, torch uses {torch.get_num_threads()} threads"
    for index in range(torch.cuda.device_count()):
        gpu = torch.cuda.get_device_properties(index)
        yield f"GPU {index}: {gpu.name}, {gpu.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}"
    if not torch.cuda.is_available():
        yield "no GPU that torch can use"


def folders() -> Iterator[str]:
    for name, meaning in ((".", "current folder"), (".cache", "decoded images"), ("results", "runs")):
        if Path(name).is_dir():
            size = "" if name == "." else f" {_size_mib(Path(name)):.0f} MiB,"
            yield f"{Path(name).resolve()} ({meaning}):{size} {_free_gib(Path(name)):.0f} GiB free"


def datasets() -> Iterator[str]:
    from benchmarks.data.layouts import category_names

    roots = [*DATASETS, *filter(None, [os.environ.get("MVTEC_AD_ROOT")])]
    found = {root: names for root in roots if (names := category_names(Path(root)))}
    for root, names in found.items():
        yield f"{root}: {len(names)} categor{'ies' if len(names) > 1 else 'y'} ({', '.join(names[:5])}{', ...' * (len(names) > 5)})"
    if not found:
        yield f"none in {', '.join(roots)}; the built-in one is made on first use"


def extras() -> Iterator[str]:
    for name, packages in sorted(_extras().items()):
        missing = [package for package in packages if _version(package) is None]
        yield f"{name}: " + (f"not installed ({', '.join(missing)})" if missing else "installed")


def problems() -> Iterator[str]:
    """What will go wrong sooner or later, with the remedy."""
    import torch

    if find_spec("faiss") is None:
        yield 'faiss is missing: install ".[cpu]" or, with an NVIDIA GPU, ".[gpu]"'
    if _version("faiss-cpu") and _version("faiss-gpu"):
        yield "faiss-cpu and faiss-gpu are both installed and overwrite each other: uninstall both, then install one"
    if shutil.which("nvidia-smi") and not torch.cuda.is_available():
        yield "there is an NVIDIA driver, but torch cannot use it: install a torch built for its CUDA version"
    if (free := _free_gib(Path())) < LITTLE_DISK_GIB:
        yield f"only {free:.1f} GiB free here: MVTec AD alone takes 4.9 GiB packed and as much unpacked"
    if not os.access(Path(), os.W_OK):
        yield f"{Path().resolve()} cannot be written to: runs would fail"


def _extras() -> dict[str, list[str]]:
    """The optional parts that a user may want, and the packages that each brings."""
    found: dict[str, list[str]] = {}
    for text in requires("defectbench") or []:
        part = re.fullmatch(r"([\w.-]+).*extra == \W(\w+)\W", text)
        if part and part[2] not in NOT_OPTIONAL:
            found.setdefault(part[2], []).append(part[1])
    return found


def _size_mib(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 2**20


def _free_gib(folder: Path) -> float:
    return shutil.disk_usage(folder).free / 2**30


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
