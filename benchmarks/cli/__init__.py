"""The command line. Thin: each command imports what it needs when it is called, so that `--help` is immediate."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import click

from benchmarks.cli.choose import choose
from benchmarks.cli.compare import compare
from benchmarks.cli.completion import complete_override
from benchmarks.cli.conformance import conformance
from benchmarks.cli.data import data
from benchmarks.cli.doctor import doctor
from benchmarks.cli.errors import hydra_raises, user_errors
from benchmarks.cli.estimate import estimate
from benchmarks.cli.evaluate import evaluate
from benchmarks.cli.export import export
from benchmarks.cli.inspect import inspect
from benchmarks.cli.publish import publish
from benchmarks.cli.study import study
from benchmarks.common.errors import UserError
from benchmarks.common.machine import make_output_robust
from benchmarks.common.project import version_line

RESULTS = click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Folder that holds runs/.",
)


def _show_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        click.echo(version_line())
        context.exit()


@click.group(
    invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Version and revision."
)
@click.pass_context
def main(context: click.Context) -> None:
    """The reproducible benchmark of unsupervised visual defect detection.

    \b
    defectbench run method=variation_model category=bottle        one run, on the built-in dataset
    defectbench report                                            leaderboard and tables of what has been run
    defectbench compare results results/other                     what changed between two results folders
    """
    make_output_robust()
    if context.invoked_subcommand is None:
        with user_errors():
            from benchmarks.cli.welcome import show_next_steps

            show_next_steps()


def _says_what_to_run(overrides: Iterable[str]) -> bool:
    """A method, an experiment or a benchmark that names one; or a question to Hydra, such as --help and --cfg."""
    return any(
        text.lstrip("+").partition("=")[0] in ("method", "experiment", "benchmark")
        or (text.startswith("-") and text not in ("-m", "--multirun"))
        for text in overrides
    )


WITHOUT_ASKING = "++hydra.launcher.when_stopped=cancel"
"""`--yes`: a sweep that is stopped cancels its jobs on a cluster."""


# Hydra parses the arguments of `run` itself, --help included.
@main.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    short_help="Run methods on categories (Hydra application; -m sweeps).",
    add_help_option=False,
)
@click.argument("overrides", nargs=-1, type=click.UNPROCESSED, shell_complete=complete_override)
def run(overrides: tuple[str, ...]) -> None:
    """Run one method on one category, or sweep over lists with -m."""
    with user_errors(keeps_runs=True):
        from benchmarks.config.catalogue import method_names

        if not _says_what_to_run(overrides):
            raise UserError(f"Which method? Add method=NAME. Known: {', '.join(method_names())}.")
        from benchmarks.cli import application
        from benchmarks.cli.overrides import arranged, checked
        from benchmarks.common.logs import configure_logging
        from benchmarks.config.compose import register_categories, register_resolvers
        from benchmarks.config.targets import refuse_foreign_overrides
        from benchmarks.sweep import sweeper

        arguments = arranged([WITHOUT_ASKING if text == "--yes" else text for text in overrides])
        refuse_foreign_overrides(arguments)
        with checked(arguments), hydra_raises():
            register_resolvers()
            arguments = register_categories(arguments)
            sweeper.register()
            configure_logging()
            application.run(arguments)


@main.command()
@RESULTS
@click.option("--out", type=click.Path(path_type=Path), help="Where to write.  [default: RESULTS/report]")
@click.option(
    "--show",
    "beside",
    type=click.Choice(["interval", "counts", "std", "none"]),
    default="interval",
    show_default=True,
    help="Beside our numbers: the 95 % interval, the counts of each seed, or the standard deviation over the seeds.",
)
@click.option(
    "--interval",
    type=click.Choice(["wilson", "bootstrap"]),
    default="wilson",
    show_default=True,
    help="Kind of the 95 % interval: Wilson's of one seed's count, or a bootstrap over images, all seeds together "
    "(Wilson's where all images are decided alike).",
)
@click.option(
    "--add",
    "published",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A CSV file of published numbers, shown as reference columns: method, category, source, and metrics such as image_auroc, "
    "aupro, normal_accuracy; optional dataset, reference_for.",
)
@click.option(
    "--references",
    is_flag=True,
    help="Show the published numbers that the project knows for the methods that were run.",
)
@click.option(
    "--metrics",
    default="image_auroc,image_average_precision,pixel_auroc,aupro",
    show_default=True,
    help="Metrics of Table F, by their names in results/LEADERBOARD.md.",
)
@click.option(
    "--images",
    is_flag=True,
    help="Put pictures of the best and worst images into report.html, from runs with save_maps=true. They show the dataset's "
    "images: check its licence before you share the page.",
)
@click.option(
    "--data-root",
    type=click.Path(path_type=Path),
    help="With --images: the folder of the categories.  [default: where the runs found it]",
)
@click.option("--figures", is_flag=True, help="Also write the page's plots as PNG and PDF to figures/.")
def report(
    results: Path,
    out: Path | None,
    beside: Literal["interval", "counts", "std", "none"],
    interval: Literal["wilson", "bootstrap"],
    published: tuple[Path, ...],
    references: bool,
    metrics: str,
    images: bool,
    data_root: Path | None,
    figures: bool,
) -> None:
    """Rebuild leaderboard.csv, the tables and report.html from stored runs, and print the tables. No run is repeated.

    Tables 2, 3 and F are written as CSV, Markdown and LaTeX, one set for each dataset and budget. report.html has them all,
    with the plots and the provenance of each cell.
    """
    if data_root is not None and not images:
        raise click.UsageError("--data-root says where the images of --images are: give both.")
    with user_errors():
        from benchmarks.common.console import console
        from benchmarks.report.build import build
        from benchmarks.report.page import write_page
        from benchmarks.report.screen import show
        from benchmarks.store.runs import Contents, RunStore

        store, out = RunStore(results), out or results / "report"
        chosen = [name.strip() for name in metrics.split(",") if name.strip()]
        built = build(results, out, beside, interval, published, chosen, references)
        built.files.extend(write_page(built, store, out, images, data_root))
        if figures:
            from benchmarks.report.paper_figures import write_figures

            built.files.extend(write_figures(built, store, out))
        show(built, console())
        Contents(built.records, built.unreadable).complain()


@main.group(name="list")
def list_() -> None:
    """List methods, categories or runs."""


@list_.command()
def methods() -> None:
    """Methods that can be chosen with method=NAME."""
    with user_errors():
        from benchmarks.config.catalogue import methods

        for name, summary in methods():
            click.echo(f"{name:24}{summary}")


@list_.command()
@click.option("--root", type=click.Path(path_type=Path), help="A dataset folder: list what is in it.")
def categories(root: Path | None) -> None:
    """Categories that can be chosen with category=NAME, or those in a dataset folder."""
    with user_errors():
        from benchmarks.config.catalogue import categories
        from benchmarks.data.layouts import categories_in

        for name, summary in categories_in(root) if root else categories():
            click.echo(f"{name:24}{summary}")


@list_.command()
@RESULTS
@click.option(
    "--why", "cell", metavar="CELL", help="What has changed since the runs of METHOD/CATEGORY or METHOD/CATEGORY/SEED."
)
@click.option(
    "--data-root",
    type=click.Path(path_type=Path),
    help="The folder of the categories, if the runs were made elsewhere.  [default: where the runs found it]",
)
def runs(results: Path, cell: str | None, data_root: Path | None) -> None:
    """Stored runs: a grid of how they stand, one row each with its numbers, then the runs in progress.

    finished: it would be skipped. failed: see error.txt and log.txt in its folder. stale: configuration, code, versions
    or data have changed since, so it would run again (--why says what, old and new). missing: other cells here have a run of that
    seed. unchecked: its data are not where they were (--data-root says where). unreadable: no record, or one that does not
    follow from its scores; no table is made from it.
    """
    with user_errors():
        from benchmarks.common.console import console
        from benchmarks.store.progress import in_progress
        from benchmarks.store.runs import RunStore, check_is_there
        from benchmarks.sweep.status import grids, progress_table, run_statuses, runs_table, why

        check_is_there(results)
        contents = RunStore(results).contents()
        if cell is not None:
            for line in why(results, contents.records, cell, data_root):
                click.echo(line)
            return
        statuses, begun = run_statuses(results, contents.records, data_root), list(in_progress(results / "runs"))
        if not statuses and not begun and not contents.unreadable:
            raise UserError(f"No run in {results / 'runs'}. Make some with `defectbench run`.")
        screen = console()
        for grid in grids(statuses):
            screen.print(grid)
        if statuses or contents.unreadable:
            screen.print(runs_table(statuses, contents.unreadable))
        if begun:
            screen.print(progress_table(begun))


main.add_command(choose)
main.add_command(inspect)
main.add_command(export)
main.add_command(data)
main.add_command(compare)
main.add_command(conformance)
main.add_command(evaluate)
main.add_command(estimate)
main.add_command(study)
main.add_command(publish)
main.add_command(doctor)
