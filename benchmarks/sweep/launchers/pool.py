"""hydra/launcher=cpu_pool: several cells side by side on this machine, in worker processes that are used again.

Not concurrent.futures nor joblib: there one worker that is killed breaks the pool, and the cells beside it are lost.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext, SpawnProcess

from benchmarks.common.errors import UserError
from benchmarks.common.pool import available_cores
from benchmarks.sweep.job import Job
from benchmarks.sweep.launchers.base import KILLED, CellLauncher, Ends, Lost

Task = Callable[[Job], None]

SECONDS_TO_STOP = 6
"""What a worker gets to save the state of its cell."""


class CpuPool(CellLauncher):
    """Settings: `n_jobs`, the number of cells at once; -1 for one on each core."""

    def ends(self, jobs: Sequence[Job]) -> Ends:
        waiting, idle = deque(jobs), [_Worker(self.task) for _ in range(min(self._places(), len(jobs)))]
        busy: dict[Connection, _Worker] = {}
        try:
            while waiting or busy:
                while waiting and idle:
                    worker = idle.pop()
                    worker.begin(waiting.popleft())
                    busy[worker.pipe] = worker
                ready = wait(list(busy))
                for pipe in [pipe for pipe in busy if pipe in ready]:
                    worker = busy.pop(pipe)
                    job, lost = worker.end()
                    idle.append(_Worker(self.task) if worker.is_dead else worker)
                    yield job, lost
        finally:
            _stop([*idle, *busy.values()])

    def _places(self) -> int:
        n_jobs = self.settings.get("n_jobs", -1)
        if not isinstance(n_jobs, int) or n_jobs < -1 or n_jobs == 0:
            raise UserError(f"hydra.launcher.n_jobs={n_jobs}: a number of cells at once, or -1 for one on each core.")
        return n_jobs if n_jobs > 0 else available_cores()


class _Worker:
    """A process that takes one job after the other; it is started with the first."""

    _context: SpawnContext = multiprocessing.get_context("spawn")

    def __init__(self, task: Task) -> None:
        self.task = task
        self.pipe, self._far_end = self._context.Pipe()
        self.process: SpawnProcess | None = None
        self.job: Job | None = None
        self.is_dead = False

    def begin(self, job: Job) -> None:
        self.job = job
        if self.process is None:
            self.process = self._context.Process(target=_work, args=(self._far_end, self.task), daemon=True)
            self.process.start()
            self._far_end.close()  # else its death would not show
        self.pipe.send(job)

    def end(self) -> tuple[Job, Lost | None]:
        assert self.job is not None and self.process is not None
        try:
            reason = self.pipe.recv()
            return self.job, Lost(reason) if reason else None
        except (EOFError, OSError):
            self.is_dead = True
            self.process.join()
            return self.job, Lost(_death(self.process.exitcode or 0))

    def tell_to_stop(self) -> None:
        self.pipe.close()
        if self.process is not None and self.process.is_alive():
            self.process.terminate()

    def stop(self, seconds: float) -> None:
        if self.process is not None:
            self.process.join(seconds)
            self.process.kill()


def _stop(workers: Sequence[_Worker]) -> None:
    deadline = time.monotonic() + SECONDS_TO_STOP
    for worker in workers:
        worker.tell_to_stop()
    for worker in workers:
        worker.stop(max(0.0, deadline - time.monotonic()))


def _death(exit_code: int) -> str:
    if exit_code == -signal.SIGKILL:
        return KILLED
    return (
        f"its process ended by {signal.Signals(-exit_code).name}"
        if exit_code < 0
        else f"its process exited {exit_code}"
    )


def _work(pipe: Connection, task: Task) -> None:
    """A worker's life."""
    from benchmarks.common.logs import configure_logging

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal; the parent decides
    signal.signal(signal.SIGTERM, _exit)
    threading.Thread(target=_follow_parent, daemon=True).start()
    configure_logging(silent=True)
    while True:
        try:
            job = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            task(job)
        except Exception as error:
            pipe.send(str(error) or type(error).__name__)
        else:
            pipe.send("")


def _exit(signum: int, frame: object) -> None:
    raise SystemExit(128 + signum)


def _follow_parent() -> None:
    """However the parent ends, by SIGKILL too, its workers do not outlive it."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(SECONDS_TO_STOP)
    os._exit(1)
