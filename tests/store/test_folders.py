"""A store's folders are those that a glob finds, in the same order."""

import os
from pathlib import Path

import pytest

from benchmarks.store.folders import cell_folders


def test_folders_are_those_of_a_glob(tmp_path: Path) -> None:
    for name in (
        "b/x/seed=1",
        "b/x/seed=10",
        "b/x/seed=2",
        "a b/ä/seed=0",
        "a-/y/seed=0",
        "a/.seed=3.state",
        "B/x/other",
        ".c/z/seed=0",
    ):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "a" / "file").write_text("")
    (tmp_path / "b" / "x" / "seed=file").write_text("")
    (tmp_path / "b" / "x" / "seed=link").symlink_to(tmp_path / "b" / "x" / "seed=1")
    found = list(cell_folders(tmp_path, "seed="))
    assert found == sorted(path for path in tmp_path.glob("*/*/seed=*") if path.is_dir()) and len(found) == 7
    assert list(cell_folders(tmp_path / "nowhere", "seed=")) == []


def test_a_folder_that_goes_meanwhile_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a/x/seed=0", "b/x/seed=0"):
        (tmp_path / name).mkdir(parents=True)
    listed = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("/a/x"):
            (tmp_path / "a" / "x" / "seed=0").rmdir()
            (tmp_path / "a" / "x").rmdir()
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert list(cell_folders(tmp_path, "seed=")) == [tmp_path / "b" / "x" / "seed=0"]
