"""Machines that lack something: a home, a place for caches."""

import os
import tempfile
from pathlib import Path

import pytest

from benchmarks.common import machine

CACHES = ("NUMBA_CACHE_DIR", "MPLCONFIGDIR")


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in CACHES:
        monkeypatch.setenv(name, "x")  # so that it is put back
        monkeypatch.delenv(name)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(tempfile, "mkdtemp", lambda prefix: str(tmp_path / f"{prefix}another"))
    return tmp_path


def test_without_a_home_and_a_checkout_that_can_be_written_caches_are_ones_own(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os, "access", lambda *_: False)
    machine.find_place_for_caches()
    for name in CACHES:
        folder = Path(os.environ[name])
        assert folder.parent == places and folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_others_can_write_to_is_not_trusted(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    foreign = places / f"defectbench-numba-{os.getuid()}"
    foreign.mkdir()
    foreign.chmod(0o777)
    machine.find_place_for_caches()
    assert os.environ["NUMBA_CACHE_DIR"] == str(places / "defectbench-numba-another")


def test_a_home_is_left_to_the_libraries_and_what_is_set_stays(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(places))
    machine.find_place_for_caches()
    assert not set(CACHES) & set(os.environ)
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setenv("NUMBA_CACHE_DIR", "mine")
    machine.find_place_for_caches()
    assert os.environ["NUMBA_CACHE_DIR"] == "mine"
