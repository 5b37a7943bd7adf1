"""The store: whole folders or none, nothing finished lost, nothing foreign believed."""

import json
import multiprocessing
import os
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.common.errors import UserError
from benchmarks.protocol.decision import Share
from benchmarks.protocol.image_metrics import ImageMetrics
from benchmarks.protocol.pixel_metrics import PixelMetrics
from benchmarks.store.progress import in_progress
from benchmarks.store.record import Cell, Record, Result, read_record
from benchmarks.store.runs import RunStore
from tests.report.stores import write_store

CELL = Cell("ae_l2", "bottle", 0)
RESULT = Result(
    threshold=0.5,
    minimum_area=0.001,
    minimum_area_px=66,
    map_size=(256, 256),
    validation_images=21,
    good=Share.of(19, 20),
    defective=Share.of(30, 63),
    image=ImageMetrics(auroc=0.8, average_precision=0.9, f1_max=0.85),
    image_of_maximum=ImageMetrics(auroc=0.7, average_precision=0.8, f1_max=0.8),
    false_alarms_per_good_image=0.1,
    pixel=PixelMetrics(0.9, 0.4, region_overlap=0.5, iou=0.3, aupro=0.7, aupro_limit=0.3, regions=68),
    has_masks=True,
    fit_seconds=12.5,
    ms_per_image=4.0,
    peak_memory_mib=900.0,
    peak_gpu_memory_mib=None,
    facts={"unaligned_scored": 1},
)
RECORD = Record(
    method="ae_l2",
    category="bottle",
    kind="object",
    seed=0,
    dataset="mvtec_ad",
    budget="short",
    status="finished",
    identity={"config": {"seed": 0}, "train_data": "a", "code": "b", "versions": {}},
    test_data="c",
    revision="abc",
    device="cpu",
    visible_gpus="",
    threads=1,
    started="2026-11-24T00:00:00+00:00",
    seconds=20.0,
    overrides=("method=ae_l2", "seed=0"),
    result=RESULT,
)


def put(store: RunStore, record: Record) -> Path:
    with store.claim(record.cell), store.writing(record.cell) as folder:
        (folder / "run.json").write_text(record.to_json())
    return store.folder(record.cell)


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(RECORD.to_json())
    assert read_record(tmp_path / "run.json") == RECORD


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: json.dumps(json.loads(text) | {"schema": 99}),
        lambda text: json.dumps(json.loads(text) | {"result": None}),
        lambda text: json.dumps({key: value for key, value in json.loads(text).items() if key != "method"}),
        lambda text: text.replace('"threshold"', '"treshold"'),
    ],
    ids=["cut off", "foreign", "newer version", "no result", "no method", "no threshold"],
)
def test_what_is_not_a_record_is_refused_by_name(tmp_path: Path, damage: object) -> None:
    (tmp_path / "run.json").write_text(damage(RECORD.to_json()))  # type: ignore[operator]
    with pytest.raises(UserError, match=r"run\.json"):
        read_record(tmp_path / "run.json")


def test_a_run_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    with pytest.raises(OSError, match="disk full"), store.claim(CELL), store.writing(CELL) as folder:
        (folder / "config.yaml").write_text("half of it")
        raise OSError("disk full")
    assert store.find(CELL) is None
    assert [path.name for path in store.folder(CELL).parent.iterdir()] == [".seed=0.lock"]
    assert put(store, RECORD) == tmp_path / "runs" / "ae_l2" / "bottle" / "seed=0"
    assert store.records() == [RECORD]


def test_a_replaced_finished_run_is_kept_aside_a_failed_one_is_not(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    put(store, replace(RECORD, status="failed", result=None, error="out of memory"))
    put(store, RECORD)
    assert not store.replaced.exists()
    put(store, replace(RECORD, budget="smoke"))
    assert [read_record(path) for path in store.replaced.rglob("run.json")] == [RECORD]
    assert [record.budget for record in store.records()] == ["smoke"]


def hold(results: Path, held: object, done: object) -> None:
    with RunStore(results).claim(CELL), RunStore(results).writing(CELL):
        held.set()  # type: ignore[attr-defined]
        done.wait()  # type: ignore[attr-defined]


def test_a_killed_process_frees_its_cell_and_leaves_no_run(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    held, done = context.Event(), context.Event()
    process = context.Process(target=hold, args=(tmp_path, held, done))
    process.start()
    assert held.wait(60)
    store = RunStore(tmp_path)
    with pytest.raises(UserError, match="being run by another process"), store.claim(CELL):
        pass
    process.kill()
    process.join()
    assert store.find(CELL) is None
    put(store, RECORD)
    assert sorted(path.name for path in store.folder(CELL).parent.iterdir()) == [".seed=0.lock", "seed=0"]


@pytest.mark.parametrize("name", ["run.json", "scores.csv"])
def test_a_pipe_in_a_store_is_not_waited_for(tmp_path: Path, name: str) -> None:
    store = RunStore(write_store(tmp_path, (0,), ("ae_l2",), ("bottle", "grid")))
    path = store.folder(Cell("ae_l2", "bottle", 0)) / name
    path.unlink()
    os.mkfifo(path)
    (left_out,) = store.contents().unreadable
    assert str(path) in left_out.reason and "it is not a file" in left_out.reason
    assert [record.category for record in store.records()] == ["grid"]


@pytest.mark.parametrize(
    "state", ['{"identity": 5}', '{"identity": {"config": 5}}', '{"identity": {}, "epoch": "x"}', "[]"]
)
def test_a_state_that_cannot_be_read_is_none(tmp_path: Path, state: str) -> None:
    for name in (".seed=0.state", ".seed=q.state"):
        (tmp_path / "m" / "c" / name).mkdir(parents=True)
        (tmp_path / "m" / "c" / name / "state.json").write_text(state)
    (tmp_path / "m" / "c" / ".seed=q.state" / "state.json").write_text('{"identity": {}}')
    assert list(in_progress(tmp_path)) == []
