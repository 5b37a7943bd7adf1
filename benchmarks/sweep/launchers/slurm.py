"""hydra/launcher=slurm: one SLURM job array, by submitit; a cell is a job of it.

What became of a job is asked from the queue, which every cluster has, not from the accounting, which some have not. A job that is
neither queued nor running nor has told how it ended is lost; nothing waits for it.
"""

import logging
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.common.errors import UserError
from benchmarks.sweep.job import Job
from benchmarks.sweep.launchers.base import CellLauncher, Ends, Lost

if TYPE_CHECKING:
    import submitit

log = logging.getLogger(__name__)

EXTRA = 'submitit is not installed: pip install -c constraints.txt -e ".[cpu,slurm]"'
LOGS = "slurm"
"""Folder of the jobs' output, below that of the sweep."""
SECONDS_BETWEEN = 5
GRACE = 30
"""Seconds that a file may take to be seen here, after its job has left the queue."""
GENERIC = ("timeout_min", "cpus_per_task", "gpus_per_node", "mem_gb", "nodes", "stderr_to_stdout")
LOSSES = {
    "OUT_OF_MEMORY": Lost("out of memory: give more by hydra.launcher.mem_gb"),
    "TIMEOUT": Lost("time limit: give more by hydra.launcher.timeout_min"),
    "DEADLINE": Lost("time limit: give more by hydra.launcher.timeout_min"),
    "CANCELLED": Lost("cancelled"),
    "NODE_FAIL": Lost("node failure", its_own_fault=False),
    "BOOT_FAIL": Lost("node failure", its_own_fault=False),
    "PREEMPTED": Lost("pre-empted", its_own_fault=False),
}


class Slurm(CellLauncher):
    """Settings: those of `submitit.AutoExecutor.update_parameters`, SLURM's own without their prefix."""

    def ends(self, jobs: Sequence[Job]) -> Ends:
        executor = self._executor(jobs[0].folder / LOGS)
        try:
            submitted = executor.map_array(self.task, list(jobs))
        except (FileNotFoundError, subprocess.CalledProcessError, RuntimeError) as error:
            raise UserError(f"SLURM took no job: {_last_line(error)}") from error
        ids = {entry.job_id: job for entry, job in zip(submitted, jobs, strict=True)}
        array = submitted[0].job_id.partition("_")[0]
        log.info("sweep: SLURM job %s; `scancel %s` stops it", array, array)
        ended = False
        try:
            yield from follow(ids, {entry.job_id: entry for entry in submitted}, lambda: queue(array))
            ended = True
        finally:
            if not ended:
                subprocess.run(["scancel", array], check=False)

    def _executor(self, folder: Path) -> "submitit.AutoExecutor":
        try:
            import submitit
        except ImportError:
            raise UserError(EXTRA) from None
        given = {name: value for name, value in self.settings.items() if value is not None}
        try:
            executor = submitit.AutoExecutor(
                folder, cluster="slurm", slurm_max_num_timeout=given.pop("max_num_timeout", 0)
            )
        except RuntimeError as error:
            raise UserError(f"There is no SLURM here: {error} Give the command on a login node.") from error
        executor.update_parameters(
            name="defectbench", **{name if name in GENERIC else f"slurm_{name}": value for name, value in given.items()}
        )
        return executor


def follow(
    jobs: Mapping[str, Job],
    entries: Mapping[str, "submitit.Job[None]"],
    queued: Callable[[], Mapping[str, tuple[str, str]]],
    pause: Callable[[float], None] = time.sleep,
) -> Ends:
    """Jobs as they end.

    Args:
        jobs, entries: by SLURM's ids.
        queued: state and reason of each job that is queued or running.
        pause: between two looks.
    """
    open_, gone_since, told = dict(jobs), dict[str, float](), ""
    while open_:
        states = queued()
        for number in [number for number in open_ if number not in states]:
            lost = _end(entries[number])
            waited = time.monotonic() - gone_since.setdefault(number, time.monotonic())
            if lost is UNKNOWN and waited < GRACE:
                continue
            yield open_.pop(number), _loss(number, entries[number]) if lost is UNKNOWN else lost
        words = _in_words(states)
        if words != told:
            log.info("sweep: %s", words)
            told = words
        if open_:
            pause(SECONDS_BETWEEN)


UNKNOWN = Lost("unknown")


def _end(entry: "submitit.Job[None]") -> Lost | None:
    """What the process that ran the job wrote down."""
    if not entry.paths.result_pickle.exists():
        return UNKNOWN
    error = entry.exception()
    return None if error is None else Lost(_last_line(error), log=entry.paths.stderr)


def _loss(number: str, entry: "submitit.Job[None]") -> Lost:
    state = final_state(number)
    found = LOSSES.get(state, Lost(f"killed or out of memory (SLURM says {state or 'nothing'})"))
    return Lost(found.reason, found.its_own_fault, entry.paths.stderr)


def queue(array: str) -> dict[str, tuple[str, str]]:
    """State and reason of the jobs of an array that are queued or running, by their ids."""
    said = _run("squeue", "--noheader", "--array", "--jobs", array, "--format", "%i|%T|%r")
    rows = [line.strip().split("|") for line in said.splitlines() if line.count("|") == 2]
    return {number: (state, reason) for number, state, reason in rows if state not in LOSSES and state != "COMPLETED"}


def final_state(number: str) -> str:
    """Of a job that has left the queue: from the accounting, else from the controller, which remembers some minutes."""
    for line in _run(
        "sacct", "--noheader", "--parsable2", "--allocations", "--jobs", number, "--format", "State"
    ).splitlines():
        return line.split()[0]
    for word in _run("scontrol", "show", "job", number).split():
        if word.startswith("JobState="):
            return word.partition("=")[2]
    return ""


def _run(*command: str) -> str:
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        return ""  # no accounting, a job that is forgotten, a controller that is busy


def _in_words(states: Mapping[str, tuple[str, str]]) -> str:
    """`3 running, 2 pending (Resources)`."""
    counts = Counter(
        state.lower() if state != "PENDING" else f"pending ({reason})" for state, reason in states.values()
    )
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "no job in SLURM's queue"


def _last_line(error: Any) -> str:
    said = getattr(error, "stderr", None) or str(error)
    return (said.decode() if isinstance(said, bytes) else said).strip().splitlines()[-1]
