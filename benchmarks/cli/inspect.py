"""`defectbench inspect`: new images through an inspector."""

import csv
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path, PurePath
from typing import IO, TYPE_CHECKING, Any

import click

from benchmarks.cli.errors import user_errors
from benchmarks.common.errors import UserError

if TYPE_CHECKING:
    from benchmarks.inspect import Inspector, Verdict

Found = tuple[Path, PurePath]
"""An image, and where it lies in the folder that was named: there its picture goes."""

FIELDS = ("image", "decision", "score", "threshold", "regions", "milliseconds", "error")


@click.command()
@click.argument("inspector", type=click.Path(path_type=Path))
@click.argument("images", nargs=-1, required=True)
@click.option(
    "--csv", "table", type=click.Path(path_type=Path), help="Write one row per image to this CSV file, as it goes."
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder for pictures of defective images.")
@click.option("--pictures", is_flag=True, help="With --out: pictures of all images, good ones included.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@click.option("--device", default="cpu", show_default=True, help="Where maps are computed: cpu, cuda, cuda:1.")
def inspect(
    inspector: Path,
    images: tuple[str, ...],
    table: Path | None,
    out: Path | None,
    pictures: bool,
    as_json: bool,
    device: str,
) -> None:
    """Inspect IMAGES with INSPECTOR, a folder that `defectbench choose` or `run save_inspector=true` left.

    IMAGES are files and folders; - reads paths from standard input, one per line. Exit code 0: all good. 1: something is defective.
    2: something could not be read; the rest is inspected all the same.

    \b
    defectbench inspect results/parts/inspector new/ --out pictures
    find . -name '*.png' | defectbench inspect results/parts/inspector - --csv verdicts.csv
    """
    if pictures and out is None:
        raise click.UsageError("--pictures needs a folder to write to: add --out DIR.")
    if not all(map(str.strip, images)):  # a variable that was never set; Python takes it for the working directory
        raise click.UsageError("One of the IMAGES is an empty name: say . for the working directory.")
    with user_errors(exit_code=2):  # 1 says that something is defective
        from benchmarks.inspect import Inspector

        loaded = Inspector.load(inspector, device)
        saved = None if out is None else _Pictures(out, of_all=pictures)
        with _table(table) as rows:
            code = _inspect_all(loaded, _paths(images), rows, saved, as_json)
    sys.exit(code)


def _inspect_all(
    inspector: "Inspector", images: Iterator[Found], rows: "_Rows", pictures: "_Pictures | None", as_json: bool
) -> int:
    from benchmarks.inspect.drift import Drift

    drift = Drift(inspector.specification.held_out_scores, inspector.specification.threshold)
    told: set[str] = set()
    counts = {"good": 0, "defective": 0, "unreadable": 0}
    for path, inside in images:
        try:
            verdict = inspector(path)
        except UserError as error:
            counts["unreadable"] += 1
            rows.add({"image": str(path), "decision": "unreadable", "error": str(error)})
            click.echo(json.dumps({"image": str(path), "error": str(error)}) if as_json else f"unreadable  {error}")
            continue
        counts["defective" if verdict.defective else "good"] += 1
        rows.add(_row(verdict))
        click.echo(json.dumps(_row(verdict)) if as_json else _line(verdict))
        for note in set(verdict.notes) - told:
            told.add(note)
            click.echo(f"note: {path}: {note}", err=True)
        if pictures is not None and (pictures.of_all or verdict.defective):
            pictures.save(inspector, path, inside, verdict)
        if (warning := drift.add(verdict.score)) is not None:
            click.echo(warning, err=True)
    click.echo(
        ", ".join(f"{count} {name}" for name, count in counts.items() if count or name != "unreadable"), err=True
    )
    if not sum(counts.values()):
        raise UserError("No image to inspect: the folders that you named hold none.")
    return 2 if counts["unreadable"] else int(counts["defective"] > 0)


def _line(verdict: "Verdict") -> str:
    decision = "DEFECTIVE" if verdict.defective else "good"
    found = f"  {_places(verdict)}" if verdict.regions else ""
    return f"{decision:10}  {verdict.score:.4g} / {verdict.threshold:.4g}  {verdict.milliseconds:5.0f} ms  {verdict.name}{found}"


def _places(verdict: "Verdict") -> str:
    return ", ".join(
        f"at ({r.left}, {r.top}) {r.width} x {r.height} px, {r.area:.2%} of the image" for r in verdict.regions[:3]
    ) + (f" and {len(verdict.regions) - 3} more" if len(verdict.regions) > 3 else "")


def _row(verdict: "Verdict") -> dict[str, Any]:
    return {
        "image": verdict.name,
        "decision": "defective" if verdict.defective else "good",
        "score": verdict.score,
        "threshold": verdict.threshold,
        "regions": [asdict(region) for region in verdict.regions],
        "milliseconds": round(verdict.milliseconds, 1),
    }


class _Pictures:
    """The folder of pictures, in the subfolders of the images. The next inspection overwrites its files.

    Raises:
        UserError: the folder holds images already that no inspection wrote.
    """

    def __init__(self, out: Path, of_all: bool) -> None:
        from benchmarks.data.listing import images_below, is_written, mark_written

        if not is_written(out) and (own := next(images_below(out), None)) is not None:
            raise UserError(
                f"--out {out} holds images that are no pictures of an inspection ({own}): name a new folder."
            )
        mark_written(out)
        self.out, self.of_all = out, of_all
        self._taken: set[str] = set()

    def save(self, inspector: "Inspector", path: Path, inside: PurePath, verdict: "Verdict") -> None:
        from benchmarks.data.images import open_image
        from benchmarks.inspect.overlay import overlay

        specification = inspector.specification
        picture = overlay(
            open_image(path),
            verdict.map_HW,
            specification.usual,
            specification.map_threshold,
            verdict.regions,
            inspector.decoding.bits,
        )
        place = self._place(inside)
        place.parent.mkdir(parents=True, exist_ok=True)
        picture.save(place)

    def _place(self, inside: PurePath) -> Path:
        """A name that no other image of this inspection has: 1.png and 1.jpg may lie side by side."""
        stem, number = self.out / inside.parent / inside.stem, 1
        place = Path(f"{stem}.png")
        while str(place).casefold() in self._taken:
            number += 1
            place = Path(f"{stem}-{number}.png")
        self._taken.add(str(place).casefold())
        return place


def _paths(images: tuple[str, ...]) -> Iterator[Found]:
    """Files as they are named; of folders and their subfolders all images, sorted; of `-` what standard input lists."""
    for text in images:
        if text == "-":
            yield from (_listed(Path(line.rstrip("\n"))) for line in sys.stdin if line.strip())
        elif (folder := Path(text)).is_dir():
            yield from ((path, path.relative_to(folder)) for path in _images_in(folder))
        else:
            yield folder, PurePath(folder.name)


def _listed(path: Path) -> Found:
    """A path below the working directory keeps its folders, as `find .` lists them."""
    return path, PurePath(path.name) if path.is_absolute() or ".." in path.parts else path


def _images_in(folder: Path) -> Iterator[Path]:
    """Also those of formats that are not read: they are told, not passed over."""
    from benchmarks.data.listing import UNREAD_IMAGES, listing

    found = listing(folder)
    yield from sorted([*found.images, *(path for path in found.others if path.suffix.lower() in UNREAD_IMAGES)])
    for sub in found.folders:
        yield from _images_in(sub)


class _Rows:
    """The CSV file, a row at a time, so that a run that is stopped keeps what it has."""

    def __init__(self, file: IO[str] | None) -> None:
        self._file = file
        self._writer = csv.DictWriter(file, FIELDS) if file else None
        if self._writer:
            self._writer.writeheader()

    def add(self, row: dict[str, Any]) -> None:
        if self._writer and self._file:
            self._writer.writerow(row | {"regions": json.dumps(row.get("regions", []))})
            self._file.flush()

    def __enter__(self) -> "_Rows":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()


def _table(path: Path | None) -> _Rows:
    if path is None:
        return _Rows(None)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _Rows(path.open("w", newline="", encoding="utf-8"))
    except OSError as error:
        raise UserError(f"Cannot write {path} ({error.strerror}).") from error
