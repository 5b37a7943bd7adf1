"""`defectbench estimate`: what a sweep will cost, before it is started."""

from pathlib import Path

import click

from benchmarks.cli.errors import hydra_raises, user_errors
from benchmarks.common.errors import UserError


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("-m", "--multirun", is_flag=True, help="As for run; lists are always swept over here.")
@click.option("--results", type=click.Path(path_type=Path), help="Measured cells to go by.  [default: results.dir]")
@click.option("--figures", type=click.Path(path_type=Path), help="Also write the measured figures to this CSV file.")
@click.argument("overrides", nargs=-1, type=click.UNPROCESSED)
def estimate(multirun: bool, results: Path | None, figures: Path | None, overrides: tuple[str, ...]) -> None:
    """Wall time, device time and disk of a sweep, given as for `run`, and gpus=N workers side by side.

    \b
    defectbench estimate -m method=ae_l2 category=bottle,cable seed=0,1,2 budget=paper data=mvtec_ad gpus=8

    Figures come from cells measured in a store, else from those that come with the project; where there is none, it says so.
    """
    with user_errors():
        from benchmarks.cli.overrides import arranged, checked
        from benchmarks.report.terminal import console
        from benchmarks.sweep.costs import measured, write_figures
        from benchmarks.sweep.estimate import estimate, in_words, methods_table
        from benchmarks.sweep.plan import planned_cells, workers_of

        workers, rest = workers_of(arranged(overrides))
        with checked(rest), hydra_raises():
            cells, left_out = planned_cells(rest)
        if not cells:
            raise UserError("No cell is wanted: none of these methods applies to any of these categories.")
        known = measured(results or cells[0].results)
        found = estimate(cells, left_out, workers, known)
        if figures:
            write_figures(figures, known)
        screen = console()
        screen.print(methods_table(found))
        for line in in_words(found):
            screen.print(line, highlight=False)
