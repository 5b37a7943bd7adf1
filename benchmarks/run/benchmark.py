"""What a benchmark is: where the samples of a cell come from, and how a method is measured on them (`conf/benchmark`)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
from omegaconf import DictConfig

from benchmarks.store.record import Result


class Benchmark(Protocol):
    """One option of `conf/benchmark`. What `read` returns is the benchmark's own affair; the runner only hands it on."""

    def read(self, config: DictConfig) -> Any:
        """The category that the configuration names.

        Raises:
            UserError: data that are absent or cannot be used.
        """
        ...

    def files(self, config: DictConfig, category: Any) -> Sequence[Path]:
        """The files and folders that the samples come from: as long as none has changed, neither have the samples."""
        ...

    def survey(self, config: DictConfig, category: Any) -> Sequence[str]:
        """Check the samples before anything is fitted; what is left out of them is the warnings that go into the record.

        Raises:
            UserError: something in them would falsify a number.
        """
        ...

    def train_fingerprint(self, config: DictConfig, category: Any) -> str:
        """What methods are fitted to, as a hash of its content."""
        ...

    def test_fingerprint(self, config: DictConfig, category: Any) -> str:
        """What they are tested on, as a hash of its content."""
        ...

    def measure(self, config: DictConfig, category: Any, folder: Path) -> tuple[Result, pd.DataFrame]:
        """Fit, score, decide: the result and the scores of all held-out and test samples. `folder` takes what else is made."""
        ...
