"""`defectbench export`: an inspector for other programs."""

from pathlib import Path

import click

from benchmarks.cli.errors import user_errors


@click.command()
@click.argument("inspector", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(["onnx"]), default="onnx", show_default=True, help="File format.")
@click.option("--out", type=click.Path(path_type=Path), help="File to write.  [default: INSPECTOR/inspector.onnx]")
def export(inspector: Path, form: str, out: Path | None) -> None:
    """Export INSPECTOR as one file, and check it on all held-out images: equal maps and decisions, or no file.

    The graph takes uint8 pixels and gives the anomaly map; a JSON file beside it says how an image becomes the input, the area rule
    and the threshold.
    """
    with user_errors(exit_code=2):
        from benchmarks.inspect import Inspector
        from benchmarks.inspect.export import export_onnx

        path = out or inspector / f"inspector.{form}"
        parity = export_onnx(Inspector.load(inspector), path)
        click.echo(
            f"{path}: equal to the inspector on {parity.images} held-out images (largest difference of a map "
            f"{parity.largest_difference:.1e} of its highest value, decisions identical)"
        )
