"""Jobs that take no time, for workers that import no torch."""

import os
import signal
import time
from pathlib import Path

from omegaconf import OmegaConf

from benchmarks.sweep.job import Job, enter_folder
from benchmarks.sweep.outcomes import Outcome, report_end


def jobs(folder: Path, killed: set[int], count: int = 5) -> list[Job]:
    """Jobs whose cell names those that are killed."""
    cell = " ".join(map(str, sorted(killed)))
    return [Job(OmegaConf.create(), number, cell, folder, folder, True) for number in range(count)]


def end_or_be_killed(job: Job) -> None:
    if str(job.number) in job.cell:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.1)
    report_end(job.folder, job.number, Outcome("finished", str(os.getpid()), 0.0))


def enter_and_end(job: Job) -> None:
    enter_folder(job)
    end_or_be_killed(job)


def sleep(job: Job) -> None:
    (job.folder / str(job.number)).write_text(str(os.getpid()))
    time.sleep(120)


def second_time_ends(job: Job) -> None:
    """The jobs that the cell names wait until they are run again, or until they are told to go on; the others end at once."""
    place = job.folder / str(job.number)
    place.mkdir(exist_ok=True)
    before = (place / "node").exists()
    (place / "pid").write_text(str(os.getpid()))
    (place / "node").write_text(os.environ.get("SLURMD_NODENAME", ""))
    while str(job.number) in job.cell and not before and not (place / "again").exists():
        time.sleep(0.1)
    report_end(job.folder, job.number, Outcome("finished", str(os.getpid()), 0.0))
