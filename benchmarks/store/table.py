"""A CSV file of a run as rows of an array, a field for each column: a tenth of what pandas takes for a file of this size."""

import csv
import io
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.void]

WORDS = ("path", "split", "defect_type", "defective")
"""Columns that hold no number."""


def read_table(text: str, wanted: Callable[[str], bool] = lambda name: True) -> Table:
    """The rows of a table with a line of names above; its numbers are exactly those that were written.

    Args:
        wanted: which columns are read.

    Raises:
        ValueError, csv.Error: it is no such table; the message says where.
    """
    text = text.removeprefix("\ufeff")
    file = io.StringIO(text)
    names = next(csv.reader(file), [])
    if not any(names):
        raise ValueError("it has no columns")
    places = [place for place, name in enumerate(names) if wanted(name)]
    types: list[tuple[str, Any]] = [(names[place], object if names[place] in WORDS else float) for place in places]
    if not places or not text[file.tell() :].strip():
        return np.empty(0, types)
    some = places if len(places) < len(names) else None  # all of them: a row must not have more
    return np.loadtxt(file, types, comments=None, delimiter=",", quotechar='"', usecols=some, ndmin=1, encoding=None)
