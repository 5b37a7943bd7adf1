"""A category from a folder as it is, without copying or renaming: the reader behind `run`, `evaluate`, `data verify`, `choose`.

Read are, below DIR/<category> or in any folder given to `read_folder`:

    train/good, test/good, test/<defect>, ground_truth/<defect>     MVTec AD; `ok`, `normal`, `pass`, `io` mean `good`, too
    train/good, <defect> beside it                                  good test images are drawn from the good ones
    good, bad | NG | <defect> | bad/<defect>, with or without masks/ likewise, also a folder deeper: day1/OK, bad/images, bad/masks
    images alone                                                    all good; some are drawn for testing
    a CSV with columns path, label and, if wanted, split, mask      likewise where it has no split

    category, summary = read_folder(Path("DIR"))     # Category as every part of the benchmark takes it
    print(summary)                                   # what was understood, each guess with the option that overrides it
    summary.survey.refuse()                          # UserError if a file would falsify a number
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.common.errors import UserError, nearest
from benchmarks.common.words import printable
from benchmarks.data.index import Category, Finding, ImageFile
from benchmarks.data.listing import in_one_form, listing
from benchmarks.data.mask_files import one_place_each
from benchmarks.data.names import Layout
from benchmarks.data.summary import Summary, summarise
from benchmarks.data.survey import survey
from benchmarks.data.table_of_images import find_table, objects_in, read_table, tables_in
from benchmarks.data.tree import is_category, read_bad, read_tree

ANYBODYS = Layout()


def read_folder(
    path: Path, layout: Layout = ANYBODYS, name: str | None = None, bits: int | None = None
) -> tuple[Category, Summary]:
    """Read a folder of parts, or a CSV that lists them, and say what was understood. Headers are read, no test image is decoded.

    Args:
        bits: of 16-bit files, how many are used, if that is settled.

    Raises:
        UserError: nothing there can be read as a category.
    """
    category = _read(path.expanduser(), layout, name or path.expanduser().resolve().stem)
    return category, summarise(category, survey(category, bits=bits))


def with_bad_parts(category: Category, folder: Path, layout: Layout = ANYBODYS) -> Category:
    """The category with further bad parts from a folder elsewhere: its subfolders are kinds of defects, images beside them
    are `bad`.

    Raises:
        UserError: the folder holds no image, one that is a good image of the category, or a folder that is good by its name.
    """
    bad, findings = read_bad(folder, layout)
    if not bad:
        raise UserError(
            f"{folder} holds no image: --bad (data.bad) takes a folder of bad parts, or of folders, one for each kind of defect."
        )
    good = {image.path.resolve() for image in [*category.train, *category.test] if not image.is_defective}
    both = [path for _, path in bad if path.resolve() in good]
    if both:
        raise UserError(f"{both[0]} is a good image and a bad one: take it out of one of the two folders.")
    known = {image.path.resolve() for image in category.test}
    new = [(kind, path) for kind, path in bad if path.resolve() not in known]
    if new and category.has_masks:
        text = f"no pixel metrics: the images in {folder} have no masks. Move them, with masks, into the category's folder."
        findings.append(Finding("warning", text))
    test = one_place_each([*category.test, *_as_test_images(new, category.test)], findings)
    return replace(category, test=tuple(test), findings=(*category.findings, *findings))


def _as_test_images(bad: Iterable[tuple[str, Path]], known: Iterable[ImageFile]) -> Iterator[ImageFile]:
    """Each with a name and a place that no other image has."""
    taken = {name for image in known for name in (image.name, f"{image.place}{image.path.suffix}")}
    for kind, path in bad:
        inside = path.name
        while printable(f"test/{kind}/{inside}") in taken:
            inside = f"data.bad/{inside}"
        name = printable(f"test/{kind}/{inside}")
        taken.add(name)
        yield ImageFile(path, name, kind, place=name.removesuffix(path.suffix))


def read_category(root: Path, name: str, layout: Layout = ANYBODYS) -> Category:
    """The category `name` of a dataset, by the names of its files alone.

    Raises:
        UserError: no such category, or nothing that can be read as one.
    """
    if not root.is_dir():
        raise UserError(f"No folder {root}. Set data.root to the folder that holds the categories (data.root=DIR).")
    if layout.table is not None:
        return read_table(root / layout.table, name, layout, root)
    folder = root / name
    if not folder.is_dir():  # the name may be stored in another Unicode form than it is typed
        alike = [sub for sub in listing(root).folders if in_one_form(sub.name) == in_one_form(name)]
        if not alike:
            raise UserError(f"No category '{name}' in {root}. {_instead(root, name, layout)}")
        folder = alike[0]
    return _read(folder, layout, name)


def category_names(root: Path, layout: Layout = ANYBODYS) -> list[str]:
    """The categories of a dataset, sorted: folders with `train`, with a folder of good images, or with a CSV of images. None where
    the folder is a category itself: its `train` and `test` are not two more."""
    if not root.is_dir() or is_category(root, layout):
        return []
    if layout.table is not None:
        return objects_in(root / layout.table)
    return [folder.name for folder in listing(root).folders if is_category(folder, layout) or tables_in(folder)]


def _read(path: Path, layout: Layout, name: str) -> Category:
    if not path.exists():
        raise UserError(f"No folder {path}.")
    table = path if path.is_file() else find_table(path)
    return read_tree(path, name, layout) if table is None else read_table(table, name, layout, table.parent)


def _instead(root: Path, name: str, layout: Layout) -> str:
    return nearest(name, category_names(root, layout)) or without_categories(root, layout)


def without_categories(root: Path, layout: Layout = ANYBODYS) -> str:
    """What to say of a folder without categories."""
    if is_category(root, layout):
        place = root.resolve()
        return f"{root} is itself a category: give the folder that holds it, data.root={place.parent} category={place.name}."
    return f"{root} holds no category: a category is a folder with train/good in it, or with good beside bad."


def categories_in(root: Path) -> list[tuple[str, str]]:
    """Name and image counts of each category in a dataset folder.

    Raises:
        UserError: it holds none.
    """
    names = category_names(root)
    if not names:
        raise UserError(without_categories(root))
    found = []
    for name in names:
        try:
            category = read_category(root, name)
        except UserError as error:  # of one, which must not hide the others
            found.append((name, f"cannot be read: {error}"))
            continue
        good = sum(not image.is_defective for image in category.test)
        counts = f"{len(category.train)} train, {good} good and {len(category.test) - good} defective test images"
        found.append((name, f"{counts}, {'with' if category.has_masks else 'without'} masks"))
    return found
