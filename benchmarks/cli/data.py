"""`defectbench data`: check, fetch or draw a dataset."""

from pathlib import Path

import click

from benchmarks.cli.errors import user_errors
from benchmarks.common.words import number_of

FOLDER = click.Path(path_type=Path)


@click.group()
def data() -> None:
    """Check a dataset, download MVTec AD, draw the built-in dataset."""


@data.command()
@click.argument("categories", nargs=-1)
@click.option(
    "--root", type=FOLDER, default=Path("data/mvtec_ad"), show_default=True, help="Folder that holds the categories."
)
@click.option(
    "--bits", type=click.IntRange(1, 16), help="Of 16-bit images, how many bits are used: 12 for a 12-bit camera's."
)
def verify(categories: tuple[str, ...], root: Path, bits: int | None) -> None:
    """Decode every image below ROOT and compare each category with Table 1 of the paper.

    Name CATEGORIES to check these only. A category that is not MVTec AD's is checked for its own order. Exit code 1 if
    something is wrong; categories that are not there count only if they were named.
    """
    with user_errors():
        from benchmarks.common.console import console
        from benchmarks.data.mvtec_ad import report_table, verify

        reports = verify(root, tuple(name.rstrip("/") for name in categories) or None, bits)
        console().print(report_table(reports))
        for report in reports:
            for text in (*report.problems, *report.notes):
                click.echo(f"{report.name}: {text}")
    if any(report.problems for report in reports):
        raise SystemExit(1)


@data.command()
@click.option("--root", type=FOLDER, default=Path("data/mvtec_ad"), show_default=True, help="Where the categories go.")
@click.option("--archive", type=FOLDER, help="An archive that you already have: unpack it, download nothing.")
@click.option("--accept-licence", is_flag=True, help="Accept the dataset's licence without a prompt.")
def download(root: Path, archive: Path | None, accept_licence: bool) -> None:
    """Download MVTec AD (4.9 GiB) into ROOT.

    Resumes an interrupted download, checks the sha256, and unpacks everything or nothing.
    """
    with user_errors():
        from omegaconf import OmegaConf

        from benchmarks.config.catalogue import CONF
        from benchmarks.data.download import LICENCE_NOTE, download_archive, unpack

        if archive is None:
            click.echo(LICENCE_NOTE)
            if not accept_licence:
                click.confirm("Do you accept this licence?", abort=True)
            source = OmegaConf.load(CONF / "data" / "mvtec_ad.yaml").download
            archive = download_archive(source.sources, source.sha256, root.parent, source.file_name)
        unpacked = unpack(archive, root)
        found = number_of(len(unpacked), "category", "categories")
        click.echo(f"{found} unpacked to {root}. Check: defectbench data verify --root {root}")


@data.command()
@click.option("--root", type=FOLDER, default=Path("data/synthetic"), show_default=True, help="Where the categories go.")
@click.option("--px", default=128, show_default=True, help="Side of the images.")
@click.option("--train-good", default=40, show_default=True, help="Good training images per category.")
@click.option("--test-good", default=12, show_default=True, help="Good test images per category.")
@click.option("--per-defect", default=6, show_default=True, help="Test images per kind of defect.")
@click.option("--seed", default=0, show_default=True, help="Seed of all drawings.")
def synthesize(root: Path, px: int, train_good: int, test_good: int, per_defect: int, seed: int) -> None:
    """Draw the built-in dataset, fifteen categories in MVTec AD's layout. `defectbench run` does so by itself."""
    with user_errors():
        from benchmarks.data.synthetic import SyntheticSpec, write_dataset

        spec = SyntheticSpec(px, train_good, test_good, per_defect, seed)
        folders = write_dataset(spec, root / spec.key())
        click.echo(f"{number_of(len(folders), 'category', 'categories')} in {root / spec.key()}")
