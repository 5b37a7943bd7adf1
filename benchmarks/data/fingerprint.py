"""What a set of files contains, as one short hash: names and bytes, not places or dates."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from benchmarks.common.files import write_text
from benchmarks.data.index import ImageFile


def fingerprint(images: Iterable[ImageFile], memo: Path | None) -> str:
    """A hash over the names and contents of images and their masks.

    `memo` is a file that remembers each file's hash by size and modification time, so that a category is read once and a finished
    run is recognised within milliseconds. Two processes may share it: the last one to write wins, and nothing but time is lost.
    """
    known = _read(memo)
    hashes = dict(known)
    total = hashlib.blake2b(digest_size=16)
    for image in images:
        total.update(image.name.encode())
        for path in filter(None, (image.path, image.mask)):
            total.update(_remembered(path, hashes).encode())
    if memo is not None and hashes != known:
        write_text(memo, json.dumps(hashes))
    return total.hexdigest()


def _remembered(path: Path, hashes: dict[str, str]) -> str:
    status = path.stat()
    key = f"{path.resolve()}|{status.st_size}|{status.st_mtime_ns}"
    if key not in hashes:
        hashes[key] = hash_of(path)
    return hashes[key]


def hash_of(path: Path) -> str:
    """The hash of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _read(memo: Path | None) -> dict[str, str]:
    try:
        return dict(json.loads(memo.read_text(encoding="utf-8"))) if memo else {}
    except (OSError, ValueError):
        return {}  # absent, or not ours: hash anew
