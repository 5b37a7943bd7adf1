"""Files that a reader never sees half of, that outlive a power cut, and that stay where they belong."""

import errno
import os
import shutil
import tempfile
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.common.errors import UserError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary sibling to write to; it takes the name `path` when the block ends well and is removed when it does not.

    Raises:
        OSError: names `path`, whichever of the two the system refused.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    prefix, temporary = f".{path.name}.", None
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=prefix)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        temporary.chmod(0o644)  # mkstemp makes files that others cannot read
        flush(temporary)
        temporary.replace(path)
        flush(path.parent)
    except OSError as error:
        if error.filename and Path(os.fsdecode(error.filename)).name.startswith(prefix):
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file at once or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_texts(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    """Write text files, by their names, into a folder; returns their paths."""
    for name, text in texts.items():
        write_text(folder / name, text)
    return [folder / name for name in texts]


def move_folder(source: Path, target: Path) -> None:
    """Rename a folder, its content on the disk before its name: after a power cut it is whole, under one of the two names."""
    for folder, _, files in os.walk(source):
        for name in files:
            flush(Path(folder, name))
        flush(Path(folder))
    target.parent.mkdir(parents=True, exist_ok=True)
    source.rename(target)
    flush(target.parent)
    if source.parent != target.parent:
        flush(source.parent)


def replace_folder(source: Path, target: Path) -> None:
    """Copy a folder to a name; what has the name now keeps it until the copy is whole and on the disk."""
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    new, old = temporary / "new", temporary / "old"
    try:
        shutil.copytree(source, temporary / "copy")
        move_folder(temporary / "copy", new)
        if target.exists():
            target.rename(old)
        new.rename(target)
        flush(target.parent)
    finally:
        if old.exists() and not target.exists():
            old.rename(target)
        shutil.rmtree(temporary, ignore_errors=True)


def read_file(path: Path) -> bytes:
    """The content of a file. A named pipe, which would be waited for, is none.

    Raises:
        OSError: it is not there, is something else, or cannot be read.
    """
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is not a file", str(path))
    return path.read_bytes()


def flush(path: Path) -> None:
    """Wait until a file, or the list of names in a folder, is on the disk."""
    if path.is_symlink() or not (path.is_file() or path.is_dir()):
        return  # a pipe would be waited for
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # some network file systems cannot flush a folder
            raise
    finally:
        os.close(handle)


def plain_name(what: str, name: object) -> str:
    """A name that becomes part of a path: one folder or file, never a way out of the one it belongs to.

    Raises:
        UserError: it is no text, or holds a separator or control character, or is `.` or `..`; `what` says whose name it is.
    """
    if not isinstance(name, str) or not name.strip():
        raise UserError(f"{what} is {name!r}: it must be a name.")
    separators = {"/", "\\"} & set(name)
    if separators or name in {".", ".."} or any(unicodedata.category(letter) == "Cc" for letter in name):
        raise UserError(
            f"{what} is {name!r}: a name becomes a folder, so it holds no / or \\ and no control character, and is not . or .."
        )
    return name
