"""A category from a CSV that lists its images: path, label and, if wanted, split, mask and object, in any order and case."""

import csv
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from benchmarks.common.errors import UnusableData, UserError, nearest
from benchmarks.data.images import what_is
from benchmarks.data.index import GOOD, Category, Finding, ImageFile, counted
from benchmarks.data.listing import check_name, images_below, listing
from benchmarks.data.mask_files import half_masked, one_place_each
from benchmarks.data.names import TEST_NAMES, TRAIN_NAMES, Layout
from benchmarks.data.split import hold_out

COLUMNS = {
    "path": ("path", "image", "image_path", "file", "filename"),
    "label": ("label", "class", "defect", "defect_type", "kind"),
    "split": ("split", "part", "set"),
    "mask": ("mask", "mask_path", "ground_truth"),
    "object": ("object", "category"),
}
HEAD = 1 << 16
"""Bytes in which the first line of a table ends."""
NORMAL_LABELS = {"0": GOOD, "1": "bad"}


@dataclass(frozen=True)
class _Row:
    """A line of the table that is an image of this category."""

    line: int
    path: Path
    name: str
    kind: str
    split: str
    mask: Path | None


def find_table(folder: Path) -> Path | None:
    """The CSV in a folder that has columns for path and label, if there is one.

    Raises:
        UnusableData: there are several.
    """
    tables = tables_in(folder)
    if len(tables) > 1:
        names = " and ".join(path.name for path in tables)
        raise UnusableData(
            f"{folder} holds {len(tables)} tables of its images, {names}, and one is read: remove or rename the others, for "
            f"example to {tables[-1].name}.old, or join them, with train and test in a column split."
        )
    return tables[0] if tables else None


def tables_in(folder: Path) -> list[Path]:
    """The CSVs in a folder that have columns for path and label."""
    return [path for path in listing(folder).others if path.suffix.lower() == ".csv" and _is_table(path)]


def objects_in(table: Path) -> list[str]:
    """The categories that a table lists in its column `object`, sorted.

    Raises:
        UserError: the table cannot be read, or has no such column.
    """
    names = {row.get("object", "") for _, row in _rows(table)}
    if "" in names:
        raise UserError(f"{table} needs a column object that names the category of each image.")
    return sorted(names)


def read_table(table: Path, name: str, layout: Layout, root: Path) -> Category:
    """The category `name` of a table; without a column `object` all its rows. Paths are taken below `root`.

    Raises:
        UserError: the table cannot be read, names a file that is not there, or has no good image to fit to.
    """
    rows = [_row(table, line, row, layout, root) for line, row in _rows(table) if row.get("object", name) == name]
    if not rows:
        known = [row["object"] for _, row in _rows(table) if row.get("object")]
        other = nearest(name, set(known)) or "Fill it, or remove it to have the folders read."
        raise UserError(f"{table} lists no image of '{name}'. {other}")
    findings: list[Finding] = []
    train = [row for row in rows if row.split == "train"]
    bad = [row.path for row in train if row.kind != GOOD]
    findings += counted("warning", bad, "{n} defective image(s) are listed for training ({first}) and left out.")
    train, test = [row for row in train if row.kind == GOOD], [row for row in rows if row.split == "test"]
    split = ""
    if undecided := [row for row in rows if not row.split]:
        good = [row for row in undecided if row.kind == GOOD]
        chosen = hold_out(len(good), layout.test_share, layout.test_seed)
        train += [row for row, tested in zip(good, chosen, strict=True) if not tested]
        test += [row for row, tested in zip(good, chosen, strict=True) if tested]
        test += [row for row in undecided if row.kind != GOOD]
        drawn = f"share {layout.test_share:g}, seed {layout.test_seed}"
        split = f"{sum(chosen)} of {len(good)} good images drawn for testing ({drawn})"
        if not test:
            raise layout.nothing_drawn(table, len(good))
    if not train:
        raise UnusableData(f"{table} lists no good image of '{name}' to fit to (labels read as good: {_good(layout)}).")
    if not test:
        raise UnusableData(f"{table} lists no image of '{name}' for testing: say test in the column split of some.")
    if layout.table is None:
        findings += _unlisted(table)
    images = one_place_each(
        [*(_image("train", row) for row in train), *(_image("test", row) for row in test)], findings
    )
    findings += half_masked(images)
    return Category(
        name, root, (*images[: len(train)],), (*images[len(train) :],), (*findings,), f"table {table.name}", split
    )


