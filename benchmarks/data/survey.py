"""One survey of a category before anything else: headers of all files, masks, training pixels. Never a test image's pixels.

What would falsify a number is an error, what is left out a warning, what is only odd or was guessed a note; each says how many, the
first example and the remedy. `run`, `evaluate`, `data verify` and `choose` all begin with it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.common.errors import UnusableData, UserError
from benchmarks.common.words import number_of
from benchmarks.data.fingerprint import hash_of
from benchmarks.data.headers import FileHeader, quick_header
from benchmarks.data.images import Header, gray_histogram
from benchmarks.data.index import Category, Finding, ImageFile, Level, counted, named
from benchmarks.data.mask_survey import mask_findings

FEW_HELD_OUT = 20
LOOKED_AT = 16
"""Training images of 16 bits whose highest value is looked for."""
LOSSY = {".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".jp2", ".j2k"}


@dataclass(frozen=True)
class Survey:
    """What was found of a category."""

    category: Category
    headers: Mapping[Path, FileHeader]
    """Of all images and masks that can be read."""
    findings: tuple[Finding, ...]

    def can_read(self, path: Path) -> bool:
        """Whether a file's header could be read and its end is there."""
        return path in self.headers and self.headers[path].whole

    def texts(self, level: Level) -> list[str]:
        return [finding.text for finding in self.findings if finding.level == level]

    def refuse(self) -> None:
        """Stop what would give wrong numbers.

        Raises:
            UnusableData: there are errors; all are named.
        """
        if errors := self.texts("error"):
            numbered = errors if len(errors) == 1 else [f"({n}) {text}" for n, text in enumerate(errors, 1)]
            raise UnusableData(f"{self.category.name}: " + "\n".join(numbered))


def survey(category: Category, held_out_share: float | None = None, bits: int | None = None) -> Survey:
    """Survey a category.

    Args:
        held_out_share: `protocol.validation_share`, if a threshold is to come from the training images.
        bits: `input.bits`, if it is settled how many bits of 16-bit files are used.
    """
    headers, unreadable = _headers(category)
    findings = [
        *category.findings,
        *named("error", unreadable),
        *_odd_names(category),
        *_losses(category),
        *_cut(headers),
        *_several(headers),
        *_without_range(headers),
        *_counts(category, held_out_share),
        *mask_findings(category, headers),
        *_bit_depth(category, headers, bits),
        *_shared(category, headers),
    ]
    if category.split:
        findings.append(Finding("note", f"{category.split}: the folder has no test part of its own."))
    return Survey(category, headers, tuple(findings))


def _headers(category: Category) -> tuple[dict[Path, FileHeader], list[str]]:
    headers: dict[Path, FileHeader] = {}
    unreadable: list[str] = []
    for path in _files(category):
        try:
            headers[path] = quick_header(path)
        except UserError as error:
            unreadable.append(str(error))
    return headers, unreadable


def _files(category: Category) -> Iterator[Path]:
    for image in (*category.train, *category.test):
        yield image.path
        if image.mask is not None:
            yield image.mask


def _odd_names(category: Category) -> list[Finding]:
    odd = [path for path in _files(category) if not _is_utf8(path)]
    return counted("note", odd, "{n} file name(s) are not UTF-8 ({first}) and are written like this in records.")


