"""One cell of a sweep as a process runs it, wherever that is: here, in a worker of this machine, on a node of a cluster."""

import logging
import os
import time
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import setup_globals
from omegaconf import DictConfig, open_dict

from benchmarks.common.errors import UserError
from benchmarks.config.compose import register_resolvers
from benchmarks.store.progress import state_folder
from benchmarks.store.record import Cell
from benchmarks.store.runs import RunStore
from benchmarks.sweep.outcomes import Outcome, Status, report_begin, report_end

log = logging.getLogger("benchmarks")


@dataclass(frozen=True)
class Job:
    """What a process needs to run a cell. It can be pickled."""

    config: DictConfig
    """Composed, with Hydra's own node."""
    number: int
    """In its sweep."""
    cell: str
    folder: Path
    """Of the sweep, absolute: here the job says that it has begun, and how it ended."""
    cwd: Path
    """Where the command was given: relative paths mean the same in every process."""
    side_by_side: bool
    """Other cells run at the same time: the parent speaks for them all."""


def run_job(job: Job) -> None:
    """Run a cell and report how it ended; whatever goes wrong in it goes no further.

    Raises:
        UserError: this machine does not see the folder of the sweep.
    """
    enter_folder(job)
    store, names = RunStore(Path(job.config.results.dir)), job.config
    state = state_folder(store.folder(Cell(names.method.name, names.category.name, names.seed)))
    report_begin(job.folder, job.number, job.cell, state)
    register_resolvers()
    setup_globals()
    HydraConfig.instance().set_config(job.config)
    config = deepcopy(job.config)
    with open_dict(config):
        del config["hydra"]
    config.progress = config.progress and not job.side_by_side
    start = time.perf_counter()
    status, words = _run(config, job.cell)
    log.log(logging.ERROR if status == "failed" else logging.INFO, "%s", words)
    report_end(job.folder, job.number, Outcome(status, words, time.perf_counter() - start))


def enter_folder(job: Job) -> None:
    """Go where the command was given.

    Raises:
        UserError: that folder, or the sweep's, is not there: this machine does not share them.
    """
    for folder in (job.cwd, job.folder):
        if not folder.is_dir():
            raise UserError(
                f"{os.uname().nodename} does not see {folder}. Code, data and results must lie on a file system that all "
                "machines share, at the same paths."
            )
    os.chdir(job.cwd)


def _run(config: DictConfig, cell: str) -> tuple[Status, str]:
    from benchmarks.report.terminal import run_in_words
    from benchmarks.run.cell import run  # torch and Lightning, which planning can do without
    from benchmarks.store.runs import Busy

    try:
        return "finished", run_in_words(run(config))
    except Busy as error:
        return "busy", str(error)
    except Exception as error:  # the other cells go on
        reason = str(error) or type(error).__name__
        return "failed", reason if reason.startswith(cell) else f"{cell} failed: {reason}"