def _unlisted(table: Path) -> list[Finding]:
    """Images beside a table that was found in their folder, of which it says nothing."""
    root = table.parent
    names = [row.get(column, "").replace("\\", "/") for _, row in _rows(table) for column in ("path", "mask")]
    listed = {os.path.realpath(root / name) for name in names if name}
    others = [path for path in images_below(root) if os.path.realpath(path) not in listed]
    text = f"{{n}} image(s) are not listed in {table.name} and are left out ({{first}}); without that file, all would be read."
    return counted("warning", others, text)


def _good(layout: Layout) -> str:
    return ", ".join(map(str, layout.good)) or "good, ok, normal, pass, io, 0; others: data.layout.good=[LABEL]"


def _image(part: str, row: _Row) -> ImageFile:
    inside = "/".join(text for text in PurePosixPath(row.name).with_suffix("").parts if text not in {"..", "/"})
    return ImageFile(row.path, row.name, row.kind, row.mask, f"{part}/{row.kind.replace('/', '_')}/{inside}")


def _row(table: Path, line: int, row: Mapping[str, str], layout: Layout, root: Path) -> _Row:
    for column in ("path", "label"):
        if not row.get(column):
            raise UnusableData(f"{table}, line {line}: no {column}. Fill it, or remove the line.")
    label, split = row["label"], row.get("split", "").casefold()
    kind = GOOD if layout.is_good(label) else label if layout.good else NORMAL_LABELS.get(label, label)
    part = "train" if split in TRAIN_NAMES else "test" if split in TEST_NAMES else split
    if part not in {"train", "test", ""}:
        raise UnusableData(f"{table}, line {line}: split is '{row['split']}', not train or test.")
    mask = _file(table, line, root, row["mask"]) if row.get("mask") and kind != GOOD else None
    return _Row(line, _file(table, line, root, row["path"]), row["path"].replace("\\", "/"), kind, part, mask)


def _file(table: Path, line: int, root: Path, text: str) -> Path:
    path = root / text.replace("\\", "/")
    check_name(path)
    if not path.is_file():
        raise UnusableData(f"{table}, line {line}: {path} is {what_is(path)}. Paths count from {root}.")
    return path


def _rows(table: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """The number of each line and its values, by our names of the columns."""
    if not table.is_file():
        raise UserError(f"{table} is {what_is(table)}: it should be a CSV of images (data.layout.table).")
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            head = file.readline()
            if "\0" in head:  # UTF-16 without its mark
                raise UnusableData(f"{table} is not UTF-8 (its first line holds zeros): save it as UTF-8.")
            file.seek(0)
            reader = csv.reader(file, delimiter=_delimiter(head))
            header = next(reader, [])
            columns = _columns(header)
            _refuse_double(table, header, columns)
            if "path" not in columns or "label" not in columns:
                raise UserError(f"{table} has no columns path and label: its first line is '{head.strip()[:80]}'.")
            for values in reader:
                if any(map(str.strip, values)):
                    if len(values) != len(columns):
                        raise UnusableData(
                            f"{table}, line {reader.line_num}: {len(values)} values, the header has {len(columns)}."
                        )
                    yield reader.line_num, {name: value.strip() for name, value in zip(columns, values, strict=True)}
    except UnicodeDecodeError as error:
        raise UnusableData(f"{table} is not UTF-8 ({error.reason} at byte {error.start}): save it as UTF-8.") from error
    except csv.Error as error:
        raise UnusableData(f"{table} cannot be read as CSV: {error}.") from error


def _columns(header: list[str]) -> list[str]:
    names = {alias: name for name, aliases in COLUMNS.items() for alias in aliases}
    return [names.get(text.strip().casefold(), text.strip()) for text in header]


def _refuse_double(table: Path, header: list[str], columns: list[str]) -> None:
    first: dict[str, str] = {}
    for text, name in zip(header, columns, strict=True):
        if name in COLUMNS and name in first:
            raise UnusableData(
                f"{table}, line 1: {first[name].strip()} and {text.strip()} both mean {name}: rename one."
            )
        first[name] = text


def _delimiter(head: str) -> str:
    return max(",;\t", key=head.count)


def _is_table(path: Path) -> bool:
    """By the bytes of the first line: a table in UTF-16, or with a name in Windows-1252, is one that cannot be read, not none."""
    try:
        with path.open("rb") as file:
            start = file.read(HEAD)
    except OSError:
        return False
    without_marks = start.lstrip(b"\xef\xbb\xbf\xff\xfe").replace(b"\0", b"")
    head = without_marks.decode("latin-1").partition("\n")[0].partition("\r")[0]
    return {"path", "label"} <= set(_columns(next(csv.reader([head], delimiter=_delimiter(head)), [])))
