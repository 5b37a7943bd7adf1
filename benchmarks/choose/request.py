"""From what is said on the command line to a request: the folder read, the guesses made, and how `run` is to read the same
images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.choose.runner import Request
from benchmarks.choose.sample import MOST, is_large, write_sample
from benchmarks.common.errors import UserError
from benchmarks.common.files import write_text
from benchmarks.config.overrides import quoted
from benchmarks.data.images import decode
from benchmarks.data.index import ImageFile
from benchmarks.data.layouts import read_folder, with_bad_parts
from benchmarks.data.listing import mark_written
from benchmarks.data.summary import LOOK_PX, LOOKED_AT

RESULTS = Path("results")
PARTS = "parts.txt"
"""In the folder of the results: where the parts lie that they are of."""


@dataclass(frozen=True)
class Asked:
    """A request, and what was understood of the folder."""

    request: Request
    summary: str


def request_for(
    folder: Path,
    bad: Path | None,
    minutes: float,
    alpha: float,
    kind: str | None,
    weights: str | None,
    out: Path | None,
    bits: int | None = None,
) -> Asked:
    """Read the folder and settle what is to be run.

    Args:
        bits: of 16-bit files, how many are used; None: all.

    Raises:
        UserError: the folder cannot be used; too few good images; a bad image that is a good one too; the results of other parts
            lie where these would; no such file of weights.
    """
    folder, weights = folder.expanduser(), _weights(weights)
    is_table = folder.is_file()
    root = folder.parent.resolve() if is_table else folder.resolve()
    category, summary = read_folder(folder, name=root.name, bits=bits)
    summary.survey.refuse()
    _refuse_too_little(folder, category.train)
    # a table is named to the runs: in its folder they would find none but a single .csv, and without it all images are good
    below = root if is_table else root.parent
    parts = [quoted("data.layout.table", str(root / folder.name))] if is_table else []
    if bad is not None:
        category = with_bad_parts(category, bad.expanduser())
        parts.append(quoted("data.bad", str(bad.expanduser().resolve())))
    out, said = (out or RESULTS / root.name).expanduser(), str(summary)
    _claim(out, folder.resolve())
    if is_large(category):
        table = out / "images.csv"
        category = write_sample(category, below, table)
        parts = [quoted("data.layout.table", str(table.absolute()))]  # which lists the bad parts, too
        said += f"\n  more than {MOST} images in a part: {MOST} are drawn by seed 0 and used, those listed in {table}"
    request = Request(
        category=category,
        kind=kind or summary.kind,
        alpha=alpha,
        minutes=minutes,
        out=out,
        overrides=(
            "data=folder",
            quoted("data.root", str(below)),
            quoted("category", root.name),
            f"data.fit={summary.fit}",
            *([] if bits is None else [f"input.bits={bits}"]),
            *parts,
        ),
        weights=weights,
    )
    return Asked(request, said)


def _weights(said: str | None) -> str | None:
    """What `method.weights` takes: a word, or a file that is there."""
    if said in (None, "random", "imagenet"):
        return said
    file = Path(str(said)).expanduser().resolve()
    if not file.is_file():
        raise UserError(f"--weights {said}: there is no such file; it may also be random or imagenet.")
    return str(file)


def _claim(out: Path, parts: Path) -> None:
    """Note whose results a folder holds: two lines may both call theirs `parts`, and one's inspector never replaces the other's.

    Raises:
        UserError: it holds those of other parts.
    """
    note = out / PARTS
    if note.is_file() and (others := note.read_text(encoding="utf-8").strip()) != str(parts):
        raise UserError(
            f"{out} holds the results of the parts in {others}, not of those in {parts}: add --out DIR for these. If they are the "
            f"same parts, moved, remove {note}."
        )
    holds_the_parts = parts.is_relative_to(out.resolve())  # as with --out . beside them: marked, it would hide them
    if not holds_the_parts:
        mark_written(out)
    write_text(note, f"{parts}\n")


def _refuse_too_little(folder: Path, train: Sequence[ImageFile]) -> None:
    """Fewer than three good images, or all of them one picture, teach nothing of how good parts differ."""
    if len(train) < 3:
        raise UserError(f"{folder} has {len(train)} good images to learn from: three are the least, 50 a good start.")
    looked_at = train[:: -(-len(train) // LOOKED_AT)]
    first, *others = (decode(image.path, "gray", LOOK_PX, "area") for image in looked_at)
    if all(np.array_equal(first, other) for other in others):
        raise UserError(
            f"The good images are all alike ({looked_at[0].path} and {len(others)} others were looked at): a method learns from "
            "them how good parts differ. Take pictures of different parts."
        )
