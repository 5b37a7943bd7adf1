"""Whether an image file's pixels are all there, by its bytes: no pixel is decoded. `images.header` looks at the last ones alone."""

import re
import struct
from pathlib import Path

from benchmarks.data.images import Header
from benchmarks.data.tiff_headers import TIFF, has_pages, is_cut

PNG_END = b"IEND\xaeB`\x82"
JPEG_END, JPEG_SCAN = 0xD9, 0xDA
JPEG_ENDING = b"\xff\xd9"
MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""In a scan: neither a byte 255 of the pixels, written as 255 0, nor a restart."""
JPEG_2000 = (b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  ")
UNPACKED_BMP, ANIMATED = 0, 2


def ends_too_early(path: Path, found: Header) -> bool:
    """Whether a file stops before its last pixel, as far as its format tells. Other data may follow that."""
    with path.open("rb") as file:
        head = file.read(64)
        file.seek(max(0, found.end[0] - 64))
        ending = file.read().rstrip(b"\0")
    if head[:4] in TIFF:
        return is_cut(path)
    if head.startswith(b"BM"):
        return _bmp_bytes(head, found) > found.end[0]
    if head[:2] in {b"P5", b"P6"}:
        samples = 1 if head[:2] == b"P5" else 3
        return found.size[0] * found.size[1] * samples > found.end[0]
    if head.startswith(JPEG_2000):
        return not ending.endswith(JPEG_ENDING)
    if head.startswith(b"\xff\xd8"):
        return not (ending.endswith(JPEG_ENDING) or _has_jpeg_end(path.read_bytes()))
    return not (found.whole or PNG_END in path.read_bytes())


def has_several(path: Path) -> bool:
    """Whether a file holds several images, of which the first alone is read: pages of a TIFF, an animated PNG or WebP."""
    with path.open("rb") as file:
        head = file.read(64)
    if head[:4] in TIFF:
        return has_pages(path)
    if head.startswith(b"RIFF"):
        return head[12:16] == b"VP8X" and bool(head[20] & ANIMATED)
    return head.startswith(b"\x89PNG") and b"acTL" in head


def _bmp_bytes(head: bytes, found: Header) -> int:
    """Up to the last pixel; 0 where they are packed."""
    start, bits, packing = (
        struct.unpack_from(kind, head, place)[0] for kind, place in (("<I", 10), ("<H", 28), ("<I", 30))
    )
    rows, width = found.stored_size
    return start + rows * ((width * bits + 31) // 32 * 4) if packing == UNPACKED_BMP and head[14] >= 40 else 0


def _has_jpeg_end(content: bytes) -> bool:
    """By its segments and scans: cameras add data behind the end, and thumbnails have ends of their own."""
    place = 2
    while place + 4 <= len(content) and content[place] == 0xFF:
        marker = content[place + 1]
        if marker == JPEG_END:
            return True
        place += 1 if marker == 0xFF else 2 + struct.unpack_from(">H", content, place + 2)[0]
        if marker == JPEG_SCAN:
            following = MARKER.search(content, place)
            place = following.start() if following else len(content)
    return content[place : place + 2] == JPEG_ENDING
