"""What a set of files contains, as one short hash: names, kinds and bytes, not places or dates."""

import hashlib
import json
import time
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from benchmarks.common.files import write_text
from benchmarks.data.index import ImageFile

SETTLED_NS = 2 * 10**9
"""A file that changed later than this before it was hashed may change again within the same tick of the file system's clock."""


def fingerprint(images: Iterable[ImageFile], memo: Path | None, anew: bool = False) -> str:
    """A hash over the names, kinds and contents of images and their masks.

    `memo` is a file that remembers each file's hash by inode, size and times of modification and change, so that a category is
    read once and a finished run is recognised within milliseconds. Two processes may share it: the last one to write wins, and
    nothing but time is lost.

    Args:
        anew: read every file, whatever the memo says of it.
    """
    known = _read(memo)
    hashes = {} if anew else dict(known)
    total = hashlib.blake2b(digest_size=16)
    for image in images:
        total.update(image.name.encode())
        if PurePosixPath(image.name).parent.name != image.defect_type:  # as in a table, where a label can be corrected
            total.update(f"|{image.defect_type}".encode())
        for path in filter(None, (image.path, image.mask)):
            total.update(_remembered(path, hashes).encode())
    if memo is not None and hashes != known:
        write_text(memo, json.dumps(known | hashes))
    return total.hexdigest()


def _remembered(path: Path, hashes: dict[str, list[str]]) -> str:
    """The hash of a file, from the memo if it is the one that was hashed: no replacing or rewriting leaves all of this equal."""
    name, status = str(path.resolve()), path.stat()
    stamp = f"{status.st_ino}|{status.st_size}|{status.st_mtime_ns}|{status.st_ctime_ns}"
    known = hashes.get(name)
    if known is not None and known[0] == stamp:
        return known[1]
    content = hash_of(path)
    if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > SETTLED_NS:
        hashes[name] = [stamp, content]
    else:
        hashes.pop(name, None)
    return content


def content_of(path: Path) -> str:
    """The hash of a file's content, or of the names and contents of all files below a folder."""
    if path.is_file():
        return hash_of(path)
    total = hashlib.blake2b(digest_size=16)
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        total.update(f"{file.relative_to(path)} {hash_of(file)}\n".encode())
    return total.hexdigest()


def hash_of(path: Path) -> str:
    """The hash of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _read(memo: Path | None) -> dict[str, list[str]]:
    """The memo's entries: what it holds of earlier versions or of anybody else is left out."""
    try:
        found = json.loads(memo.read_text(encoding="utf-8")) if memo else {}
        return {name: entry for name, entry in found.items() if isinstance(entry, list) and len(entry) == 2}
    except (OSError, ValueError, AttributeError):
        return {}  # absent, or not ours: hash anew
