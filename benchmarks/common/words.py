"""Names and messages as a terminal may show them."""

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """A text whose control characters are written out: a file's name must not steer the terminal it is listed on."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found.group()):02x}", text)
