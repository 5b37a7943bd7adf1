"""`defectbench` alone: what to do next, by what is found in the current folder."""

from collections.abc import Iterator
from pathlib import Path

import click

from benchmarks.data.images import IMAGE_SUFFIXES
from benchmarks.data.layouts import ANYBODYS, category_names
from benchmarks.data.tree import is_category

FOLDERS_TO_LOOK_IN = ("data/mvtec_ad", "data")


def next_steps(here: Path) -> str:
    """What to do next in a folder, as text: results that are there, images that are there, or the first run."""
    parts = [*_results(here), *_images(here)] or list(_first_run())
    return "\n\n".join([*parts, "All commands: defectbench --help. What this machine offers: defectbench doctor."])


def _results(here: Path) -> Iterator[str]:
    runs = len(list((here / "results" / "runs").glob("*/*/seed=*/run.json")))
    if runs:
        yield f"results/ holds {runs} run{'s' * (runs > 1)}.\n" + _commands(
            ("defectbench report", "tables and results/report/report.html"),
            ("defectbench list runs", "what finished, what failed, what is out of date"),
            ("defectbench study area", "the same runs at other minimum defect areas"),
        )


def _images(here: Path) -> Iterator[str]:
    if is_category(here, ANYBODYS):
        yield f"This folder is a category. Its parent is the dataset:\n{_run_on('..', here.resolve().name)}"
        return
    for root in (here, *(here / name for name in FOLDERS_TO_LOOK_IN)):
        if names := category_names(root):
            yield _categories(_shown(root, here), names)
            return
    if any(path.suffix.lower() in IMAGE_SUFFIXES for path in here.iterdir()):
        yield (
            "There are images here. If they are all good, or this folder has subfolders of good and bad ones:\n"
            + _commands(
                ("defectbench choose .", "find the method that suits them, and make an inspector"),
            )
        )


def _categories(root: str, names: list[str]) -> str:
    some = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return f"{root} is a dataset with {some}.\n{_run_on(root, names[0])}"


def _run_on(root: str, name: str) -> str:
    folder = "data=mvtec_ad" if Path(root).name == "mvtec_ad" else "data=folder"
    return _commands(
        (f"defectbench data verify --root {root} {name}", "check the files first"),
        (f"defectbench run -m method=variation_model,ae_l2 category={name} {folder} data.root={root} budget=short", ""),
    )


def _first_run() -> Iterator[str]:
    yield "No results and no images here yet. A first run on the built-in dataset takes about a minute:\n" + _commands(
        ("defectbench run -m experiment=quickstart", "three methods"),
        ("defectbench report --results results/quickstart", "tables and report.html"),
    )
    yield "On your own images, or on MVTec AD:\n" + _commands(
        ("defectbench choose DIR", "DIR holds good and bad images, or good ones alone"),
        ("defectbench data download --root data/mvtec_ad", "4.9 GiB; shows the licence first"),
    )


def _commands(*rows: tuple[str, str]) -> str:
    width = max(len(command) for command, meaning in rows if meaning)
    return "\n".join(f"  {command:{width}}  {meaning}".rstrip() for command, meaning in rows)


def _shown(root: Path, here: Path) -> str:
    return root.relative_to(here).as_posix() if root != here else "."


def show_next_steps() -> None:
    """Print them for the current folder."""
    click.echo(next_steps(Path()))
