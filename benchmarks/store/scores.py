"""`scores.csv`: the names of its columns, and what a run decided, image by image; whether they fit its record. Needs no torch."""

import csv
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from math import isclose
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.errors import UserError
from benchmarks.common.files import read_file
from benchmarks.protocol.decision import Share, classified_correctly
from benchmarks.protocol.sample_decision import threshold_at
from benchmarks.protocol.thresholds import Rule
from benchmarks.store.record import OWN, SCORES, Record, Result
from benchmarks.store.table import WORDS, Table, read_table

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
    return OWN_SCORE if result.decided_by == OWN else _map_column(result)


def _map_column(result: Result) -> str:
    return SCORE if result.minimum_area is None else area_column(result.minimum_area)


@dataclass(frozen=True)
class Decisions:
    """The test images of one run, and whether each was classified correctly."""

    images_N: NDArray[np.str_]
    defective_N: NDArray[np.bool_]
    right_N: NDArray[np.bool_]


def hash_of_scores(content: bytes) -> str:
    """What `Record.scores_hash` holds."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def decisions(folder: Path, record: Record) -> Decisions:
    """Decisions of a finished run, whose folder this is.

    Raises:
        UserError: its `scores.csv` is absent, unreadable, or not the one that the record was made from.
    """
    assert record.result is not None
    table = _checked(folder / SCORES, record, record.result)
    test = of_split(table, "test")
    defective = is_defective(test)
    right = (test[deciding_column(record.result)] > record.result.deciding_threshold) == defective
    return Decisions(test["path"].astype(str), defective, right)


def check_scores(folder: Path, record: Record) -> None:
    """Whether a run's thresholds, counts and rankings follow from its scores. Older runs may have been stored without them.

    Raises:
        UserError: names the file and what does not fit.
    """
    path = folder / SCORES
    if record.result is not None and (record.scores_hash or path.exists()):
        _checked(path, record, record.result)


def of_split(table: Table, split: str) -> Table:
    """The rows of the validation images or of the test images."""
    rows: Table = table[table["split"] == split]
    return rows


def is_defective(table: Table) -> NDArray[np.bool_]:
    """Of each row, as it was written: True or False."""
    defective_N: NDArray[np.bool_] = table["defective"] == "True"
    return defective_N


def _checked(path: Path, record: Record, result: Result) -> Table:
    """The scores of a run, which fit its record."""
    try:
        content = read_file(path)
        if record.scores_hash and hash_of_scores(content) != record.scores_hash:
            raise ValueError("its checksum is not the one in run.json")
        table = _table(content.decode(), result)
        if not record.scores_hash:
            read_table(content.decode())  # columns that only some readers need
        _must_fit(table, record, result)
    except (OSError, ValueError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"{path} cannot be believed: {reason}. Run {record.cell} again with force=true.") from error
    return table


def _table(text: str, result: Result) -> Table:
    """The columns that are needed."""
    needed = {"path", "split", "defective", _map_column(result), deciding_column(result)}
    table = read_table(text, lambda name: name in {*needed, MAP_MAXIMUM, OWN_SCORE})
    names = table.dtype.names or ()
    if missing := needed.difference(names):
        raise ValueError(f"no column {', '.join(sorted(missing))}")
    if not {*table["defective"].tolist()} <= {"True", "False"}:
        raise ValueError("column defective is not True or False throughout")
    if not all(np.isfinite(table[name]).all() for name in names if name not in WORDS):
        raise ValueError("a score is not finite")
    return table


def _must_fit(table: Table, record: Record, result: Result) -> None:
    """Raises ValueError for the first number of the record that does not follow from the scores."""
    test, held_out = of_split(table, "test"), of_split(table, "validation")
    defective = is_defective(test)
    shares = classified_correctly(test[deciding_column(result)], defective, result.deciding_threshold)
    for side, found, stored in zip(("good", "defective"), shares, (result.good, result.defective), strict=True):
        if _counts(found) != _counts(stored):
            raise ValueError(
                f"it gives {_counts(found)} {side} images classified correctly, its run.json {_counts(stored)}"
            )
    rankings = {_map_column(result): result.image, MAP_MAXIMUM: result.image_of_maximum}
    limits = {_map_column(result): result.threshold}
    if result.own is not None:
        rankings[OWN_SCORE], limits[OWN_SCORE] = result.own.image, result.own.threshold
    for column, limit in limits.items():
        _must_equal(f"threshold of {column}", _threshold(record, result, held_out[column]), limit)
    for column, metrics in rankings.items():
        if metrics is not None and column in (table.dtype.names or ()):
            _must_equal(f"AUROC of {column}", _auroc(test[column], defective), metrics.auroc)


def _threshold(record: Record, result: Result, held_out_V: NDArray[np.float64]) -> float | None:
    """The threshold that follows from the held-out images; None if it was given."""
    if result.facts.get("threshold_from") == "given" or not len(held_out_V):
        return None
    protocol = record.identity["config"].get("protocol", {})
    rate = protocol.get("false_alarm_rate")
    return Rule.of_protocol(protocol).threshold(held_out_V) if rate is None else threshold_at(held_out_V, rate)


def _must_equal(what: str, found: float | None, stored: float) -> None:
    if found is not None and not isclose(found, stored, rel_tol=1e-6, abs_tol=1e-12):
        raise ValueError(f"it gives a {what} of {found:.6g}, its run.json {stored:.6g}")


def _auroc(scores_N: NDArray[np.float64], defective_N: NDArray[np.bool_]) -> float | None:
    """By counting pairs: scikit-learn takes a second to import."""
    good, bad = np.sort(scores_N[~defective_N]), scores_N[defective_N]
    below = np.searchsorted(good, bad, "left") + np.searchsorted(good, bad, "right")
    return float(below.sum() / (2 * len(good) * len(bad))) if len(good) and len(bad) else None


def _counts(share: Share | None) -> str:
    return f"{share.correct} of {share.total}" if share else "no"
