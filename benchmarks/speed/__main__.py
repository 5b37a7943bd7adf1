"""`python -m benchmarks.speed`: the table of ratios, or with --growth and --stores how time and memory grow."""

import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import click
from rich.console import Console

from benchmarks.cli.errors import user_errors
from benchmarks.common.console import console
from benchmarks.speed.harness import DIFFER, SECONDS_PER_PAIR, Setting, Stage, circumstances, measure, table, write_csv

STAGES = {  # name on the command line: where its function is; the modules import torch and Lightning
    "training": "stages_training",
    "overhead": "stages_training",
    "ssim": "stages_training",
    "feature_dictionary": "stages_methods",
    "latent_search": "stages_methods",
    "area_score": "stages_protocol",
    "pixel_metrics": "stages_protocol",
    "texture_mixture": "stages_methods",
    "shape_matching": "stages_methods",
    "coreset": "stages_modern",
    "neighbours": "stages_modern",
    "gaussians": "stages_modern",
    "cache": "stages_protocol",
    "commands": "stages_protocol",
}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--stage", "names", multiple=True, type=click.Choice(list(STAGES)), help="These alone (may be repeated).")
@click.option("--quick", is_flag=True, help="Small inputs: a first look, the ratios mean little.")
@click.option("--weights", default="random", show_default=True, help="Of the ResNet-18: random, imagenet, or a file.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option(
    "--seconds", default=SECONDS_PER_PAIR, show_default=True, help="For the rounds of one pair: 2 to 9 are made."
)
@click.option("--growth", is_flag=True, help="How time and memory grow with images and pixels, instead of the ratios.")
@click.option("--stores", is_flag=True, help="How they grow with the number of stored runs.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("results/speed"), show_default=True)
def main(
    names: tuple[str, ...],
    quick: bool,
    weights: str,
    device: str,
    seconds: float,
    growth: bool,
    stores: bool,
    out: Path,
) -> None:
    """Measure every stage against its alternatives, on the same inputs, in turn; write OUT/stages_<cpu or gpu>.csv.

    Exit code 1 where values differ; an aim that is missed is only shown.

    With --growth: run every method on more and on larger images, and write OUT/growth.csv. With --stores: read and report on
    stores of more and more runs, and write OUT/stores.csv.
    """
    device = _device(device)
    weights = str(Path(weights).resolve()) if Path(weights).is_file() else weights
    suffix = "_quick" if quick else ""
    with tempfile.TemporaryDirectory() as folder, user_errors():
        if growth:
            _growth(out / f"growth{suffix}.csv", quick, device, Path(folder))
        elif stores:
            _stores(out / f"stores{suffix}.csv", quick, device, Path(folder))
        else:
            setting = Setting(quick, device, weights, Path(folder), seconds)
            _ratios(out / f"stages_{'gpu' if device == 'cuda' else 'cpu'}{suffix}.csv", names, setting)


def _ratios(path: Path, names: tuple[str, ...], setting: Setting) -> None:
    further = circumstances(setting.device)
    rows = []
    for row in measure(_stages(names or tuple(STAGES), setting), setting):
        rows.append(row)
        write_csv(path, rows, further)  # after each row: an interrupted run keeps what it has measured
        click.echo(f"{row.stage} / {row.alternative}: {row.outcome}", err=True)
    _console().print(table(rows), str(path))
    if any(row.outcome == DIFFER for row in rows):
        raise SystemExit(1)


def _growth(path: Path, quick: bool, device: str, folder: Path) -> None:
    from benchmarks.speed.growth import KINDS, grow, growth_table, sizes

    further = circumstances(device)
    methods, wanted = (["variation_model"], [(1, 128), (2, 128)]) if quick else (list(KINDS), sizes(512))
    rows = []
    for row in grow(methods, wanted, folder, device):
        rows.append(row)
        write_csv(path, rows, further)
        click.echo(f"{row.method} {row.px} px: {row.peak_mib:.0f} MiB", err=True)
    _console().print(growth_table(rows), str(path))


def _stores(path: Path, quick: bool, device: str, folder: Path) -> None:
    from benchmarks.speed.stores import FOLDERS, SIZES, grow_stores, store_table

    further = circumstances(device)
    rows = []
    for row in grow_stores((6, 12) if quick else SIZES, 100 if quick else FOLDERS, folder):
        rows.append(row)
        write_csv(path, rows, further)
        click.echo(f"{row.command}, {row.runs:,} runs: {row.cpu_seconds:.2f} s of the processor", err=True)
    _console().print(store_table(rows), str(path))


def _console() -> Console:
    return console() if sys.stdout.isatty() else Console(width=160)


def _stages(names: tuple[str, ...], setting: Setting) -> Iterator[Stage]:
    for name in names:
        of: Callable[[Setting], Iterator[Stage]] = getattr(import_module(f"benchmarks.speed.{STAGES[name]}"), name)
        yield from of(setting)


def _device(wanted: str) -> str:
    import torch

    torch.backends.cudnn.allow_tf32 = False  # as in a run
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return wanted


if __name__ == "__main__":
    main()
