"""The first directory of a TIFF file, as far as a survey needs it (TIFF Revision 6.0, Adobe 1992)."""

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

TIFF = {b"II*\0": "<", b"MM\0*": ">"}
"""Byte order by the first four bytes."""
FORMATS = {1: "B", 3: "H", 4: "I"}
"""Of numbers, by type."""
WIDTH, HEIGHT, BITS, COMPRESSION, MEANING, OFFSETS, COUNTS = 256, 257, 258, 259, 262, (273, 324), (279, 325)
ONE = {266: 1, 274: 1, 284: 1, 339: 1}
"""Bit order, orientation, planes, format of samples: plain files have the default."""
PLAIN = {254, WIDTH, HEIGHT, BITS, COMPRESSION, MEANING, 269, 270, 271, 272, 273, 277, 278, 279, 282, 283, 296, 305, 306, 315,
         317, *ONE}  # fmt: skip
COMPRESSIONS = {1, 5, 8, 32773}
"""None, LZW, deflate, PackBits."""
MODES = {((8,), 1): "L", ((16,), 1): "I;16", ((8, 8, 8), 2): "RGB"}
"""By bits of the samples and what they mean (1: black is 0, 2: RGB)."""
VERSION, SMALLER, MASK = 254, 1, 4
MOST_VERSIONS = 16

Tags = dict[int, tuple[int, ...]]
At = Callable[[int, int], bytes]
"""Reads so many bytes from a place in the file."""


def tiff(length: int, head: bytes, tail: bytes) -> tuple[str, tuple[int, int]] | None:
    """Mode and (height, width) of a plain, whole TIFF by its first and last bytes; None if Pillow must look at it."""

    def at(place: int, count: int) -> bytes:
        start = length - len(tail)
        return tail[place - start :][:count] if place >= start else head[place : place + count]

    order = TIFF[head[:4]]
    tags, following = _directory(at, order, _first(at, order))
    mode = MODES.get((tags.get(BITS, ()), tags.get(MEANING, (0,))[0]))
    if tags.keys() - PLAIN or tags[COMPRESSION][0] not in COMPRESSIONS or any(tags.get(k, (1,)) != (1,) for k in ONE):
        return None
    if mode is None or (mode == "I;16" and head[:2] == b"MM") or tags.get(277, (1,)) != (len(tags[BITS]),):
        return None
    return None if following or _is_cut(tags, length) else (mode, (tags[HEIGHT][0], tags[WIDTH][0]))


def is_cut(path: Path) -> bool:
    """Whether a TIFF says that its pixels go on behind its end."""
    with _opened(path) as (at, order, length):
        tags, _ = _directory(at, order, _first(at, order))
        return _is_cut(tags, length)


def has_pages(path: Path) -> bool:
    """Whether a second image follows the first one that is neither a smaller version of it nor its mask."""
    with _opened(path) as (at, order, _):
        tags, place = _directory(at, order, _first(at, order))
        for _ in range(MOST_VERSIONS):
            if not place:
                return False
            tags, place = _directory(at, order, place)
            if not tags.get(VERSION, (0,))[0] & (SMALLER | MASK):
                return True
    return False


@contextmanager
def _opened(path: Path) -> Iterator[tuple[At, str, int]]:
    with path.open("rb") as file:

        def at(place: int, count: int) -> bytes:
            file.seek(place)
            return file.read(count)

        yield at, TIFF[at(0, 4)], file.seek(0, os.SEEK_END)


def _is_cut(tags: Tags, length: int) -> bool:
    parts = [zip(tags.get(o, ()), tags.get(c, ()), strict=False) for o, c in zip(OFFSETS, COUNTS, strict=True)]
    return any(offset + count > length for pairs in parts for offset, count in pairs)


def _first(at: At, order: str) -> int:
    """Where the first directory is."""
    found: int = struct.unpack(f"{order}I", at(4, 4))[0]
    return found


def _directory(at: At, order: str, place: int) -> tuple[Tags, int]:
    """The numbers of each tag, of others than whole numbers only that they are there; and the place of the next directory, or 0.

    Raises:
        struct.error: the file ends before.
    """
    (count,) = struct.unpack(f"{order}H", at(place, 2))
    entries = struct.iter_unpack(f"{order}HHI4s", at(place + 2, 12 * count))
    (following,) = struct.unpack(f"{order}I", at(place + 2 + 12 * count, 4))
    return {tag: _numbers(at, order, kind, number, value) for tag, kind, number, value in entries}, following


def _numbers(at: At, order: str, kind: int, count: int, value: bytes) -> tuple[int, ...]:
    if kind not in FORMATS:
        return ()
    size = struct.calcsize(f"{order}{FORMATS[kind]}") * count
    content = value[:size] if size <= 4 else at(struct.unpack(f"{order}I", value)[0], size)
    return struct.unpack(f"{order}{count}{FORMATS[kind]}", content)
