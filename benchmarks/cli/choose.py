"""`defectbench choose`: from a folder of parts to the method that suits them."""

import math
from pathlib import Path
from typing import Any

import click

from benchmarks.cli.errors import user_errors


class Number(click.FloatRange):
    """A number within bounds. Python compares nothing with nan, so click lets it pass all of them."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no number to reckon with.", param, ctx)
        return number


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--bad", type=click.Path(path_type=Path), help="A folder of bad parts, if they lie elsewhere.")
@click.option(
    "--minutes",
    type=Number(min=0.1),
    default=30.0,
    show_default=True,
    help="Methods are started within this time.",
)
@click.option(
    "--alpha",
    type=Number(0, 1, min_open=True, max_open=True),
    default=0.02,
    show_default=True,
    help="False-alarm rate on good parts that the threshold is set for.",
)
@click.option("--kind", type=click.Choice(["object", "texture"]), help="What the images show, if the guess is wrong.")
@click.option(
    "--weights", help="ImageNet weights of ResNet-18: a file, or random for a trial.  [default: downloaded once]"
)
@click.option(
    "--bits", type=click.IntRange(1, 16), help="Of 16-bit images, how many bits are used: 12 for a 12-bit camera's."
)
@click.option("--out", type=click.Path(path_type=Path), help="Where to write.  [default: results/FOLDER's name]")
def choose(
    folder: Path,
    bad: Path | None,
    minutes: float,
    alpha: float,
    kind: str | None,
    weights: str | None,
    bits: int | None,
    out: Path | None,
) -> None:
    """Find the method that suits the parts in FOLDER, and leave an inspector that looks at tomorrow's.

    FOLDER holds good parts in good/ or OK/ and, if there are any, bad ones in bad/, NG/ or a folder per kind of defect. A folder
    of good images alone will do, and so will MVTec AD's layout or a CSV file. Nothing is copied or renamed. Stop it at any time:
    the same command resumes.

    \b
    defectbench choose parts/
    defectbench inspect results/parts/inspector new_parts/ --out pictures
    """
    with user_errors(exit_code=2, keeps_runs=True):
        from benchmarks.choose.page import write_page
        from benchmarks.choose.request import request_for
        from benchmarks.choose.runner import choose as run_candidates
        from benchmarks.common.files import replace_folder
        from benchmarks.common.logs import configure_logging
        from benchmarks.inspect.specification import INSPECTOR

        configure_logging(silent=True)
        asked = request_for(folder, bad, minutes, alpha, kind, weights, out, bits)
        for line in asked.summary.splitlines():
            click.echo(line)
        findings = run_candidates(asked.request, lambda line: click.echo(line, err=True))
        click.echo()
        for sentence in findings.answer.sentences:
            click.echo(sentence)
        if findings.light is not None and findings.light.differs:
            click.echo(findings.light)
        page, inspector = asked.request.out / "choose.html", asked.request.out / INSPECTOR
        if (best := findings.answer.best) is None and inspector.exists():
            findings.skipped.append(
                f"{inspector} is of an earlier request; for this one none is good enough. Remove it if the parts are the same."
            )
            click.echo(findings.skipped[-1])
        write_page(page, findings, asked.request, asked.summary)
        click.echo(f"\nThe page: {page}")
        if best is not None:
            replace_folder(best.folder / INSPECTOR, inspector)
            click.echo(f"Use it:   defectbench inspect {inspector} IMAGES --out pictures")
