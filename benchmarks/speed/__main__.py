"""`python -m benchmarks.speed`: the table of ratios, or with --growth how time and memory grow."""

import tempfile
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import click
from rich.console import Console

from benchmarks.speed.harness import Setting, Stage, circumstances, measure, table, write_csv

STAGES = {  # name on the command line: where its function is; the modules import torch and Lightning
    "training": "stages_training",
    "overhead": "stages_training",
    "ssim": "stages_training",
}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--stage", "names", multiple=True, type=click.Choice(list(STAGES)), help="These alone (may be repeated).")
@click.option("--quick", is_flag=True, help="Small inputs: a first look, the ratios mean little.")
@click.option("--weights", default="random", show_default=True, help="Of the ResNet-18: random, imagenet, or a file.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("results/speed"), show_default=True)
def main(names: tuple[str, ...], quick: bool, weights: str, device: str, out: Path) -> None:
    """Measure every stage against its alternatives, on the same inputs, in turn; write results/speed/stages_<device>.csv."""
    device = _device(device)
    with tempfile.TemporaryDirectory() as folder:
        setting = Setting(quick, device, weights, Path(folder))
        further = circumstances(device)
        rows = []
        for row in measure(_stages(names or tuple(STAGES), setting), device):
            rows.append(row)
            click.echo(f"{row.stage} / {row.alternative}: {row.outcome}", err=True)
    path = out / f"stages_{'gpu' if device == 'cuda' else 'cpu'}{'_quick' if quick else ''}.csv"
    write_csv(path, rows, further)
    console = Console(width=None if Console().is_terminal else 160)
    console.print(table(rows))
    console.print(str(path))


def _stages(names: tuple[str, ...], setting: Setting) -> Iterator[Stage]:
    for name in names:
        of: Callable[[Setting], Iterator[Stage]] = getattr(import_module(f"benchmarks.speed.{STAGES[name]}"), name)
        yield from of(setting)


def _device(wanted: str) -> str:
    import torch

    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return wanted


if __name__ == "__main__":
    main()
