"""`defectbench estimate`: what a sweep will cost, before it is started."""

from pathlib import Path

import click

from benchmarks.cli.errors import hydra_raises, user_errors
from benchmarks.common.errors import UserError


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("-m", "--multirun", is_flag=True, help="As for run. Lists always make a sweep here.")
@click.option(
    "--results", type=click.Path(path_type=Path), help="Results whose measured costs to use.  [default: results.dir]"
)
@click.option("--figures", type=click.Path(path_type=Path), help="Also write the measured costs to this CSV file.")
@click.argument("overrides", nargs=-1, type=click.UNPROCESSED)
def estimate(multirun: bool, results: Path | None, figures: Path | None, overrides: tuple[str, ...]) -> None:
    """Estimate wall time, device time and disk space of a sweep. Takes the arguments of `run`, and gpus=N for parallel workers.

    \b
    defectbench estimate -m method=ae_l2 category=bottle,cable seed=0,1,2 budget=paper data=mvtec_ad gpus=8

    Costs come from your finished runs, or else from those that ship with the project. Where there are none, it says so.
    """
    with user_errors():
        from benchmarks.cli.overrides import arranged, checked
        from benchmarks.common.console import console
        from benchmarks.store.runs import check_is_there
        from benchmarks.sweep.costs import measured, write_figures
        from benchmarks.sweep.estimate import estimate, in_words, methods_table
        from benchmarks.sweep.plan import planned_cells, workers_of

        workers, rest = workers_of(arranged(overrides, sweep=True))
        with checked(rest, "estimate"), hydra_raises():
            cells, left_out = planned_cells(rest)
        if not cells:
            raise UserError("Nothing to run: none of these methods applies to any of these categories.")
        if results is not None:
            check_is_there(results)
        known = measured(results or cells[0].results)
        found = estimate(cells, left_out, workers, known)
        if figures:
            write_figures(figures, known)
        screen = console()
        screen.print(methods_table(found))
        for line in in_words(found):
            screen.print(line, highlight=False)
