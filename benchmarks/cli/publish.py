"""`defectbench publish`: results that others may cite."""

from pathlib import Path

import click

from benchmarks.cli.errors import user_errors

FOLDER = click.Path(path_type=Path)


@click.command()
@click.argument("results", type=FOLDER)
@click.argument("target", type=FOLDER)
@click.option("--rerun", type=FOLDER, help="Results of somebody who ran at least one of the cells again.")
@click.option("--by", help="With --rerun: who that was.")
def publish(results: Path, target: Path, rerun: Path | None, by: str | None) -> None:
    """Check the runs in RESULTS and copy their numbers to the new folder TARGET, such as results/published/NAME.

    Every run must have finished, from a known revision without local changes, and its scores must give the counts in its record.
    Records, settings, scores and curves are copied, nothing else: no image, no map, no fitted method.

    Each record gets its standing, which tables and the page show: "self-reported"; "imported", for maps of other programs; or
    "verified", with the cells that somebody else ran again (--rerun) with the same configuration and data and no difference
    beyond chance.
    """
    by = (by or "").strip()
    if (rerun is None) == bool(by):
        raise click.UsageError("--rerun and --by belong together: the results, and who made them.")
    with user_errors():
        from benchmarks.report.publish import publish as publish_store

        for file in publish_store(results, target, rerun, by):
            click.echo(f"wrote {file}")
