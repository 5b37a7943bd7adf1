"""hydra/launcher=slurm: one SLURM job array, by submitit; a cell is a job of it.

What became of a job is asked from the queue, which every cluster has, not from the accounting, which some have not. A job that is
neither queued nor running nor has told how it ended is lost; nothing waits for it.
"""

import logging
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from benchmarks.common.errors import UserError
from benchmarks.common.files import write_text
from benchmarks.common.logs import configure_logging
from benchmarks.common.words import number_of
from benchmarks.sweep.job import Job
from benchmarks.sweep.launchers.base import CellLauncher, Ends, Lost
from benchmarks.sweep.queued import LOGS, Queued, cancel, final_state, in_words, queue

if TYPE_CHECKING:
    import submitit

log = logging.getLogger(__name__)

EXTRA = 'submitit is not installed: pip install -c constraints.txt -e ".[cpu,slurm]"'
SECONDS_BETWEEN = 5
GRACE = 30
"""Seconds that a file may take to be seen here, after its job has left the queue."""
GENERIC = ("timeout_min", "cpus_per_task", "gpus_per_node", "mem_gb", "nodes", "stderr_to_stdout")
MORE_TIME = "give more by hydra.launcher.timeout_min; the same command goes on where it was"
HOPELESS = ("PartitionConfig", "PartitionNodeLimit", "PartitionTimeLimit", "BadConstraints")
"""Reasons for which a job never starts: clusters without EnforcePartLimits take those."""
TOO_LARGE = Lost(
    "SLURM never starts it, as it asks for more than any node of the partition has: see hydra.launcher.cpus_per_task, mem_gb, "
    "gpus_per_node and timeout_min"
)
LOSSES = {
    "OUT_OF_MEMORY": Lost("out of memory: give more by hydra.launcher.mem_gb"),
    "TIMEOUT": Lost(f"time limit: {MORE_TIME}"),
    "DEADLINE": Lost(f"time limit: {MORE_TIME}"),
    "CANCELLED": Lost("cancelled"),
    "NODE_FAIL": Lost("node failure", its_own_fault=False),
    "BOOT_FAIL": Lost("node failure", its_own_fault=False),
    "PREEMPTED": Lost("pre-empted", its_own_fault=False),
}


class Slurm(CellLauncher):
    """Settings: those of `submitit.AutoExecutor.update_parameters`, SLURM's own without their prefix, and two of ours.

    `max_num_timeout`: how often a cell goes back into the queue when its time is up. `when_stopped`: what becomes of the jobs when
    the sweep is stopped: ask, cancel or leave.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._followed: dict[str, Followed] = {}
        self._kept: Queued | None = None

    def ends(self, jobs: Sequence[Job]) -> Ends:
        with ExitStack() as held:
            joined = Queued.of_earlier_sweeps(jobs, held)
            self._followed = {number: Followed(job, folder / LOGS, number) for number, (job, folder) in joined.items()}
            if joined:
                log.info("sweep: %d cells are in SLURM's queue since an earlier command, and joined", len(joined))
            numbers = {job.number for job, _ in joined.values()}
            self._followed |= self._submitted([job for job in jobs if job.number not in numbers])
            yield from follow(self._followed, queue)
        self._forget()

    def leave(self, ask: bool) -> None:
        states = queue()
        left = self._followed.keys() & (self._followed if states is None else states).keys()
        arrays = " ".join(sorted({number.partition("_")[0] for number in left}))
        if not left:
            self._forget()
            return
        wish = self.settings.get("when_stopped", "ask")
        ask = ask and wish == "ask" and sys.stdin.isatty()
        if wish == "cancel" or (ask and _is_wanted(f"In SLURM's queue: {number_of(len(left), 'job')}. Cancel?")):
            cancel(*left)
            self._forget()
            log.warning("sweep: %s cancelled", number_of(len(left), "SLURM job"))
        else:
            log.warning(
                "sweep: %s left in SLURM's queue. The same command joins what is queued; `scancel %s` cancels it.",
                number_of(len(left), "job"),
                arrays,
            )

    def _forget(self) -> None:
        self._followed = {}
        if self._kept is not None:
            self._kept.forget()

    def _submitted(self, jobs: Sequence[Job]) -> "dict[str, Followed]":
        if not jobs:
            return {}
        executor = self._executor(jobs[0].folder / LOGS)
        task = SlurmTask(self.task, self.settings.get("max_num_timeout", 0))
        try:
            submitted = executor.map_array(task, list(jobs))
        except (FileNotFoundError, subprocess.CalledProcessError, RuntimeError) as error:
            raise UserError(f"SLURM took no job: {_last_line(error)}") from error
        ids = {entry.job_id: job for entry, job in zip(submitted, jobs, strict=True)}
        self._kept = Queued.keep(jobs[0].folder, ids)
        array = submitted[0].job_id.partition("_")[0]
        log.info("sweep: SLURM job %s; `scancel %s` cancels it", array, array)
        return {number: Followed(job, job.folder / LOGS, number) for number, job in ids.items()}

    def _executor(self, folder: Path) -> "submitit.AutoExecutor":
        try:
            import submitit
        except ImportError:
            raise UserError(EXTRA) from None
        given = {name: value for name, value in self.settings.items() if value is not None}
        for name in ("max_num_timeout", "when_stopped"):  # ours
            given.pop(name, None)
        try:
            executor = submitit.AutoExecutor(folder, cluster="slurm")
            executor.update_parameters(
                name="defectbench",
                **{name if name in GENERIC else f"slurm_{name}": value for name, value in given.items()},
            )
        except RuntimeError as error:
            raise UserError(f"There is no SLURM here: {error} Run the command on a login node.") from error
        except (NameError, TypeError, ValueError) as error:
            raise UserError(f"hydra.launcher: {error}") from error
        return executor


def _is_wanted(question: str) -> bool:
    try:
        return click.confirm(question, err=True)
    except (click.Abort, KeyboardInterrupt):
        return False


class TimeIsUp(SystemExit):
    """Ends a cell so that it keeps its state."""


@dataclass(frozen=True)
class SlurmTask:
    """A cell as a SLURM job: told that its time is up, it keeps its state and goes back into the queue."""

    task: Callable[[Job], None]
    most: int
    """How often."""

    def __call__(self, job: Job) -> None:
        configure_logging()
        signal.signal(signal.SIGUSR2, _time_is_up)
        number = _own_number()
        _run("scontrol", "update", f"JobId={number}", f"Comment={job.cell}")
        try:
            self.task(job)
        except TimeIsUp:
            times = job.folder / str(job.number) / "times_up.txt"
            count = int(times.read_text()) if times.exists() else 0
            if count >= self.most:
                raise UserError(f"time limit, {count + 1} times: {MORE_TIME}") from None
            write_text(times, str(count + 1))
            subprocess.run(["scontrol", "requeue", number], check=True)
            raise


def _own_number() -> str:
    """Of this job alone: the number of an array's last job stands for the whole array, too."""
    if "SLURM_ARRAY_JOB_ID" in os.environ:
        return f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    return os.environ["SLURM_JOB_ID"]


