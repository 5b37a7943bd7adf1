"""Names and messages as a terminal may show them."""

import re
from collections.abc import Iterable

_UNSHOWABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\udc80-\udcff]")
"""Control characters, and bytes of a name that are no UTF-8, as Python reads them from the file system."""


def number_of(count: int, noun: str, plural: str = "") -> str:
    """A number and what is counted: `1 cell`, `2 cells`; `plural` where an s is not enough."""
    return f"{count} {noun}" if count == 1 else f"{count} {plural or noun + 's'}"


def in_plural(nouns: Iterable[str]) -> str:
    """`textures and objects`."""
    return " and ".join(f"{noun}s" for noun in nouns)


def printable(text: str) -> str:
    """A text with control characters and bytes that are no UTF-8 written out: a file's name must not steer the terminal it is
    listed on, and no record could hold such bytes."""
    return _UNSHOWABLE.sub(lambda found: f"\\x{ord(found.group()) & 0xFF:02x}", text)
