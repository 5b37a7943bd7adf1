"""`defectbench conformance`: golden cases for metrics, and a judge."""

from pathlib import Path

import click

from benchmarks.cli.errors import user_errors

FILE = click.Path(path_type=Path)


@click.command()
@click.argument("folder", type=FILE, default=Path("conformance"))
@click.option(
    "--check", "answers", type=FILE, help="Judge these answers instead: JSON, see the README.md among the cases."
)
@click.option("--out", type=FILE, help="With --check: also write the verdicts to this CSV file.")
def conformance(folder: Path, answers: Path | None, out: Path | None) -> None:
    """Write golden cases for metrics to FOLDER, or judge a library's answers to them.

    Maps, masks and labels as TIFF, PNG and CSV, with the exact answers as fractions: ties, constant maps, scores that a sigmoid
    saturates, 8-bit scores, regions that touch by a corner, empty masks. Exit code 1 if an answer is not exact.
    """
    if out is not None and answers is None:
        raise click.UsageError(
            "--out is for verdicts: add --check ANSWERS.json, or leave it out to write the cases to FOLDER."
        )
    with user_errors():
        from benchmarks.common.console import console
        from benchmarks.common.files import write_text
        from benchmarks.conformance.cases import write
        from benchmarks.conformance.judge import judge, show

        if answers is None:
            for path in write(folder):
                click.echo(f"wrote {path}")
            return
        verdicts = judge(answers)
        show(verdicts, console())
        if out is not None:
            write_text(out, verdicts.to_csv(index=False, float_format="%.9g"))
            click.echo(f"wrote {out}")
    if (verdicts["verdict"] != "exact").any():
        raise SystemExit(1)
