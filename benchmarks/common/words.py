"""Names and messages as a terminal may show them."""

import re

_UNSHOWABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\udc80-\udcff]")
"""Control characters, and bytes of a name that are no UTF-8, as Python reads them from the file system."""


def printable(text: str) -> str:
    """A text with control characters and bytes that are no UTF-8 written out: a file's name must not steer the terminal it is
    listed on, and no record could hold such bytes."""
    return _UNSHOWABLE.sub(lambda found: f"\\x{ord(found.group()) & 0xFF:02x}", text)
