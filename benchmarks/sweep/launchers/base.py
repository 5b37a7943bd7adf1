"""What a launcher is."""

from abc import abstractmethod
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from hydra.plugins.launcher import Launcher

from benchmarks.sweep.job import Job, run_job

KILLED = "its process was killed: out of memory, or by hand"


@dataclass(frozen=True)
class Lost:
    """A job that could not tell how it ended."""

    reason: str
    its_own_fault: bool = True
    """False: its machine went away, or was taken away. It deserves another try."""
    log: Path | None = None
    """What the process printed."""


Ends = Generator[tuple[Job, Lost | None], None, None]
"""Jobs as they end, in any order; None: the job itself has told how, in the folder of the sweep."""


class CellLauncher(Launcher):
    """One option of `conf/hydra/launcher`; its settings are the keyword arguments."""

    side_by_side = True
    """Whether jobs run in other processes, several at once."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self.task: Callable[[Job], None] = run_job
        """What is done with a job, in whatever process; it can be pickled."""

    def setup(self, **hydra: Any) -> None:
        """Hydra's plugins need this; a job carries all it needs."""

    @abstractmethod
    def ends(self, jobs: Sequence[Job]) -> Ends:
        """Run jobs, in their order as far as places are free. Closing the iterator stops what still runs.

        Raises:
            UserError: none of them can be run, such as on a cluster that is not there.
        """

    def leave(self, ask: bool) -> None:
        """The sweep was stopped, and what was shown of it has gone from the screen: see to jobs that do not end with this process.

        Args:
            ask: somebody is there who could be asked; the sweep was stopped by Ctrl-C.
        """

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> NoReturn:
        """Hydra's own way to run jobs, which would have each of them composed anew."""
        raise NotImplementedError("CellSweeper calls `ends`")
