"""Answered requests: found again in the same words, lost when anything behind them changes."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.store import lookup
from benchmarks.store.lookup import Lookup
from benchmarks.store.runs import RunStore
from tests.store.test_runs import RECORD

WORDS = ("method=ae_l2", "category=bottle", "seed=0", "budget=smoke")


def note(results: Path) -> None:
    lookup = Lookup(results)
    lookup.keep(lookup.asked(WORDS, [results.parent / "data"]), RECORD)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A finished run, whose only data file is `image.png`."""
    store = RunStore(tmp_path / "results")
    with store.claim(RECORD.cell), store.writing(RECORD.cell) as folder:
        (folder / "run.json").write_text(RECORD.to_json())
    (tmp_path / "data" / "train").mkdir(parents=True)
    (tmp_path / "data" / "train" / "image.png").write_bytes(b"pixels")
    note(tmp_path / "results")
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
    note(results)
    assert Lookup(results).answer(WORDS) == RECORD
    (image.parent / "another.png").touch()
    assert Lookup(results).answer(WORDS) is None


def test_files_behind_a_link_are_watched_and_a_link_back_ends(results: Path) -> None:
    elsewhere = results.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "image.png").write_bytes(b"pixels")
    (results.parent / "data" / "linked").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(results.parent / "data")
    note(results)
    assert Lookup(results).answer(WORDS) == RECORD
    (elsewhere / "another.png").touch()
    assert Lookup(results).answer(WORDS) is None


def test_what_changes_while_a_cell_runs_is_not_taken_for_what_it_was_made_from(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for changed in ("files", "code"):
        lookup = Lookup(results)
        request = lookup.asked(WORDS, [results.parent / "data"])
        if changed == "files":
            (results.parent / "data" / "another.png").touch()
        else:
            monkeypatch.setattr("benchmarks.store.lookup.project_stamp", lambda: "edited")
        lookup.keep(request, RECORD)
        assert Lookup(results).answer(WORDS) is None


def test_a_copy_of_the_folder_is_judged_by_its_own_runs(results: Path) -> None:
    other = results.parent / "other"
    shutil.copytree(results, other, copy_function=shutil.copy2)
    note(other)
    shutil.rmtree(RunStore(other).folder(RECORD.cell))
    assert Lookup(other).answered(WORDS) is None and Lookup(results).answered(WORDS) == RECORD.cell


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


@pytest.mark.parametrize("kept", ["maps/bad/000.tiff", "fold=1/method.ckpt", "epochs/5/scores.csv"])
def test_a_run_whose_kept_files_were_removed_is_no_answer(results: Path, kept: str) -> None:
    path = RunStore(results).folder(RECORD.cell) / kept
    path.parent.mkdir(parents=True)
    path.touch()
    lookup = Lookup(results)
    lookup.keep(lookup.asked(WORDS, []), RECORD, ["maps", "method.ckpt", "inspector", "epochs/5"])
    assert Lookup(results).answer(WORDS) == RECORD
    path.unlink()
    if kept.startswith("maps"):
        path.parent.rmdir()  # the folder itself stays, empty
    assert Lookup(results).answer(WORDS) is None
