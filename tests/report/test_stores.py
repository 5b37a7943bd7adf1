"""The store that other tests read is what a sweep would have left."""

from pathlib import Path

import pandas as pd
import pytest

from benchmarks.protocol.decision import classified_correctly
from benchmarks.protocol.image_metrics import image_metrics
from benchmarks.protocol.thresholds import maximum_threshold
from benchmarks.store.runs import RunStore
from tests.report.stores import FAILED, MISSING, write_store


def test_records_fit_their_scores_and_nothing_hangs_on_the_clock(tmp_path: Path) -> None:
    store = RunStore(write_store(tmp_path / "a", seeds=[0], categories=["bottle", "carpet", "screw", "zipper"]))
    write_store(tmp_path / "b", seeds=[0], categories=["bottle", "carpet", "screw", "zipper"])
    records = store.records()
    assert [record.cell.method for record in records if record.status == "failed"] == [FAILED[0]]
    assert MISSING not in {(record.method, record.category) for record in records} and len(records) == 19
    for record in records:
        if record.result is None:
            continue
        folder = store.folder(record.cell)
        again = tmp_path / "b" / folder.relative_to(tmp_path / "a")
        assert all((again / file.name).read_bytes() == file.read_bytes() for file in folder.glob("*.*"))
        parts = dict(list(pd.read_csv(folder / "scores.csv").groupby("split")))
        test, limit = parts["test"], maximum_threshold(parts["validation"]["score_0.001"].to_numpy())
        scores, defective = test["score_0.001"].to_numpy(), test["defective"].to_numpy()
        assert limit == pytest.approx(record.result.threshold)
        assert classified_correctly(scores, defective, limit) == (record.result.good, record.result.defective)
        metrics = image_metrics(scores, defective)
        assert metrics is not None and record.result.image is not None
        assert vars(metrics) == pytest.approx(vars(record.result.image))
