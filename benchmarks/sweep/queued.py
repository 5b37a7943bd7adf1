"""SLURM's queue, and the jobs in it that nobody follows: a sweep left them there, or died.

The folder of a sweep has them in `queued.json` for as long as it follows them. The same command later joins those still queued.
"""

import hashlib
import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from omegaconf import OmegaConf

from benchmarks.common.files import write_text
from benchmarks.sweep.folders import LOCK, sweep_folders
from benchmarks.sweep.job import Job

LOGS = "slurm"
"""Folder of the jobs' output, below that of the sweep."""
FILE = "queued.json"
OVER = ("COMPLETED", "FAILED", "TIMEOUT", "CANCELLED", "NODE_FAIL", "BOOT_FAIL", "OUT_OF_MEMORY", "DEADLINE")


@dataclass(frozen=True)
class Queued:
    """Jobs that a sweep gave to SLURM."""

    folder: Path
    """Of the sweep."""
    jobs: Mapping[str, tuple[int, str]]
    """By their ids: number in the sweep, and what tells whether it is wanted again."""

    def count(self) -> int:
        """How many are queued or running, as far as SLURM tells."""
        states = queue()
        return len(self.jobs) if states is None else len(states.keys() & self.jobs.keys())

    def forget(self) -> None:
        (self.folder / FILE).unlink(missing_ok=True)

    @classmethod
    def keep(cls, folder: Path, jobs: Mapping[str, Job]) -> "Queued":
        new = cls(folder, {number: (job.number, _key(job)) for number, job in jobs.items()})
        write_text(folder / FILE, json.dumps(new.jobs))
        return new

    @classmethod
    def read(cls, folder: Path) -> "Queued | None":
        with suppress(OSError, ValueError):
            found = json.loads((folder / FILE).read_text(encoding="utf-8"))
            return cls(folder, {number: (job, key) for number, (job, key) in found.items()}) if found else None
        return None

    @classmethod
    def of_earlier_sweeps(cls, jobs: Sequence[Job], held: ExitStack) -> dict[str, tuple[Job, Path]]:
        """Those of `jobs` that are queued or running already, by SLURM's ids, with the folders of their sweeps.

        They report there how they end; what the folder of the new sweep has of them leads there. Those folders are `held`, and
        removed when they are let go, unless other jobs of theirs are still queued.
        """
        states, wanted, found = queue() or {}, {_key(job): job for job in jobs}, {}
        for earlier in _left(jobs[0].folder.parent, held) if states else ():
            for number, (name, key) in earlier.jobs.items():
                if number in states and key in wanted:
                    job = wanted.pop(key)
                    place = earlier.folder / str(name)
                    place.mkdir(exist_ok=True)
                    (job.folder / str(job.number)).symlink_to(place)
                    found[number] = job, earlier.folder
        return found


def _left(sweeps: Path, held: ExitStack) -> Iterator[Queued]:
    for folder in sweep_folders(sweeps):
        if (earlier := Queued.read(folder)) is not None:
            with suppress(Timeout):
                held.enter_context(FileLock(folder / LOCK, timeout=0))
                held.callback(remove_if_over, earlier)
                yield earlier


def remove_if_over(sweep: Queued) -> bool:
    """Remove the folder of a sweep of whose jobs none is queued; whether that was so."""
    if sweep.count():
        return False
    shutil.rmtree(sweep.folder, ignore_errors=True)
    return True


def _key(job: Job) -> str:
    """Two jobs with the same key do the same."""
    config = {name: part for name, part in OmegaConf.to_container(job.config).items() if name != "hydra"}  # type: ignore[union-attr]
    return f"{job.cell} {hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode()).hexdigest()}"


def queue() -> dict[str, tuple[str, str]] | None:
    """State and reason of this user's jobs that are queued or running, by their ids; None if SLURM does not answer."""
    said = _asked("squeue", "--noheader", "--array", "--user", str(os.getuid()), "--format", "%i|%T|%r")
    if said is None:
        return None
    rows = [line.strip().split("|", 2) for line in said.splitlines() if line.count("|") >= 2]
    return {number: (state, reason) for number, state, reason in rows if state not in OVER}


def final_state(number: str) -> str:
    """Of a job that has left the queue: from the controller, which remembers some minutes, else from the accounting."""
    for word in (_asked("scontrol", "show", "job", number) or "").split():
        if word.startswith("JobState="):
            return word.partition("=")[2]
    said = _asked("sacct", "--noheader", "--parsable2", "--allocations", "--jobs", number, "--format", "State")
    return said.split()[0] if said and said.strip() else ""


def cancel(*numbers: str) -> None:
    _asked("scancel", *numbers)


def _asked(*command: str) -> str | None:
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        return None  # no accounting, a job that is forgotten, a controller that is busy


def in_words(states: Mapping[str, tuple[str, str]] | None, ours: Collection[str]) -> str:
    """`3 running, 2 pending (Resources)`."""
    if states is None:
        return "SLURM does not answer; asked again"
    counts = Counter(
        state.lower() if state != "PENDING" else f"pending ({reason})"
        for number, (state, reason) in states.items()
        if number in ours
    )
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "no job in SLURM's queue"
