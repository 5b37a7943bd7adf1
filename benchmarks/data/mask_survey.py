"""What a survey says of masks: their sizes beside their images', turns, and whether their pixels say what is meant."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.common.errors import UserError
from benchmarks.common.pool import pool
from benchmarks.data.images import Header, open_image
from benchmarks.data.index import Category, Finding, counted, named
from benchmarks.data.masks import MaskContent, content_of, lowest_defect

TURNED = "EXIF or TIFF orientation"
WITH_ALPHA = {"RGBA", "LA", "PA"}


def mask_findings(category: Category, headers: Mapping[Path, Header]) -> Iterator[Finding]:
    """What is wrong or odd with the masks of a category, with the headers of its files."""
    pairs = [
        (image, image.mask, headers[image.path], headers[image.mask])
        for image in category.test
        if image.mask is not None and image.path in headers and image.mask in headers
    ]
    turned = [mask for _, mask, of_image, of_mask in pairs if of_image.size != of_mask.size == of_image.stored_size]
    yield from counted(
        "error",
        turned,
        "{n} mask(s) are drawn on an image as stored, but "
        + TURNED
        + " turns it ({first}): turn them likewise, or save the images "
        "turned, without that tag.",
    )
    unclear = [
        image.path
        for image, _, of_image, of_mask in pairs
        if of_image.orientation != of_mask.orientation and of_image.size == of_mask.size == of_image.stored_size
    ]
    yield from counted(
        "warning",
        unclear,
        "{n} image(s) are turned by "
        + TURNED
        + " ({first}), their masks are not: these must be drawn on the turned image; whether "
        "they are cannot be told from their size.",
    )
    for image, mask, of_image, of_mask in pairs:
        if of_image.size != of_mask.size and mask not in turned:
            (height, width), (mask_height, mask_width) = of_image.size, of_mask.size
            yield Finding(
                "error",
                f"{mask} has {mask_width} x {mask_height} pixels, its image {image.path.name} {width} x {height}: draw the mask at "
                "the image's size, or remove the masks to go without pixel metrics.",
            )
    yield from _mask_contents([mask for _, mask, _, _ in pairs], headers)


def _mask_contents(masks: Sequence[Path], headers: Mapping[Path, Header]) -> Iterator[Finding]:
    dark: list[str] = []
    unreadable: list[str] = []
    empty, most, odd, see_through = [], [], [], []
    with pool() as threads:
        contents = threads.map(lambda mask: _content(mask, headers[mask]), masks)
    for mask, content in zip(masks, contents, strict=True):
        if isinstance(content, str):
            unreadable.append(content)
        elif headers[mask].mode in WITH_ALPHA and not content.between and _is_drawn_in_alpha(mask):
            see_through.append(mask)
        elif 0 < content.highest < lowest_defect(headers[mask]):
            of = f"{headers[mask].mode}, {headers[mask].bits} bits"
            dark.append(
                f"{mask}: highest gray value {content.highest}, {of}; a defect begins at {lowest_defect(headers[mask])}"
            )
        elif content.highest == 0:
            empty.append(mask)
        else:
            most += [mask] if content.share > 0.5 else []
            odd += [f"{mask}, {headers[mask].mode}"] if not _is_plain(headers[mask]) or content.between else []
    yield from named("error", unreadable)
    yield from counted(
        "error", dark, "{n} mask(s) would be taken as empty ({first}). Save masks as 8-bit gray with 0 and 255."
    )
    yield from counted(
        "error",
        see_through,
        "{n} mask(s) are drawn in their transparency alone ({first}), which is not read. Save masks as 8-bit gray with 0 and 255.",
    )
    yield from counted(
        "note",
        empty,
        "{n} mask(s) are empty ({first}): their images are defective, but have no region for pixel metrics.",
    )
    yield from counted(
        "warning" if len(most) == len(masks) else "note",
        most,
        "{n} mask(s) mark more than half of their image ({first}): are they inverted? Defects are white.",
    )
    yield from counted(
        "note", odd, "{n} mask(s) are not 8-bit gray with 0 and 255 alone ({first}): gray from 128 up counts as defect."
    )


def _content(mask: Path, header_of_mask: Header) -> MaskContent | str:
    try:
        return content_of(mask, header_of_mask)
    except UserError as error:
        return str(error)


def _is_drawn_in_alpha(mask: Path) -> bool:
    """Whether a mask of one gray value varies in its transparency."""
    low, high = open_image(mask).getchannel("A").getextrema()
    return bool(low != high)


def _is_plain(found: Header) -> bool:
    return found.mode in {"L", "1"}
