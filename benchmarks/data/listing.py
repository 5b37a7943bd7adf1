"""What lies in one folder: images, folders and others. Hidden entries are passed over; what cannot be a file is refused."""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.common.errors import UnusableData
from benchmarks.data.images import FORMATS_IN_WORDS, IMAGE_SUFFIXES, what_is
from benchmarks.data.index import Finding

SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini"})
SYSTEM_FOLDERS = frozenset({"__macosx", "@eadir"})
WRITTEN = ".defectbench"
"""In a folder that the program wrote: its images, such as the pictures of `inspect`, are no parts."""
UNREAD_IMAGES = frozenset(
    [
        ".heic",
        ".heif",
        ".avif",
        ".gif",
        ".jxl",
        ".jxr",
        ".psd",
        ".exr",
        ".hdr",
        ".tga",
        ".dng",
        ".cr2",
        ".nef",
        ".arw",
        ".raw",
        ".raf",
        ".svg",
        ".eps",
        ".pdf",
        ".ico",
        ".npy",
        ".dcm",
        ".fits",
    ]
)


@dataclass(frozen=True)
class Listing:
    """The entries of a folder, each kind sorted by name."""

    images: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)


def listing(folder: Path) -> Listing:
    """The entries of a folder that are neither hidden nor the program's own; nothing if it is not there.

    Raises:
        UnusableData: an entry is neither file nor folder (a named pipe would be waited for), a link to a folder above it, or a
            folder whose name is not UTF-8.
    """
    found = Listing()
    if not folder.is_dir():
        return found
    with os.scandir(folder) as entries:
        ordered = sorted((entry for entry in entries if _is_shown(entry)), key=lambda entry: entry.name)
    for entry in ordered:
        path = Path(entry.path)
        if entry.is_symlink() and Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(path)):
            raise UnusableData(f"{path} is a link to a folder that it lies in. Remove it.")
        if entry.is_dir():
            check_name(path)
            if not is_written(path):
                found.folders.append(path)
        elif not entry.is_file():
            raise UnusableData(f"{path} is {what_is(path)}, not a file. Remove it.")
        else:
            (found.images if path.suffix.lower() in IMAGE_SUFFIXES else found.others).append(path)
    return found


def _is_shown(entry: os.DirEntry[str]) -> bool:
    return not entry.name.startswith(".") and entry.name.lower() not in SYSTEM_FILES | SYSTEM_FOLDERS


def is_written(folder: Path) -> bool:
    """Whether the program wrote a folder, see `mark_written`."""
    return (folder / WRITTEN).is_file()


def mark_written(folder: Path) -> None:
    """Make a folder whose images nobody takes for parts, wherever it lies."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / WRITTEN).write_text(
        "Written by defectbench, which takes no image in here for a part.\n", encoding="utf-8"
    )


def check_name(path: Path) -> None:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        shown = os.fsencode(path).decode("utf-8", "backslashreplace")
        raise UnusableData(
            f"The name {shown} is not UTF-8, as names in archives from Windows can be, and no record could hold it. Rename it."
        ) from None


def images_below(folder: Path) -> Iterator[Path]:
    """All images in a folder and in the folders below it."""
    found = listing(folder)
    yield from found.images
    for sub in found.folders:
        yield from images_below(sub)


def unread(others: Iterable[Path]) -> list[Finding]:
    """What is said of files that are no image of ours: a warning for images of other formats, a note for the rest."""
    kinds = Counter(path.suffix.lower() for path in others)
    first = {path.suffix.lower(): path for path in reversed(list(others))}
    return [
        Finding(
            "warning" if kind in UNREAD_IMAGES else "note",
            f"{count} {kind or 'nameless'} file(s) left out ({first[kind]}): read are {FORMATS_IN_WORDS}"
            + (". Convert them, for example to PNG." if kind in UNREAD_IMAGES else "."),
        )
        for kind, count in sorted(kinds.items())
    ]


def stem_of(path: Path) -> str:
    """A file's name without its suffix, in one form."""
    return in_one_form(path.stem)


def in_one_form(name: str) -> str:
    """Umlauts are stored as one or as two characters: here as one (Unicode's NFC)."""
    return unicodedata.normalize("NFC", name)