def _is_utf8(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _losses(category: Category) -> list[Finding]:
    images = (*category.train, *category.test)
    lossy = [image.path for image in images if image.path.suffix.lower() in LOSSY]
    alike = len(lossy) == len(images)
    text = (
        "which may have lost faint defects" if alike else "the others are not, so that compression may tell them apart"
    )
    remedy = "PNG, BMP and TIFF keep every value." if alike else "Save all in one format."
    return counted("note", lossy, f"{{n}} image(s) are JPEG, JPEG 2000 or WebP ({{first}}), {text}. {remedy}")


def _cut(headers: Mapping[Path, Header]) -> list[Finding]:
    cut = [path for path, found in headers.items() if not found.whole]
    return counted("error", cut, "{n} file(s) end too early ({first}): copy them again, or remove them.")


def _several(headers: Mapping[Path, FileHeader]) -> list[Finding]:
    several = [path for path, found in headers.items() if found.several]
    text = "{n} file(s) hold several images, of which only the first is read ({first}): save each as a file of its own."
    return counted("warning", several, text)


def _without_range(headers: Mapping[Path, Header]) -> list[Finding]:
    floats = [path for path, found in headers.items() if found.mode == "F"]
    text = "{n} file(s) hold floating-point pixels, which have no known range ({first}): save them with 8 or 16 bits."
    return counted("error", floats, text)


def _counts(category: Category, held_out_share: float | None) -> Iterator[Finding]:
    bad = sum(image.is_defective for image in category.test)
    if len(category.train) <= 2:
        yield Finding(
            "error",
            f"{len(category.train)} good training image(s): some are fitted to, others held out; add good images.",
        )
    elif held_out_share is not None and (held_out := round(held_out_share * len(category.train))) < FEW_HELD_OUT:
        yield Finding(
            "note",
            f"the threshold comes from {number_of(held_out, 'held-out image')}: it may be far off for good parts seen later.",
        )
    if bad == len(category.test):
        yield Finding("warning", "no good test image: false alarms cannot be counted. Put good images into test/good.")
    if not bad:
        yield Finding(
            "warning", "no defective test image: found defects cannot be counted. Put some into test/<defect>."
        )
    elif not category.has_masks and not any(image.mask for image in category.test):
        yield Finding("note", f"{category.root} has no masks (ground_truth): there will be no pixel metrics.")


# -- pixels of training images ----------------------------------------------------------------------------------------------------


def _bit_depth(category: Category, headers: Mapping[Path, Header], bits: int | None) -> Iterator[Finding]:
    """Whether 16-bit files hold camera values of fewer bits, by the training images alone."""
    deep = [image.path for image in category.train if image.path in headers and headers[image.path].bits == 16]
    if not deep or bits is not None:
        return
    looked_at = deep[:: -(-len(deep) // LOOKED_AT)]
    highest = max((_highest(path, headers[path]) for path in looked_at), default=0)
    used, gray = max(8, int(highest).bit_length()), headers[looked_at[0]].grayscale
    if 0 < highest < 2**14:
        yield Finding(
            "error" if used <= 12 else "warning",
            f"{len(deep)} training image(s) have 16 bits, but their values end at {highest} ({looked_at[0]}), so they would use "
            f"{highest * 255 // 65535 + 1} of 256 gray levels: these are {used}-bit values. "
            + (f"Say input.bits={used + used % 2}" if gray else "Save them with 8 bits")
            + ", or input.bits=16 if they are right (`choose` and `data verify`: --bits).",
        )


def _highest(path: Path, found: Header) -> int:
    try:
        highest = int(np.flatnonzero(gray_histogram(path)).max(initial=0))
    except UserError:
        return 65535  # named when it is read
    return highest if found.grayscale else highest * 256 + 255


# -- one image twice --------------------------------------------------------------------------------------------------------------


def _shared(category: Category, headers: Mapping[Path, Header]) -> Iterator[Finding]:
    """Test images that are training images, too, and images that are called both good and defective; by their bytes."""
    copies = _equal_files((*category.train, *category.test), headers)
    train = set(category.train)  # by image: a table may list one file in both parts
    both, again = [], []
    for group in copies:
        tested = [image for image in group if image not in train]
        if {image.is_defective for image in group} == {True, False}:
            both.append(f"{group[0].path} and {next(i.path for i in group if i.is_defective != group[0].is_defective)}")
        elif tested and len(tested) < len(group):
            again.append(f"{tested[0].path}")
    yield from counted(
        "error", both, "{n} image(s) lie among the good and among the defective ({first}): remove one of each."
    )
    yield from counted(
        "warning",
        again,
        "{n} test image(s) are training images, too ({first}): that flatters the numbers; remove them from one part.",
    )


def _equal_files(images: Iterable[ImageFile], headers: Mapping[Path, Header]) -> list[list[ImageFile]]:
    """Images of equal bytes. Few files need to be read: those of one length and end."""
    by_end: dict[tuple[int, int], list[ImageFile]] = defaultdict(list)
    for image in images:
        if image.path in headers:
            by_end[headers[image.path].end].append(image)
    by_content: dict[str, list[ImageFile]] = defaultdict(list)
    for group in by_end.values():
        for image in group if len(group) > 1 else ():
            by_content[hash_of(image.path)].append(image)
    return [group for group in by_content.values() if len(group) > 1]
