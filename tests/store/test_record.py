"""A record is read by one check, forwards and backwards; what no run writes is refused by name."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.common.errors import UserError
from benchmarks.store.leaderboard import leaderboard
from benchmarks.store.record import MIGRATIONS, SCHEMA, Record, read_record
from tests.store.test_runs import RECORD, RESULT

STORED = sorted((Path(__file__).parent / "records").glob("*.json"))


def read(tmp_path: Path, text: str) -> Record:
    (tmp_path / "run.json").write_text(text)
    return read_record(tmp_path / "run.json")


def changed(place: str, value: Any) -> str:
    found = json.loads(RECORD.to_json())
    *path, last = place.split(".")
    node = found
    for part in path:
        node = node[part]
    node[last] = value
    return json.dumps(found)


# -- earlier versions -------------------------------------------------------------------------------------------------------------


def test_every_earlier_schema_has_a_migration_and_a_stored_record() -> None:
    assert set(MIGRATIONS) == set(range(1, SCHEMA))
    assert {json.loads(path.read_text())["schema"] for path in STORED} == set(MIGRATIONS)


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_a_record_of_an_earlier_version_is_read_and_makes_a_table(path: Path) -> None:
    before, record = json.loads(path.read_text()), read_record(path)
    assert record.schema == SCHEMA and record.result is not None
    assert record.result.threshold == before["result"]["threshold"]
    assert record.result.good is not None and record.result.good.correct == before["result"]["good"]["correct"]
    auroc = before["result"].get("image", {"auroc": before["result"].get("image_auroc")})["auroc"]
    assert record.result.image is not None and record.result.image.auroc == auroc
    (row,) = leaderboard([record]).to_dict("records")
    assert row["image_auroc"] == auroc
    assert np.isnan(row["image_f1_max"]) == ("image" not in before["result"])


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_what_is_written_back_is_read_as_the_same(path: Path, tmp_path: Path) -> None:
    record = read_record(path)
    assert read(tmp_path, record.to_json()).to_json() == record.to_json()


def test_the_content_of_weights_moves_to_the_setting_that_names_them(tmp_path: Path) -> None:
    config = {"method": {"model": {"weights": "w.pth"}}, "weights_content": "abc"}
    old = json.loads(RECORD.to_json()) | {"schema": 2, "identity": {"config": config, "code": "one hash"}}
    assert read(tmp_path, json.dumps(old)).identity["config"]["files"] == {"method.model.weights": "abc"}


# -- later versions ---------------------------------------------------------------------------------------------------------------


def test_unknown_keys_are_kept_at_every_depth(tmp_path: Path) -> None:
    later = json.loads(RECORD.to_json())
    later["mood"], later["result"]["energy_joules"], later["result"]["image"]["auprc"] = "good", 3.5, 0.7
    again = json.loads(replace(read(tmp_path, json.dumps(later)), budget="renamed").to_json())
    assert again == later | {"budget": "renamed"}


@pytest.mark.parametrize("place", ["result.image.f1_max", "result.pixel.aupro", "result.pixel", "result.fit_seconds"])
def test_a_missing_number_is_no_number(tmp_path: Path, place: str) -> None:
    found = json.loads(RECORD.to_json())
    *path, last = place.split(".")
    node = found
    for part in path:
        node = node[part]
    del node[last]
    record = read(tmp_path, json.dumps(found))
    assert len(leaderboard([record])) == 1
    assert json.loads(record.to_json())["result"].get("pixel") != {}


def test_seeds_of_which_one_lacks_a_metric_have_no_mean_of_it(tmp_path: Path) -> None:
    found = json.loads(RECORD.to_json())
    del found["result"]["image"]["auroc"]
    other = replace(RECORD, seed=1, identity=RECORD.identity | {"config": {"seed": 1}})
    (row,) = leaderboard([read(tmp_path, json.dumps(found)), other]).to_dict("records")
    assert np.isnan(row["image_auroc"]) and row["image_average_precision"] == 0.9 and pd.isna(row["image_aurocs"])


# -- what no run writes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("result.image.auroc", 1.5),
        ("result.image.auroc", "0.5"),
        ("result.image.auroc", float("nan")),
        ("result.image.auroc", True),
        ("result.pixel.aupro", -0.1),
        ("result.pixel.regions", -1),
        ("result.threshold", float("inf")),
        ("result.threshold", None),
        ("result.fit_seconds", "12"),
        ("result.good", {"correct": 21, "total": 20, "ratio": 1.05, "interval": [1, 1]}),
        ("result.good", {"correct": "19", "total": 20, "ratio": 0.95, "interval": [0.9, 1]}),
        ("result.good.ratio", 0.5),
        ("result.map_size", [256]),
        ("result.map_size", [256, "256"]),
        ("result.facts", {"score": float("nan")}),
        ("result.facts", {"score": [1]}),
        ("result.facts", []),
        ("seed", -1),
        ("seed", 0.5),
        ("seed", True),
        ("status", "great"),
        ("identity", []),
        ("identity", {}),
        ("overrides", "method=ae_l2"),
        ("method", "../../escape"),
        ("category", "a/b"),
        ("budget", "../../../escape"),
        ("dataset", ""),
        ("schema", "3"),
        ("schema", SCHEMA + 1),
        ("schema", 0),
    ],
)
def test_a_value_that_no_run_writes_is_refused_by_file_and_key(tmp_path: Path, place: str, value: object) -> None:
    with pytest.raises(UserError, match=r"run\.json is not a run's record: ") as error:
        read(tmp_path, changed(place, value))
    assert place.rpartition(".")[2] in str(error.value)


@pytest.mark.parametrize("text", ["", "[]", "null", "3", '{"schema": 3}', "\x00", '{"a":' * 100000, '{"seed": 1e999}'])
def test_a_file_that_is_no_record_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError, match=r"run\.json is not a run's record"):
        read(tmp_path, text)


def test_nothing_is_written_that_no_reader_takes() -> None:
    for facts in ({"confidence": float("nan")}, {"confidence": float("inf")}):
        with pytest.raises(ValueError, match=r"result\.facts\.confidence is (nan|inf)"):
            replace(RECORD, result=replace(RESULT, facts=facts)).to_json()
    with pytest.raises(ValueError, match="neither a number nor text"):
        replace(RECORD, result=replace(RESULT, facts={"model": object()})).to_json()  # type: ignore[dict-item]


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    facts: Any = {"count": np.int64(3), "mean": np.float32(0.5)}
    record = read(tmp_path, replace(RECORD, result=replace(RESULT, facts=facts)).to_json())
    assert record.result is not None and record.result.facts == {"count": 3, "mean": 0.5}
