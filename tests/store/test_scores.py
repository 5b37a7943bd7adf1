"""Decisions read back from scores.csv are those of the record, or are refused."""

from pathlib import Path

import pytest

from benchmarks.common.errors import UserError
from benchmarks.store.record import Cell
from benchmarks.store.runs import RunStore
from benchmarks.store.scores import decisions
from tests.report.stores import write_store

CELL = Cell("ae_l2", "bottle", 0)


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(write_store(tmp_path, seeds=[0], methods=["ae_l2"], categories=["bottle"]))


def test_decisions_are_those_of_the_record(store: RunStore) -> None:
    record = store.find(CELL)
    assert record is not None and record.result is not None and record.result.good is not None
    found = decisions(store.where(record), record)
    assert len(found.images_N) == 83 and found.images_N[0] == "test/good/000.png"
    assert found.right_N[~found.defective_N].sum() == record.result.good.correct


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: "", "no columns"),
        (lambda text: text.replace("score_0.001", "score_0.5"), "no column score_0.001"),
        (
            lambda text: text.replace("test/good/000.png,test,good,False", "test/good/000.png,test,good,True"),
            "its run.json",
        ),
    ],
    ids=["empty", "other areas", "other labels"],
)
def test_scores_that_do_not_fit_the_record_are_refused(store: RunStore, damage: object, message: str) -> None:
    path, record = store.folder(CELL) / "scores.csv", store.find(CELL)
    assert record is not None
    path.write_text(damage(path.read_text()))  # type: ignore[operator]
    with pytest.raises(UserError, match=rf"scores\.csv.*{message}"):
        decisions(store.where(record), record)
