"""What a benchmark is: where the samples of a cell come from, and how a method is measured on them (`conf/benchmark`)."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from omegaconf import DictConfig

from benchmarks.store.record import Result

if TYPE_CHECKING:
    from benchmarks.run.state import CellState


class Benchmark(Protocol):
    """One option of `conf/benchmark`. What `read` returns is the benchmark's own affair; the runner only hands it on."""

    modules: Sequence[str]
    """The modules of the project that its numbers pass through between files and record; a change in one makes its runs stale."""

    def read(self, config: DictConfig, make: bool = True) -> Any:
        """The category that the configuration names.

        Args:
            make: draw or download what is not there.

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

    def validate(self, config: DictConfig, category: Any) -> None:
        """Refuse what cannot be run. Opens no test image and writes nothing.

        Raises:
            UserError: a setting that is out of its range, or that this machine or these data do not allow.
        """
        ...

    def measure(self, config: DictConfig, category: Any, folder: Path, state: "CellState") -> Result:
        """Fit, score, decide. `folder` takes `scores.csv` as soon as there are scores, and what else is made; `state` keeps what a
        run that is interrupted resumes from.

        Its columns are path, split (validation or test), defect_type, defective, and the scores of each held-out and test sample.
        """
        ...
