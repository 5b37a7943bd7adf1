"""Answered requests: found again in the same words, lost when anything behind them changes."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.store import lookup
from benchmarks.store.lookup import Lookup
from benchmarks.store.runs import RunStore
from tests.store.test_runs import RECORD

WORDS = ("method=ae_l2", "category=bottle", "seed=0", "budget=smoke")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A finished run, whose only data file is `image.png`."""
    store = RunStore(tmp_path / "results")
    with store.claim(RECORD.cell), store.writing(RECORD.cell) as folder:
        (folder / "run.json").write_text(RECORD.to_json())
    (tmp_path / "data" / "train").mkdir(parents=True)
    (tmp_path / "data" / "train" / "image.png").write_bytes(b"pixels")
    Lookup(tmp_path / "results").keep(WORDS, RECORD, [tmp_path / "data"])
    return tmp_path / "results"


def test_the_same_words_in_any_order_are_answered(results: Path) -> None:
    assert Lookup(results).answer(WORDS) == RECORD
    assert Lookup(results).answer([*reversed(WORDS), "progress=false", "hydra/launcher=cpu_pool"]) == RECORD


@pytest.mark.parametrize("other", [["seed=1"], ["method.model.latent=10"], []])
def test_other_words_are_not(results: Path, other: list[str]) -> None:
    words = [*WORDS, *other] if other else WORDS[:-1]
    assert Lookup(results).answer(words) is None


def test_a_changed_added_or_removed_file_takes_the_answer_back(results: Path) -> None:
    image = results.parent / "data" / "train" / "image.png"
    before = image.stat()
    image.write_bytes(b"pixelz")
    os.utime(image, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert Lookup(results).answer(WORDS) is None
    image.write_bytes(b"pixelz")
    os.utime(image, ns=(before.st_atime_ns, before.st_mtime_ns))  # of the same size and time: the time of change tells
    assert Lookup(results).answer(WORDS) is None
    Lookup(results).keep(WORDS, RECORD, [image.parent.parent])
    assert Lookup(results).answer(WORDS) == RECORD
    (image.parent / "another.png").touch()
    assert Lookup(results).answer(WORDS) is None


def test_changed_code_or_settings_take_the_answer_back(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "project_stamp", lambda: "another")
    assert Lookup(results).answer(WORDS) is None


def test_another_run_in_its_place_takes_the_answer_back(results: Path) -> None:
    later = replace(RECORD, started="2031-01-01T00:00:00+00:00")
    (RunStore(results).folder(RECORD.cell) / "run.json").write_text(later.to_json())
    assert Lookup(results).answer(WORDS) is None


def test_a_damaged_answer_is_none(results: Path) -> None:
    for file in (results / "requests").iterdir():
        file.write_text("{")
    assert Lookup(results).answer(WORDS) is None
