"""Errors that the user can fix, shown as one message."""

import difflib
import errno
import tempfile
from collections.abc import Iterable


class UserError(Exception):
    """An input that cannot be used. The message names the file or value and the remedy; it is shown without a traceback."""


class UnusableData(UserError):
    """Data that are there and were read, and cannot be used. A cell that meets them has failed and keeps a record of it; a request
    that cannot be run at all leaves nothing."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that lists the known names nearest to a misspelt one, or all of them where none is near."""
    known = sorted(set(known))
    same = [one for one in known if one.casefold() == name.casefold()]
    near = same or difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return f"Known: {', '.join(known)}." if known else ""


def refusal(error: BaseException) -> str:
    """What the machine would not do, in a sentence with the place or the remedy; empty for all other errors."""
    if _is_out_of_memory(error):
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        return (
            f"out of memory ({reason}). Take fewer images at once (method.predict_batch_size, method.train.batch_size) or smaller "
            "ones (method.inputs.<kind>.px), run fewer cells side by side, or take a machine with more memory."
        )
    if not isinstance(error, OSError):
        return ""
    full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    disks = f" where results.dir, data.cache_dir or the temporary files are (TMPDIR, now {tempfile.gettempdir()})"
    place = f" ({error.filename})" if error.filename else disks if full else ""
    return f"{error.strerror or error}{place}."


def _is_out_of_memory(error: BaseException) -> bool:
    """Of Python, NumPy and torch, which tells of its CPU allocator by words alone."""
    words = ("can't allocate memory", "not enough memory", "Cannot allocate memory", "bad allocation", "std::bad_alloc")
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, (RuntimeError, OSError)) and any(text in str(error) for text in words))
    )
