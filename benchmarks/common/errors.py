"""Errors that the user can fix, shown as one message."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """An input that cannot be used. The message names the file or value and the remedy; it is shown without a traceback."""


class UnusableData(UserError):
    """Data that are there and were read, and cannot be used. A cell that meets them has failed and keeps a record of it; a request
    that cannot be run at all leaves nothing."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that lists the known names nearest to a misspelt one, or all of them where none is near."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return f"Known: {', '.join(known)}." if known else ""
