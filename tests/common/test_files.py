"""Files appear whole and flushed, or not at all; names stay in their folder."""

import os
from pathlib import Path

import pytest

from benchmarks.common.errors import UserError
from benchmarks.common.files import move_folder, plain_name, write_text


def test_a_file_and_its_folder_are_flushed_around_the_renaming(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def flushed(handle: int) -> None:
        done.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        fsync(handle)

    def replaced(path: Path, target: Path) -> Path:
        done.append("renamed")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(Path, "replace", replaced)
    write_text(tmp_path / "a.json", "{}")
    assert [Path(name).name.split(".json")[0] for name in done] == [".a", "renamed", tmp_path.name]


def test_a_folder_is_flushed_to_its_last_file_before_it_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "new" / "logs").mkdir(parents=True)
    (tmp_path / "new" / "logs" / "metrics.csv").write_text("1")
    done: list[str] = []
    fsync = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda handle: (done.append(str(Path(f"/proc/self/fd/{handle}").readlink())), fsync(handle))[1]
    )
    move_folder(tmp_path / "new", tmp_path / "place" / "run")
    assert (tmp_path / "place" / "run" / "logs" / "metrics.csv").read_text() == "1"
    names = [str(Path(name).relative_to(tmp_path)) for name in done]
    assert names == ["new", "new/logs/metrics.csv", "new/logs", "place", "."]


@pytest.mark.parametrize("name", ["grid", "12", "1e3", "[a] b, c=d", "Käse", ".hidden", "..a", "a..b"])
def test_any_name_without_a_separator_is_one(name: str) -> None:
    assert plain_name("category.name", name) == name


@pytest.mark.parametrize("name", ["../x", "a/b", "..", ".", "/etc", "a\\b", "", "  ", "a\0b", "a\nb", None, 3])
def test_what_leaves_its_folder_is_refused(name: object) -> None:
    with pytest.raises(UserError, match=r"category\.name is"):
        plain_name("category.name", name)
