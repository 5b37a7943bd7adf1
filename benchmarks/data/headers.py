"""Headers of plain PNG, JPEG and TIFF files in one or two reads each, for surveys of many thousand; others are left to Pillow."""

import os
import stat
import struct
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.data.file_ends import ends_too_early, has_several
from benchmarks.data.images import DEFAULT_MEGAPIXELS, ENDS, MEGAPIXELS, TAIL, Header, header
from benchmarks.data.tiff_headers import TIFF, tiff

HEAD = 8192
"""Most plain files have their header in it; files up to this size are read whole."""
PNG = b"\x89PNG\r\n\x1a\n"
PNG_MODES = {0: "L", 2: "RGB", 3: "P", 6: "RGBA"}
"""Of colour types, with 8 bits."""
PNG_PLAIN = {b"IHDR", b"PLTE", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"pHYs", b"tIME", b"bKGD"}
"""Chunks before the pixels that leave size, mode and orientation as they are."""
JPEG = b"\xff\xd8\xff"
JPEG_MODES = {1: "L", 3: "RGB"}
"""Of numbers of components."""
SOF, DQT, SOS = {0xC0, 0xC1, 0xC2}, 0xDB, 0xDA
JPEG_PLAIN = {0xE0, 0xC4, 0xDD, 0xFE, DQT} | SOF
"""JFIF, Huffman tables, restart interval, comment; tables and frames."""


@dataclass(frozen=True)
class FileHeader(Header):
    """A header as surveys want it."""

    several: bool = False
    """Whether other images follow in the file, which nobody reads."""


Plain = tuple[str, tuple[int, int]]
"""Mode and (height, width) of a file that has nothing out of the ordinary."""


def quick_header(path: Path) -> FileHeader:
    """What `images.header` tells, several times as fast where a file is plain; `whole` by the formats, not by the last bytes alone.

    Raises:
        UserError: it cannot be read as an image, or is larger than the limit.
    """
    try:
        length, head, tail = _ends(path)
    except OSError:
        return FileHeader(**vars(header(path)))
    return _plain(length, head, tail) or _by_pillow(path)


def _by_pillow(path: Path) -> FileHeader:
    found = header(path)
    try:
        return FileHeader(**vars(replace(found, whole=not ends_too_early(path, found))), several=has_several(path))
    except (struct.error, IndexError):
        return FileHeader(**vars(found))  # something that Pillow overlooks


def _plain(length: int, head: bytes, tail: bytes) -> FileHeader | None:
    try:
        kind, found = _read(length, head, tail)
    except (struct.error, IndexError):
        return None
    if found is None or ENDS.get(kind, b"") not in tail or (kind == "PNG" and b"eXIf" in tail):
        return None
    mode, size = found
    pixels = size[0] * size[1]
    if not pixels or pixels > 1e6 * DEFAULT_MEGAPIXELS or MEGAPIXELS in os.environ:
        return None
    bits = 16 if mode == "I;16" else 8
    # CRC-32 of a file that ends with the CRC-32 of all its bytes, as small PNGs do, tells nothing but its length
    return FileHeader(size, mode, bits, 1, True, size, (length, zlib.adler32(tail)))


def _read(length: int, head: bytes, tail: bytes) -> tuple[str, Plain | None]:
    if head.startswith(PNG):
        return "PNG", _png(head)
    if head.startswith(JPEG):
        return "JPEG", _jpeg(head)
    return "TIFF", tiff(length, head, tail) if head[:4] in TIFF else None


def _ends(path: Path) -> tuple[int, bytes, bytes]:
    """A file's length, first and last bytes. What is no file is not waited for."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            return 0, b"", b""
        head, length = os.read(handle, HEAD), found.st_size
        return length, head, head[-TAIL:] if length <= len(head) else os.pread(handle, TAIL, max(0, length - TAIL))
    finally:
        os.close(handle)


def _png(head: bytes) -> Plain | None:
    """By its chunks up to the pixels, their checksums included; IHDR comes first."""
    width, height, bits, colour, compression, filtering, _ = struct.unpack_from(">IIBBBBB", head, 16)
    if head[8:16] != b"\0\0\0\rIHDR" or bits != 8 or colour not in PNG_MODES or compression or filtering:
        return None
    place = len(PNG)
    while (name := head[place + 4 : place + 8]) != b"IDAT":
        end = place + 8 + struct.unpack_from(">I", head, place)[0]
        if name not in PNG_PLAIN or zlib.crc32(head[place + 4 : end]) != struct.unpack_from(">I", head, end)[0]:
            return None
        place = end + 4
    return PNG_MODES[colour], (height, width)


def _jpeg(head: bytes) -> Plain | None:
    """By its segments up to the pixels."""
    found, place = None, 2
    while (marker := head[place + 1]) != SOS:
        body = _segment(head, place)
        if head[place] != 0xFF or marker not in JPEG_PLAIN or (marker == DQT and not _are_8_bit(body)):
            return None
        if marker in SOF:
            bits, height, width, components = struct.unpack_from(">BHHB", body)
            if found or bits != 8 or components not in JPEG_MODES:
                return None
            found = JPEG_MODES[components], (height, width)
        place += 4 + len(body)
    _segment(head, place)
    return found


def _segment(head: bytes, place: int) -> bytes:
    end = place + 2 + struct.unpack_from(">H", head, place + 2)[0]
    if end > len(head):
        raise IndexError
    return head[place + 4 : end]


def _are_8_bit(tables: bytes) -> bool:
    """Quantisation tables as nearly all files have them."""
    return len(tables) % 65 == 0 and all(first < 16 for first in tables[::65])
