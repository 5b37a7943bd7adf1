"""`defectbench study`: what the choices that the paper leaves open do to the numbers."""

from pathlib import Path

import click

from benchmarks.cli.errors import user_errors

FOLDER = click.Path(path_type=Path)


@click.group()
def study() -> None:
    """Re-analyse stored scores with other minimum areas and thresholds. Nothing is run again."""


@study.command()
@click.option("--results", type=FOLDER, default=Path("results"), show_default=True, help="Folder that holds runs/.")
@click.option("--out", type=FOLDER, help="Where to write.  [default: RESULTS/study/area]")
def area(results: Path, out: Path | None) -> None:
    """Table 2 at every minimum defect area, for other threshold estimators, and with fewer held-out images.

    Says for each method and category which area comes closest to the paper's pair and whether any reaches it, whether one area
    explains all methods of a category, and how the ranks of the methods change. Writes CSV files, a page and a summary.
    """
    with user_errors():
        from benchmarks.common.console import console
        from benchmarks.study.build import build, show

        show(build(results, out or results / "study" / "area"), console())


@study.command()
@click.option("--results", type=FOLDER, default=Path("results"), show_default=True, help="Folder that holds runs/.")
@click.option("--out", type=FOLDER, help="Where to write.  [default: RESULTS/study/thresholds]")
def thresholds(results: Path, out: Path | None) -> None:
    """Compare all threshold rules: the false-alarm rate that each promises, and the one on the good test images.

    Rules are those of protocol.threshold: maximum, quantile:Q, conformal:ALPHA. Writes CSV files and a summary.
    """
    with user_errors():
        from benchmarks.common.console import console
        from benchmarks.study.thresholds import build, show

        show(build(results, out or results / "study" / "thresholds"), console())


@study.command()
@click.option(
    "--results",
    type=FOLDER,
    multiple=True,
    default=(Path("results"),),
    show_default=True,
    help="Folders that hold runs/.",
)
@click.option("--out", type=FOLDER, help="Where to write.  [default: study/stand_in in the first of RESULTS]")
def stand_in(results: tuple[Path, ...], out: Path | None) -> None:
    """Compare the order of methods on drawn defects, by which `choose` ranks them without bad parts, with that on real ones.

    Needs runs that were made with save_inspector=true; draws into their good test images. Writes CSV files and a summary.
    """
    with user_errors():
        from benchmarks.study.stand_in import build

        built = build(results, out or results[0] / "study" / "stand_in")
        click.echo(built.text)
        for file in built.files:
            click.echo(f"wrote {file}")
