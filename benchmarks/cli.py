"""The command line. Thin: each command imports what it needs when it is called, so that `--help` is immediate."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from benchmarks.errors import UserError

FULL_ERROR = "HYDRA_FULL_ERROR"


@contextmanager
def told_to_the_user() -> Iterator[None]:
    """One message instead of a traceback, exit code 1; with HYDRA_FULL_ERROR=1 the traceback."""
    try:
        yield
    except Exception as error:
        if os.environ.get(FULL_ERROR) == "1":
            raise
        raise click.ClickException(_in_words(error)) from error


def _in_words(error: Exception) -> str:
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError):
        place = f" ({error.filename})" if error.filename else ""
        return f"{error.strerror or error}{place}. Finished runs are kept; mend this and give the same command again."
    reasons = [str(error), *([str(error.__cause__)] if error.__cause__ else [])]
    return "\n".join(reasons) + f"\n(set {FULL_ERROR}=1 for the traceback)"


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="defectbench")
def main() -> None:
    """The reproducible benchmark of unsupervised visual defect detection.

    \b
    defectbench run method=variation_model category=bottle        one run, on the built-in dataset
    defectbench report                                            leaderboard and tables of what has been run
    """


# Hydra parses the arguments of `run` itself, --help included.
@main.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    short_help="Run methods on categories (Hydra application; -m sweeps).",
    add_help_option=False,
)
@click.argument("overrides", nargs=-1, type=click.UNPROCESSED)
def run(overrides: tuple[str, ...]) -> None:
    """Run one method on one category, or sweep over lists with -m."""
    from benchmarks import app

    sys.argv = ["defectbench run", *overrides]
    with told_to_the_user(), _hydra_raises():
        app.register_resolvers()
        app.register_own_categories(overrides)
        app.main()


@contextmanager
def _hydra_raises() -> Iterator[None]:
    """Let Hydra raise what it would print, so that all errors are told in one way."""
    before = os.environ.get(FULL_ERROR)
    os.environ[FULL_ERROR] = "1"
    try:
        yield
    finally:
        os.environ.pop(FULL_ERROR)
        if before is not None:
            os.environ[FULL_ERROR] = before


@main.command()
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Folder that holds runs/.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Where to write.  [default: RESULTS/report]")
def report(results: Path, out: Path | None) -> None:
    """Rebuild leaderboard.csv and the tables from stored runs, and print them. Nothing is computed anew."""
    with told_to_the_user():
        from rich.console import Console

        from benchmarks.report.build import build, show

        show(build(results, out or results / "report"), Console())


@main.group(name="list")
def list_() -> None:
    """List methods, categories or runs."""


@list_.command()
def methods() -> None:
    """Methods that can be chosen with method=NAME."""
    with told_to_the_user():
        from benchmarks.catalogue import methods

        for name, summary in methods():
            click.echo(f"{name:24}{summary}")


@list_.command()
@click.option("--root", type=click.Path(path_type=Path), help="A dataset folder: list what is in it.")
def categories(root: Path | None) -> None:
    """Categories that can be chosen with category=NAME, or those in a dataset folder."""
    with told_to_the_user():
        from benchmarks.catalogue import categories, categories_in

        for name, summary in categories_in(root) if root else categories():
            click.echo(f"{name:24}{summary}")


@list_.command()
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Folder that holds runs/.",
)
def runs(results: Path) -> None:
    """Stored runs, with their status and numbers."""
    with told_to_the_user():
        from rich.console import Console

        from benchmarks.report.terminal import runs_table
        from benchmarks.store.runs import RunStore

        Console().print(runs_table(RunStore(results).records()))
