"""The folders of a store's cells, `<root>/<method>/<category>/<name>`: 100,000 of them are listed in a second."""

import os
from collections.abc import Iterator
from pathlib import Path


def cell_folders(root: Path, prefix: str) -> Iterator[Path]:
    """Folders whose name begins like this, in their order. Others may come and go meanwhile."""
    for method in _folders(root):
        for category in _folders(f"{root}/{method}"):
            names = _folders(f"{root}/{method}/{category}", prefix)
            yield from map((root / method / category).joinpath, names)


def _folders(path: str | Path, prefix: str = "") -> list[str]:
    """Names of the folders in a folder; their kinds come with the list, so that none is asked for its own."""
    try:
        with os.scandir(path) as found:
            return sorted(entry.name for entry in found if entry.name.startswith(prefix) and entry.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []
