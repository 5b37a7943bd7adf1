"""Which mask belongs to which image, and what is to be said of those that are left over. By names alone."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.data.index import GOOD, Finding, ImageFile, counted
from benchmarks.data.listing import in_one_form, stem_of

Masks = Mapping[tuple[str, str], list[Path]]
"""Mask files by kind (empty: of any) and the stem of their image."""


def attach(images: Iterable[ImageFile], masks: Masks, findings: list[Finding]) -> Iterator[ImageFile]:
    """Give defective images their masks; say which masks and images are left over."""
    two: list[str] = []
    used: Counter[tuple[str, str]] = Counter()
    attached = []
    for image in images:
        stem = stem_of(image.path)
        key = (in_one_form(image.defect_type), stem)
        key = key if key in masks else ("", stem)
        if not image.is_defective or key not in masks:
            attached.append(image)
            continue
        used[key] += 1
        if len(masks[key]) > 1:
            two.append(f"{masks[key][0]} and {masks[key][1].name}")
        attached.append(replace(image, mask=masks[key][0]))
    findings += counted("error", two, "{n} image(s) have two masks ({first}): keep one.")
    shared = [masks[key][0] for key, count in used.items() if count > 1]
    findings += counted(
        "error", shared, "{n} mask(s) would fit several images ({first}): sort masks into a folder for each kind."
    )
    good = {stem_of(image.path) for image in attached if not image.is_defective}
    unused = [paths[0] for key, paths in masks.items() if not used[key] and not (key[0] == "" and key[1] in good)]
    findings += counted(
        "error",
        unused,
        "{first} is the mask of no image ({n} in all): masks are called as their image, or that with _mask, _gt or _label behind. "
        "Rename it, add its image, or remove it.",
    )
    findings += _half_masked(attached)
    return iter(attached)


def _half_masked(images: Iterable[ImageFile]) -> Iterator[Finding]:
    """Kinds of which some images have masks, and kinds that have none while others do."""
    kinds: dict[str, list[ImageFile]] = defaultdict(list)
    for image in images:
        if image.is_defective:
            kinds[image.defect_type].append(image)
    masked = [kind for kind, found in kinds.items() if any(image.mask for image in found)]
    for kind in masked:
        without = [image.path for image in kinds[kind] if image.mask is None]
        yield from counted(
            "error",
            without,
            f"{{first}} has no mask, but other images of '{kind}' have one ({{n}} without): add them, or remove all of "
            f"'{kind}' to go without pixel metrics.",
        )
    bare = [kind for kind in kinds if kind not in masked]
    if masked and bare:
        yield Finding(
            "warning",
            f"no pixel metrics: {', '.join(masked)} have masks, {', '.join(bare)} have none. Draw them, or leave those kinds out.",
        )


def one_place_each(images: Sequence[ImageFile], findings: list[Finding]) -> list[ImageFile]:
    """Images that differ in their suffix alone (000.png, 000.bmp) keep it in their place, those of two folders of good images
    (good, OK) the folder, so that each has a map of its own."""
    images = _by_folder(images)
    count = Counter(image.place for image in images)
    double = [image for image in images if count[image.place] > 1]
    findings += counted(
        "note",
        [image.path for image in double],
        "{n} image(s) have the name of another but for the suffix ({first}): their maps are called as the whole file, .tiff added.",
    )
    found = [
        replace(image, place=f"{image.place}{image.path.suffix}") if count[image.place] > 1 else image
        for image in images
    ]
    again = Counter(image.place for image in found)
    findings += counted(
        "error",
        [image.path for image in found if again[image.place] > 1],
        "{n} image(s) are there twice under one name ({first}): rename or remove one of each.",
    )
    return found


def _by_folder(images: Sequence[ImageFile]) -> list[ImageFile]:
    """Files of one name that are good by two folders: each below the name of its folder."""
    count = Counter((image.place, image.path.suffix) for image in images)
    return [
        replace(image, place="/".join([*parts[:2], image.path.parent.name, *parts[2:]]))
        if count[image.place, image.path.suffix] > 1 and image.path.parent.name != GOOD
        else image
        for image in images
        for parts in (image.place.split("/"),)
    ]


def mask_stem(path: Path) -> str:
    return re.sub(r"[-_. ](mask|gt|label)$", "", stem_of(path), flags=re.IGNORECASE)
