"""More numbers than memory should hold, sorted part by part: the first parts stay in memory, the others wait on the disk."""

import tempfile
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

PART = 1 << 24  # numbers, 64 MiB
IN_MEMORY = 2  # parts, besides the one that is being filled and the one that is being read


class SortedParts:
    """32-bit numbers, gathered in any order. After `sort` one iterates over ascending arrays that hold them all together."""

    def __init__(self) -> None:
        self._parts: list[NDArray[np.float32]] = []
        self._file: BinaryIO | None = None
        self._filling = np.empty(PART, np.float32)  # takes memory only as it is filled
        self._filled = self._on_disk = 0

    def __len__(self) -> int:
        return (len(self._parts) + self._on_disk) * PART + self._filled

    def add(self, values_N: NDArray[np.float32]) -> None:
        while len(values_N):
            fitting_N, values_N = np.split(values_N, [PART - self._filled])
            self._filling[self._filled : self._filled + len(fitting_N)] = fitting_N
            self._filled += len(fitting_N)
            if self._filled == PART:
                self._put_away()

    def sort(self, device: str = "cpu") -> None:
        """Sort every part; "cuda" does it on the GPU, to the same values. Nothing can be added then."""
        for part_N in [*self._parts, self._filling[: self._filled]]:
            _sort_in_place(part_N, device)
        for index, part_N in enumerate(self._from_disk()):
            _sort_in_place(part_N, device)
            self._write(index, part_N)

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        yield from self._parts
        yield from self._from_disk()
        if self._filled:
            yield self._filling[: self._filled]

    def _put_away(self) -> None:
        if len(self._parts) < IN_MEMORY:
            self._parts.append(self._filling)
            self._filling = np.empty(PART, np.float32)
        else:
            self._write(self._on_disk, self._filling)
            self._on_disk += 1
        self._filled = 0

    def _write(self, index: int, part_N: NDArray[np.float32]) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as this object
        self._file.seek(index * part_N.nbytes)
        self._file.write(part_N.data)

    def _from_disk(self) -> Iterator[NDArray[np.float32]]:
        part_N = np.empty(PART if self._on_disk else 0, np.float32)
        for index in range(self._on_disk):
            assert self._file is not None
            self._file.seek(index * part_N.nbytes)
            self._file.readinto(part_N.data)  # type: ignore[attr-defined]
            yield part_N


def _sort_in_place(values_N: NDArray[np.float32], device: str) -> None:
    if device != "cuda":
        values_N.sort()
        return
    import torch

    values = torch.from_numpy(values_N)
    try:
        values.copy_(values.to(device).sort().values)
    except torch.cuda.OutOfMemoryError:  # it takes five times the values' size
        values_N.sort()
