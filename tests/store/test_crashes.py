"""A process that dies between any two steps of the store, or to which any step fails: no run is lost, and the next one goes on."""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.common.files import write_text
from benchmarks.store.record import Record, read_record
from benchmarks.store.runs import RunStore
from tests.store.test_runs import CELL, RECORD

NEW = replace(RECORD, started="2027-01-01T00:00:00+00:00")
FAILED = replace(RECORD, status="failed", result=None, error="out of memory")
STEPS = ("fsync", "rename", "replace", "mkdir", "rmdir", "unlink", "open", "write")
"""Of `os`: what the store calls by itself or through pathlib, tempfile and shutil. Files are also opened and written by `io`, in C;
an `open` before and an `fsync` after stand for these."""


def attempt(results: Path, record: Record) -> None:
    """What a run does to the store, its computing left out."""
    store = RunStore(results)
    with store.claim(CELL), store.writing(CELL) as folder:
        if record.status == "failed":
            (folder / "error.txt").write_text(record.error)
        write_text(folder / "run.json", record.to_json())


@contextmanager
def interrupted(step: int, end: Callable[[], None]) -> Iterator[list[int]]:
    """Call `end` instead of the n-th step."""
    counted = [0]
    originals = {name: getattr(os, name) for name in STEPS}

    def counting(original: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            counted[0] += 1
            if counted[0] == step:
                end()
            return original(*args, **kwargs)

        return call

    for name, original in originals.items():
        setattr(os, name, counting(original))
    try:
        yield counted
    finally:
        for name, original in originals.items():
            setattr(os, name, original)


def die(results: Path, record: Record, step: int) -> bool:
    """Let a copy of this process die at the n-th step; False if it ended before."""
    child = os.fork()
    if child == 0:
        try:
            with interrupted(step, lambda: os._exit(9)):
                attempt(results, record)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def fail(results: Path, record: Record, step: int) -> bool:
    """Let the n-th step fail as on a full disk; False if there are fewer."""

    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with interrupted(step, full) as counted, suppress(OSError):
        attempt(results, record)
    return counted[0] >= step


def finished(results: Path) -> set[str]:
    """When the finished runs started that a store holds anywhere, whole."""
    found = [read_record(path) for path in results.rglob("run.json")]
    return {record.started for record in found if record.result is not None}


@pytest.mark.parametrize(
    ("record", "trouble"),
    [(NEW, die), (NEW, fail), (FAILED, die)],
    ids=["finished, killed", "finished, full disk", "failed, killed"],
)
def test_at_every_step_both_runs_or_the_old_one_are_there_and_the_next_goes_on(
    tmp_path: Path, record: Record, trouble: Callable[[Path, Record, int], bool]
) -> None:
    attempt(tmp_path / "start", RECORD)
    step = 1
    while True:
        results = shutil.copytree(tmp_path / "start", tmp_path / str(step))
        troubled = trouble(results, record, step)
        assert RECORD.started in finished(results), step
        last = replace(NEW, started=f"2028-01-{step % 28 + 1:02}")
        attempt(results, last)
        assert RunStore(results).records() == [last], step
        assert {RECORD.started, last.started} <= finished(results), step
        left = [path.name for path in RunStore(results).folder(CELL).parent.iterdir()]
        assert sorted(left) == [".seed=0.lock", "seed=0"], (step, left)
        if not troubled:
            break
        step += 1
    assert (
        step > 10
    )  # the folder, the record and its renaming, setting aside, the renaming of the folder, and all flushings


def test_a_run_that_was_whole_when_its_process_died_is_given_its_place(tmp_path: Path) -> None:
    """Between its last file and its renaming."""
    store = RunStore(tmp_path)
    with store.claim(CELL):
        left_over = store.folder(CELL).with_name(".seed=0.tmp-abc")
        left_over.mkdir()
        write_text(left_over / "run.json", RECORD.to_json())
    with store.claim(CELL):
        assert store.find(CELL) == RECORD


def test_scores_of_a_process_that_died_before_its_record_are_kept(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    with store.claim(CELL):
        left_over = store.folder(CELL).with_name(".seed=0.tmp-abc")
        left_over.mkdir()
        (left_over / "scores.csv").write_text("measured")
    with store.claim(CELL):
        assert (store.folder(CELL) / "scores.csv").read_text() == "measured"
        assert "before its record" in (store.folder(CELL) / "error.txt").read_text()
    attempt(tmp_path, RECORD)
    (kept,) = store.replaced.rglob("scores.csv")
    assert kept.read_text() == "measured" and store.records() == [RECORD]
