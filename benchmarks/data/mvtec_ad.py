"""MVTec AD: the facts of the paper's Table 1, and whether a folder agrees with them. Other categories are checked for order."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich.table import Table
from scipy.stats import mannwhitneyu
from tqdm import tqdm

from benchmarks.common.errors import UserError
from benchmarks.common.pool import pool
from benchmarks.common.table1 import COUNTED, CategoryFacts, table1
from benchmarks.data.images import decode
from benchmarks.data.index import Category, ImageFile
from benchmarks.data.layouts import category_names, read_category, without_categories
from benchmarks.data.masks import read_mask
from benchmarks.data.survey import Survey, survey
from benchmarks.protocol.regions import label_regions

OTHER_LIGHT = 0.9  # share of pairs of a good test and a good training image of which the former is the brighter
ENOUGH_TO_COMPARE = 5


@dataclass(frozen=True)
class CategoryReport:
    """What was found of one category. `problems` say what is wrong and what to do, `notes` what is only odd."""

    name: str
    expected: CategoryFacts | None
    found: CategoryFacts | None = None
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def status(self) -> Literal["ok", "differs", "missing", "own"]:
        """`own` is a category that is not MVTec AD's and in order."""
        if self.found is None and not self.problems:
            return "missing"
        if self.problems:
            return "differs"
        return "ok" if self.expected else "own"


@dataclass(frozen=True)
class _Decoded:
    """What decoding one image and its mask told."""

    size: tuple[int, int] = (0, 0)
    grayscale: bool = False
    brightness: float = math.nan
    """Mean gray value, 0 to 255."""
    regions: int = 0
    problem: str = ""


def verify(root: Path, categories: Sequence[str] | None = None, bits: int | None = None) -> list[CategoryReport]:
    """Decode everything below `root` and compare it with Table 1.

    Args:
        categories: names to check; by default MVTec AD's fifteen if any of them is there, and whatever else is.
        bits: of 16-bit files, how many are used, if that is settled.

    Raises:
        UserError: `root` is not there, or holds no category.
    """
    published, present = table1(), category_names(root)
    if categories is not None:
        return [_verify_category(root, name, published.get(name), bits) for name in categories]
    if not present:
        raise UserError(f"{without_categories(root)} Name it with --root.")
    expected = published if published.keys() & set(present) else {}
    names = [*expected, *(name for name in present if name not in published)]
    return [
        _verify_category(root, name, expected.get(name), bits)
        if name in present
        else CategoryReport(name, expected[name])
        for name in names
    ]


def _verify_category(root: Path, name: str, expected: CategoryFacts | None, bits: int | None) -> CategoryReport:
    try:
        category = read_category(root, name)
    except UserError as error:
        return CategoryReport(name, expected, problems=[str(error)])
    surveyed = survey(category, bits=bits)
    decoded = _decode_all(category, surveyed)
    found = _found(category, decoded)
    problems = [
        *surveyed.texts("error"),
        *(one.problem for one in decoded if one.problem),
        *_differences(found, expected),
    ]
    notes = [*surveyed.texts("warning"), *surveyed.texts("note"), *_other_light(category, decoded)]
    return CategoryReport(name, expected, found, problems, notes)


def _other_light(category: Category, decoded: Sequence[_Decoded]) -> Iterator[str]:
    """Whether good test images are brighter or darker than good training images, as parts of another day can be."""
    brightness = np.array([one.brightness for one in decoded])
    train = brightness[: len(category.train)]
    test = brightness[len(category.train) :][[not image.is_defective for image in category.test]]
    train, test = train[~np.isnan(train)], test[~np.isnan(test)]
    if len(test) < ENOUGH_TO_COMPARE or len(train) == 0:
        return
    share = mannwhitneyu(test, train).statistic / (len(test) * len(train))
    if max(share, 1 - share) >= OTHER_LIGHT:
        yield (
            f"the {len(test)} good test images are {'brighter' if share > 0.5 else 'darker'} than the good training images (median "
            f"gray value {np.median(test):.0f} against {np.median(train):.0f}): a threshold from training images may not hold for "
            "them, and scores may follow the light instead of defects."
        )


def _decode_all(category: Category, surveyed: Survey) -> list[_Decoded]:
    images = [*category.train, *category.test]
    with pool() as threads:
        decoded = threads.map(lambda image: _decode(image, surveyed), images)
        return list(tqdm(decoded, category.name, len(images), unit="image", leave=False, disable=None))


def _decode(image: ImageFile, surveyed: Survey) -> _Decoded:
    if not all(surveyed.can_read(path) for path in (image.path, image.mask) if path is not None):
        return _Decoded()  # the survey says why
    try:
        pixels = decode(image.path)
        mask = None if image.mask is None else read_mask(image.mask)
    except UserError as error:
        return _Decoded(problem=str(error))
    height, width, channels = pixels.shape
    known: dict[str, Any] = {"size": (height, width), "grayscale": channels == 1, "brightness": float(pixels.mean())}
    if mask is not None:
        _, known["regions"] = label_regions(mask)
    return _Decoded(**known)


def _found(category: Category, decoded: Sequence[_Decoded]) -> CategoryFacts:
    defective = [image for image in category.test if image.is_defective]
    readable = [one for one in decoded if one.size != (0, 0)]
    sides = {side for one in readable for side in one.size}
    colours = {one.grayscale for one in readable}
    return CategoryFacts(
        train_good=len(category.train),
        test_good=len(category.test) - len(defective),
        test_defective=len(defective),
        defect_types=len({image.defect_type for image in defective}),
        defect_regions=sum(one.regions for one in decoded),
        side_px=sides.pop() if len(sides) == 1 else 0,
        grayscale=colours.pop() if len(colours) == 1 else None,
    )


def _differences(found: CategoryFacts, expected: CategoryFacts | None) -> Iterator[str]:
    """Each fact that is not Table 1's."""
    if expected is None:
        return
    for name in COUNTED:
        value, published = getattr(found, name), getattr(expected, name)
        if value != published:
            yield f"{name} is {value}, in Table 1 {published}: files are missing, added or changed; fetch the category again."


def report_table(reports: Sequence[CategoryReport]) -> Table:
    """A row for each category; where a count is not Table 1's, both are shown."""
    shown = Table()
    for name in ("category", "status", "train", "test good", "defective", "types", "regions", "side px", "gray"):
        shown.add_column(name, justify="left" if name in {"category", "status"} else "right")
    for report in reports:
        shown.add_row(report.name, report.status, *(_cell(report, name) for name in COUNTED))
    return shown


def _cell(report: CategoryReport, fact: str) -> str:
    if report.found is None:
        return ""
    value = getattr(report.found, fact)
    text = "mixed" if value is None or (fact == "side_px" and not value) else str(value)
    published = None if report.expected is None else getattr(report.expected, fact)
    return text if published in {None, value} else f"{text} not {published}"
