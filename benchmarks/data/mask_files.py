"""Which mask belongs to which image, and what is to be said of those that are left over. By names alone."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from benchmarks.data.index import GOOD, Finding, ImageFile, counted
from benchmarks.data.listing import images_below, in_one_form, stem_of
from benchmarks.data.names import TEST_NAMES, TRAIN_NAMES, Layout

MaskFolders = list[tuple[str, Path]]
"""Folders of masks, each with the kind that it is of (empty: any)."""
Masks = Mapping[tuple[str, str], list[Path]]
"""Mask files by kind (empty: of any) and the stem of their image."""


def with_masks(
    images: Iterable[ImageFile], folders: MaskFolders, layout: Layout, findings: list[Finding]
) -> list[ImageFile]:
    """The images with their masks, from folders and from beside them; those that turned out to be masks are taken out."""
    images = [*images]
    masks = _in_folders(folders, {in_one_form(image.defect_type) for image in images}, layout)
    stems = {(in_one_form(image.defect_type), stem_of(image.path)) for image in images}
    for image in images:
        key = in_one_form(image.defect_type), mask_stem(image.path)
        if image.is_defective and key in stems and stem_of(image.path) != key[1]:
            masks[key].append(image.path)
    beside = {path for paths in masks.values() for path in paths}
    return [*attach((image for image in images if image.path not in beside), masks, findings)]


def _in_folders(folders: MaskFolders, kinds: set[str], layout: Layout) -> dict[tuple[str, str], list[Path]]:
    masks: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for of, folder in folders:
        own = in_one_form(of) if in_one_form(of) in kinds else ""  # bad/masks may be those of bad/scratch
        for path in images_below(folder):
            kind = own if path.parent == folder else in_one_form(path.parent.name)
            if kind != GOOD and not layout.is_good(kind):
                masks[kind, mask_stem(path)].append(path)
    return masks


def masks_beside(paths: Iterable[Path]) -> list[Path]:
    """Those that are called as another image of their folder, with _mask, _gt or _label behind."""
    paths = [*paths]
    images = {(path.parent, stem_of(path)) for path in paths}
    return [path for path in paths if mask_stem(path) != stem_of(path) and (path.parent, mask_stem(path)) in images]


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
    findings += half_masked(attached)
    return iter(attached)


def half_masked(images: Iterable[ImageFile]) -> Iterator[Finding]:
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
    """Images that differ in their suffix alone (000.png, 000.bmp) keep it in their place, those of two folders of one kind
    (good and OK, day1/NG and day2/NG) the folders, so that each has a map of its own."""
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
    """Files of one name that are of one kind by two folders: each below the names of its folders."""
    count = Counter((image.place, image.path.suffix) for image in images)
    return [
        replace(image, place=_place_by_folder(image)) if count[image.place, image.path.suffix] > 1 else image
        for image in images
    ]


def _place_by_folder(image: ImageFile) -> str:
    part, kind, *_, stem = image.place.split("/")
    folders = PurePosixPath(image.name).parts[:-1]
    if len(folders) > 1 and folders[0].casefold() in TRAIN_NAMES | TEST_NAMES:
        folders = folders[1:]
    return "/".join([part, kind, *(name for name in folders if name not in {kind, "..", "/"}), stem])


def mask_stem(path: Path) -> str:
    return re.sub(r"[-_. ](mask|gt|label)$", "", stem_of(path), flags=re.IGNORECASE)
