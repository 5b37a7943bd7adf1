"""What a machine refuses is told with its remedy: memory, disks, files."""

import errno
import resource
import tempfile
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.common.errors import refusal


def bytes_of_python() -> None:
    bytearray(2**62)


def array_of_numpy() -> None:
    np.empty(2**58)


def tensor_of_torch() -> None:
    torch.empty(2**58)


@pytest.mark.parametrize("allocate", [bytes_of_python, array_of_numpy, tensor_of_torch])
def test_memory_that_is_not_there(allocate: Callable[[], None]) -> None:
    with pytest.raises((MemoryError, RuntimeError)) as raised:
        allocate()
    told = refusal(raised.value)
    assert told.startswith("out of memory (") and "method.predict_batch_size" in told and "\n" not in told


def test_a_limit_on_memory_is_told_as_memory(tmp_path: Path) -> None:
    """As `ulimit -v` and batch systems set it."""

    def fill() -> None:
        in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (in_use + 2**28, in_use + 2**28))
        try:
            torch.ones(2**28)
        except Exception as error:
            (tmp_path / "told").write_text(refusal(error))

    process = get_context("fork").Process(target=fill)
    process.start()
    process.join(60)
    assert (tmp_path / "told").read_text().startswith("out of memory (")


def test_a_file_that_grows_beyond_what_the_disk_takes_names_the_places(tmp_path: Path) -> None:
    told = refusal(OSError(errno.ENOSPC, "No space left on device"))
    assert "results.dir" in told and f"TMPDIR, now {tempfile.gettempdir()}" in told
    assert refusal(PermissionError(errno.EROFS, "Read-only file system", "a/b")) == "Read-only file system (a/b)."


def test_other_errors_are_nobodys_refusal() -> None:
    assert refusal(ValueError("not enough memory of names")) == "" and refusal(RuntimeError("shapes differ")) == ""
