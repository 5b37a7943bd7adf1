"""What a run decided, image by image: `scores.csv` read against the record's threshold. Needs no torch."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.common.errors import UserError
from benchmarks.store.record import Record
from benchmarks.store.runs import SCORES, RunStore


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
    area = record.result.minimum_area
    column = "score" if area is None else f"score_{area:g}"
    try:
        # digits as written, which not every pandas reads exactly: a score may equal the threshold
        table = pd.read_csv(path, usecols=["path", "split", "defective", column], dtype={column: str})
        scores = table[column].to_numpy(dtype=float)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}). {remedy}") from error
    test = table[table["split"] == "test"]
    defective = test["defective"].to_numpy(dtype=bool)
    right = (scores[test.index] > record.result.threshold) == defective
    found = (int(right[~defective].sum()), int(right[defective].sum()))
    recorded = tuple(share.correct if share else 0 for share in (record.result.good, record.result.defective))
    if found != recorded:
        raise UserError(
            f"{path} gives {found} good and defective images classified correctly, its record {recorded}. {remedy}"
        )
    return Decisions(test["path"].to_numpy(dtype=str), defective, right)
