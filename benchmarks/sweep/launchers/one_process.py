"""hydra/launcher=one_process: cells one after the other, in this process."""

from collections.abc import Sequence

from benchmarks.sweep.job import Job
from benchmarks.sweep.launchers.base import CellLauncher, Ends


class OneProcess(CellLauncher):
    """The default: nothing is copied, nothing is started. A cell that the system kills takes the sweep with it."""

    side_by_side = False

    def ends(self, jobs: Sequence[Job]) -> Ends:
        for job in jobs:
            self.task(job)
            yield job, None
