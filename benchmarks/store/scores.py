"""`scores.csv`: the names of its columns, and what a run decided, image by image. Needs no torch."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.common.errors import UserError
from benchmarks.store.record import OWN, Record, Result
from benchmarks.store.runs import SCORES, RunStore

SCORE = "score"  # of a sample without a map
OWN_SCORE = "score_own"  # of a method that scores images beside its map
MAP_MAXIMUM = "map_maximum"
_AREA = "score_"


def area_column(share: float) -> str:
    """The column of `score_A` for an area, as a share of the image."""
    return f"{_AREA}{share:g}"


def area_columns(columns: Iterable[str]) -> dict[float, str]:
    """The areas that a table has scores for, as shares of the image, and their columns."""
    return {float(name.removeprefix(_AREA)): name for name in columns if name.startswith(_AREA) and name != OWN_SCORE}


def deciding_column(result: Result) -> str:
    """The column of the score that images were classified by."""
    if result.decided_by == OWN:
        return OWN_SCORE
    return SCORE if result.minimum_area is None else area_column(result.minimum_area)


@dataclass(frozen=True)
class Decisions:
    """The test images of one run, and whether each was classified correctly."""

    images_N: NDArray[np.str_]
    defective_N: NDArray[np.bool_]
    right_N: NDArray[np.bool_]


def decisions(store: RunStore, record: Record) -> Decisions:
    """Decisions of a finished run.

    Raises:
        UserError: its `scores.csv` is absent, unreadable, or not the one that the record was made from.
    """
    assert record.result is not None
    path = store.folder(record.cell) / SCORES
    remedy = f"Run {record.cell} again, with force=true."
    column = deciding_column(record.result)
    try:
        # digits as written, which not every pandas reads exactly: a score may equal the threshold
        table = pd.read_csv(path, usecols=["path", "split", "defective", column], dtype={column: str})
        scores = table[column].to_numpy(dtype=float)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}). {remedy}") from error
    test = table[table["split"] == "test"]
    defective = test["defective"].to_numpy(dtype=bool)
    right = (scores[test.index] > record.result.deciding_threshold) == defective
    found = (int(right[~defective].sum()), int(right[defective].sum()))
    recorded = tuple(share.correct if share else 0 for share in (record.result.good, record.result.defective))
    if found != recorded:
        raise UserError(
            f"{path} gives {found} good and defective images classified correctly, its record {recorded}. {remedy}"
        )
    return Decisions(test["path"].to_numpy(dtype=str), defective, right)
