"""`defectbench compare`: did anything change between two results folders?"""

from pathlib import Path

import click

from benchmarks.cli.errors import user_errors


class BadInput(click.ClickException):
    """Results that cannot be compared; exit code 1 means that something changed."""

    exit_code = 2


@click.command()
@click.argument("before", type=click.Path(path_type=Path), metavar="A")
@click.argument("after", type=click.Path(path_type=Path), metavar="B")
@click.option("--out", type=click.Path(path_type=Path), help="Also write all common cells to this CSV file.")
def compare(before: Path, after: Path, out: Path | None) -> None:
    """Compare the runs of two results folders, A (before) and B (after), cell by cell.

    A change is beyond chance: where A and B have common seeds, the same test images and their scores, by an exact paired test over
    images (McNemar's for one seed; for several an image counts once, as better if more seeds decide it correctly), at 5 % after
    Holm's correction over all shares compared; elsewhere if the two 95 % intervals (Wilson) do not overlap.

    \b
    Exit code 0: no change beyond chance
    Exit code 1: some change beyond chance, or a cell that finished in A and failed in B
    Exit code 2: a folder or run that cannot be read, or no cell in common
    """
    try:
        with user_errors():
            from benchmarks.common.console import console
            from benchmarks.common.files import write_text
            from benchmarks.report.compare import compare as compare_folders
            from benchmarks.report.compare import show
            from benchmarks.store.runs import Contents

            comparison = compare_folders(before, after)
            show(comparison, console())
            if out is not None:
                write_text(out, comparison.changes.to_csv(index=False, float_format="%.6g"))
                click.echo(f"wrote {out}")
            Contents([], comparison.unreadable).complain()
    except click.ClickException as error:
        raise BadInput(error.message) from error
    if comparison.exceeds:
        raise SystemExit(1)
