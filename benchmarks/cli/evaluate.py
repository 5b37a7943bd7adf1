"""`defectbench evaluate`: maps of other programs through our protocol."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from benchmarks.cli.errors import hydra_raises, user_errors
from benchmarks.common.errors import UserError

READ = ("protocol.", "category.kind", "data.layout.")
UNREAD = ("protocol.held_out", "protocol.folds", "protocol.validation_share", "protocol.image_score")
"""Settings that the numbers of given maps follow from, and those among them that only making maps reads."""
OPTIONS = {
    "seed": "--seed",
    "results.dir": "--results",
    "data.root": "--root",
    "data": "--dataset",
    "data.name": "--dataset",
    "method": "--method",
    "method.name": "--method",
}
"""What says here what an override says to `run`."""
FOLDER = click.Path(path_type=Path)


@click.command()
@click.argument("maps", type=FOLDER)
@click.argument("overrides", nargs=-1)
@click.option("--root", type=FOLDER, required=True, help="The dataset: the folder that holds the categories.")
@click.option("--threshold", type=float, help="Use this threshold; no validation maps are needed.")
@click.option("--method", help="Name in the tables.  [default: that of the method's folder]")
@click.option(
    "--dataset", default="folder", show_default=True, help="Name of the dataset; mvtec_ad is compared with the paper."
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seed of the maps, if a method has several.",
)
@click.option("--results", type=FOLDER, default=Path("results"), show_default=True, help="Folder that holds runs/.")
def evaluate(
    maps: Path,
    overrides: tuple[str, ...],
    root: Path,
    threshold: float | None,
    method: str | None,
    dataset: str,
    seed: int,
    results: Path,
) -> None:
    """Run our protocol and metrics on anomaly maps that any program made, and store records for the tables.

    \b
    MAPS/<method>/<category>/test/<type>/NNN.tiff     one for each test image, of its size, 32-bit float, higher = more anomalous
    MAPS/<method>/<category>/validation/NNN.tiff      of good training images that were held out: they set the threshold

    MAPS may also be one .pt or .npz file with the maps (N, H, W) and the paths of their images (anomalib, the AUPIMO study).
    <method>/ may be left out. The folders are the layout of MVTec's official evaluation program, and of the maps that
    `defectbench run save_maps=true` keeps. The records have the budget "external"; tables show them beside runs of the same
    images, marked.

    OVERRIDES of protocol, data.layout and category.kind are those of `defectbench run`, such as protocol.minimum_area=0.002.
    """
    with user_errors():
        from benchmarks.cli.overrides import checked
        from benchmarks.common.files import plain_name
        from benchmarks.common.logs import configure_logging
        from benchmarks.data.map_archives import SUFFIXES, unpack
        from benchmarks.report.terminal import run_in_words
        from benchmarks.run.evaluate import Request, find_maps
        from benchmarks.run.evaluate import evaluate as evaluate_category

        _refuse_unread(overrides)
        if method is not None:
            plain_name("--method", method)
        configure_logging()
        request = Request(root, dataset, results, seed, threshold, overrides)
        with checked(overrides), hydra_raises(), TemporaryDirectory() as unpacked:
            if maps.suffix.lower() in SUFFIXES and maps.is_file():
                request = replace(request, maps_from=str(maps))
                method = plain_name("--method", method or maps.stem)
                unpack(maps, root, Path(unpacked) / method)
                maps = Path(unpacked)
            for folder in find_maps(maps, method):
                click.echo(run_in_words(evaluate_category(folder, request)))
        click.echo(f"Tables: defectbench report --results {results}")


def _refuse_unread(overrides: Iterable[str]) -> None:
    """Settings of a run that say nothing of maps which are there already; without a word, the record would be of others.

    Raises:
        UserError: names the option to use.
    """
    for text in overrides:
        key = text.lstrip("+~").partition("=")[0]
        if not key.startswith(READ) or key in UNREAD:
            instead = f"use {OPTIONS[key]}" if key in OPTIONS else "leave it out"
            raise UserError(
                f"{text} says how `run` makes maps, and these are made: {instead}. Read are category.kind, data.layout.*, and "
                f"protocol.* but for {', '.join(UNREAD)}."
            )
