"""Errors that the user can fix, shown as one message."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """An input that cannot be used. The message names the file or value and the remedy; it is shown without a traceback."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that lists the known names nearest to a misspelt one, or all of them where none is near."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return f"Known: {', '.join(known)}." if known else ""
