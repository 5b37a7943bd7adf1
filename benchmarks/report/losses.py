"""`logs/metrics.csv`: the mean losses of each epoch of a training."""

import csv
import io
from dataclasses import dataclass
from math import isfinite, nan
from statistics import fmean

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Losses:
    """One run's. NaN where an epoch has no finite value."""

    epoch_E: NDArray[np.float64]
    of: dict[str, NDArray[np.float64]]
    """Name of each loss, and its value in each epoch."""

    def __len__(self) -> int:
        return len(self.epoch_E)


def read_losses(text: str) -> Losses | None:
    """Losses by epoch; the logger may spread an epoch's values over several rows. None if there are none.

    Raises:
        ValueError, csv.Error: it is no table with a column `epoch`, or holds what is no number.
    """
    table = csv.DictReader(io.StringIO(text))
    if "epoch" not in (table.fieldnames or ()):
        raise ValueError("it has no column epoch")
    found: dict[str, dict[float, list[float]]] = {}
    epochs = set()
    for row in table:
        if not (epoch := row.pop("epoch")):
            continue
        epochs.add(float(epoch))
        for name, value in row.items():
            if value and name != "step" and name is not None and isfinite(float(value)):
                found.setdefault(name, {}).setdefault(float(epoch), []).append(float(value))
    order = sorted(epochs)
    return Losses(np.array(order), {name: _means(part, order) for name, part in found.items()}) if found else None


def _means(found: dict[float, list[float]], epochs: list[float]) -> NDArray[np.float64]:
    return np.array([fmean(found[epoch]) if epoch in found else nan for epoch in epochs])
