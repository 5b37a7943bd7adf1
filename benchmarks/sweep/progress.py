"""How a sweep stands while it runs: done, running, failed, waiting, and the time that is left."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType

from rich.live import Live
from rich.text import Text

from benchmarks.common.console import PlainConsole
from benchmarks.sweep.outcomes import FAILED, Outcome, Outcomes, begun
from benchmarks.sweep.plan import QueuedCell

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5


@dataclass(frozen=True)
class SweepProgress:
    """Numbers of jobs, and seconds left (None as long as nothing is known to go by)."""

    done: int
    failed: int
    running: int
    waiting: int
    seconds_left: float | None

    def __str__(self) -> str:
        jobs = self.done + self.running + self.waiting
        parts = [f"{self.done} of {jobs} done", *([f"{self.failed} failed"] if self.failed else [])]
        parts += [f"{self.running} running", f"{self.waiting} waiting"]
        if self.running + self.waiting:
            left = self.seconds_left
            parts.append("time left not known yet" if left is None else f"about {timedelta(seconds=round(left))} left")
        return ", ".join(parts)


def sweep_progress(
    jobs: Sequence[QueuedCell], started: set[int], ended: Mapping[int, Outcome], parallel: int
) -> SweepProgress:
    """How a sweep stands.

    Args:
        started, ended: numbers of jobs.
        parallel: the largest number of jobs that were seen running at once.
    """
    left = [job for number, job in enumerate(jobs) if number not in ended]
    running = len(started - set(ended))
    failed = sum(outcome.status in FAILED for outcome in ended.values())
    seconds = _seconds_of(left, jobs, ended)
    return SweepProgress(
        done=len(ended),
        failed=failed,
        running=running,
        waiting=len(left) - running,
        seconds_left=None if seconds is None else seconds / max(1, min(parallel, len(left))),
    )


def _seconds_of(left: Sequence[QueuedCell], jobs: Sequence[QueuedCell], ended: Mapping[int, Outcome]) -> float | None:
    """Expected times of the jobs that are left, scaled by how those that have ended did; else the mean of those."""
    took = [
        (jobs[number].expected_seconds, outcome.seconds)
        for number, outcome in ended.items()
        if outcome.status == "finished"  # one that fails at once says nothing of the others
    ]
    known = [(expected, seconds) for expected, seconds in took if expected]
    scale = sum(seconds for _, seconds in known) / sum(expected for expected, _ in known) if known else 1.0
    mean = sum(seconds for _, seconds in took) / len(took) if took else None
    total = 0.0
    for job in left:
        seconds = mean if job.expected_seconds is None else job.expected_seconds * scale
        if seconds is None:
            return None
        total += seconds
    return total


class ProgressDisplay:
    """Shows the standing of a sweep: on a terminal one line that changes, in a pipe or file a line for each job that ends.

    Args:
        ended: the jobs that have told how they ended.
        alone: the jobs run in this process and show their own lines and bars, which a changing line would tear apart.
    """

    def __init__(self, jobs: Sequence[QueuedCell], ended: Outcomes, alone: bool) -> None:
        self.jobs, self.folder, self.alone = jobs, ended.folder, alone
        self._ended = Outcomes(ended.folder)  # of its own: this runs in another thread
        self._told: set[int] = set()
        self._parallel = 1
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "ProgressDisplay":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        console = PlainConsole(stderr=True)
        if self.alone or not console.is_terminal:
            self._follow(log.info, lambda now, news: log.info("sweep: %s", now) if news else None)
            return
        with Live(console=console, refresh_per_second=4, transient=True) as live:
            self._follow(
                lambda line: live.console.print(line),
                lambda now, news: live.update(Text(now)),
            )

    def _follow(self, tell: Callable[[str], None], show: Callable[[str, bool], None]) -> None:
        over = False
        while not over:
            over = self._over.wait(POLL_SECONDS)
            started, ended = set(begun(self.folder)), self._ended.now()
            self._parallel = max(self._parallel, len(started - set(ended)))
            news = sorted(set(ended) - self._told)
            self._told |= set(ended)
            for number in [] if self.alone else news:
                tell(ended[number].words)
            show(str(sweep_progress(self.jobs, started, ended, self._parallel)), bool(news))