def _time_is_up(signum: int, frame: FrameType | None) -> None:
    raise TimeIsUp(128 + signum)


@dataclass(frozen=True)
class Followed:
    """A job that SLURM has."""

    job: Job
    logs: Path
    number: str

    @property
    def has_ended(self) -> bool:
        """Whether the process that ran it has written down its end."""
        return self._result.exists()

    def end(self) -> Lost | None:
        """What it wrote down."""
        outcome, words = pickle.loads(self._result.read_bytes())
        return None if outcome == "success" else Lost(_last_line(words).partition(": ")[2], log=self.log)

    def loss(self) -> Lost:
        """What SLURM says of it."""
        state = final_state(self.number)
        found = LOSSES.get(state, Lost(f"killed or out of memory (SLURM says {state or 'nothing'})"))
        return Lost(found.reason, found.its_own_fault, self.log)

    @property
    def log(self) -> Path:
        return self.logs / f"{self.number}_0_log.err"

    @property
    def _result(self) -> Path:
        return self.logs / f"{self.number}_0_result.pkl"


def follow(
    followed: Mapping[str, Followed],
    queued: Callable[[], Mapping[str, tuple[str, str]] | None],
    pause: Callable[[float], None] = time.sleep,
) -> Ends:
    """Jobs as they end.

    Args:
        followed: by SLURM's ids.
        queued: state and reason of each job that is queued or running; None if SLURM does not answer.
        pause: between two looks.
    """
    open_, gone_since, told = dict(followed), dict[str, float](), ""
    while open_:
        states = queued()
        for number in list(open_):
            state, reason = (states or {}).get(number, ("", ""))
            if open_[number].has_ended and state in {"", "PENDING"}:  # else it is about to leave the queue
                if state:  # a controller that died before it noted the end queues the job again
                    cancel(number)
                yield open_[number].job, open_[number].end()
            elif reason in HOPELESS:
                cancel(number)
                yield open_[number].job, TOO_LARGE
            elif _is_gone(number, states, gone_since):
                yield open_[number].job, open_[number].loss()
            else:
                continue
            del open_[number]
        words = in_words(states, open_)
        if words != told:
            log.info("sweep: %s", words)
            told = words
        if open_:
            pause(SECONDS_BETWEEN)


def _is_gone(number: str, states: Mapping[str, tuple[str, str]] | None, gone_since: dict[str, float]) -> bool:
    """Whether SLURM has had a job no more for so long that a file of its end would be here."""
    if states is None:
        return False
    if number in states:
        gone_since.pop(number, None)  # back in the queue
        return False
    return time.monotonic() - gone_since.setdefault(number, time.monotonic()) >= GRACE


def _run(*command: str) -> None:
    subprocess.run(command, check=False, capture_output=True)


def _last_line(error: Any) -> str:
    said = getattr(error, "stderr", None) or str(error)
    return (said.decode() if isinstance(said, bytes) else said).strip().splitlines()[-1]
