"""A random sample of a folder with thousands of images: what `choose` holds in memory, and how long it takes, stays bounded."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from benchmarks.common.files import write_text
from benchmarks.common.seeding import stream
from benchmarks.data.index import Category, ImageFile
from benchmarks.data.layouts import read_category
from benchmarks.data.names import Layout

MOST = 1000
"""Ours: images of each of three parts that are used: good ones to learn from, good ones to test, bad ones."""


def is_large(category: Category) -> bool:
    return any(len(images) > MOST for images in _parts(category))


def write_sample(category: Category, root: Path, table: Path) -> Category:
    """List a sample in a CSV, drawn by a seed, and read it as a category below `root`, as `data.layout.table` has it read."""
    rng = stream(0, "sample")
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(["path", "label", "split", "mask"])
    for part, images in zip(("train", "test", "test"), _parts(category), strict=True):
        chosen = sorted(rng.permutation(len(images))[:MOST])
        for image in (images[place] for place in chosen):
            mask = str(image.mask.absolute()) if image.mask else ""
            writer.writerow([_place(image.path, root), image.defect_type, part, mask])
    write_text(table, lines.getvalue())
    return read_category(root, category.name, Layout(table=str(table.absolute())))


def _parts(category: Category) -> tuple[Sequence[ImageFile], ...]:
    good = [image for image in category.test if not image.is_defective]
    bad = [image for image in category.test if image.is_defective]
    return category.train, good, bad


def _place(path: Path, root: Path) -> str:
    absolute = path.absolute()
    return str(absolute.relative_to(root) if absolute.is_relative_to(root) else absolute)
