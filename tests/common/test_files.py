"""Files appear whole and flushed, or not at all; names stay in their folder."""

import errno
import os
from pathlib import Path

import pytest

from benchmarks.common.errors import UserError
from benchmarks.common.files import move_folder, plain_name, replace_folder, write_text


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


def test_a_folder_is_replaced_once_its_successor_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = tmp_path / "inspector", tmp_path / "new"
    for folder in (old, new):
        folder.mkdir()
        (folder / "weights").write_text(folder.name)
    replace_folder(new, old)
    assert (old / "weights").read_text() == "new" and sorted(path.name for path in tmp_path.iterdir()) == [
        "inspector",
        "new",
    ]

    def interrupted(source: Path, target: Path) -> None:
        raise KeyboardInterrupt

    for place in ("shutil.copytree", "move_folder"):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(f"benchmarks.common.files.{place}", interrupted)
            replace_folder(new, old)
        assert (old / "weights").read_text() == "new" and len(list(tmp_path.iterdir())) == 2

    rename = Path.rename

    def fails_for_the_new_one(source: Path, target: Path) -> Path:
        if source.name == "new" and target == old:
            raise OSError(28, "No space left on device")
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", fails_for_the_new_one)
    with pytest.raises(OSError, match="No space"):
        replace_folder(new, old)
    assert (old / "weights").read_text() == "new" and len(list(tmp_path.iterdir())) == 2


def test_a_refusal_names_the_file_that_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError) as refused:
        write_text(tmp_path / "folder", "text")
    assert refused.value.filename == str(tmp_path / "folder") and list(tmp_path.iterdir()) == [tmp_path / "folder"]

    def full(path: Path, *_: object, **__: object) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded", str(path))

    for step in ("write_text", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(Path, step, full)
            with pytest.raises(OSError) as failed:
                write_text(tmp_path / "a.json", "text")
        assert failed.value.filename == str(tmp_path / "a.json") and list(tmp_path.glob(".a*")) == []
    monkeypatch.setattr("tempfile.mkstemp", lambda dir, prefix: full(dir / f"{prefix}x"))
    with pytest.raises(OSError) as failed:
        write_text(tmp_path / "a.json", "text")
    assert failed.value.filename == str(tmp_path / "a.json")
