"""Hydra's sweeper for cells: leaves out what does not apply, skips what is finished, and hands the rest, longest first, to the
launcher (one process, joblib, Ray, SLURM). Which job runs when and on which device is the launcher's affair."""

import logging
import shutil
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from math import inf
from pathlib import Path

import pandas as pd
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn
from omegaconf import DictConfig, OmegaConf

from benchmarks.common.errors import UserError
from benchmarks.config import belongs, chosen
from benchmarks.report.terminal import console
from benchmarks.store.lookup import Lookup
from benchmarks.sweep.costs import COLUMNS, cost_of, measured
from benchmarks.sweep.outcomes import DIED, Job, Outcome, failures_table, outcomes, report_end, started
from benchmarks.sweep.plan import PlannedCell, planned_cell
from benchmarks.sweep.progress import ProgressDisplay

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What a sweep has to do."""

    jobs: list[Job]
    """Longest first; those of unknown length before all others."""
    finished: int
    left_out: int
    """Cells to which their method does not apply, or for which the paper does not run it."""

    def __str__(self) -> str:
        return f"{len(self.jobs)} cells to run, {self.finished} finished already, {self.left_out} do not apply"


class CellSweeper(BasicSweeper):
    """Expands lists as Hydra's basic sweeper does; see this module for what it does with the jobs."""

    def __init__(self, max_batch_size: int | None, params: dict[str, str] | None = None) -> None:
        super().__init__(max_batch_size, params)
        self._configs: dict[tuple[str, ...], DictConfig] = {}

    def sweep(self, arguments: list[str]) -> list[Outcome]:
        """Run the sweep to its end, whatever fails in it.

        Raises:
            HydraException: an override that cannot be understood or an option that does not exist; nothing is run then.
            UserError: some cells failed. All others are finished.
        """
        plan = self._plan(self._expanded(arguments), chosen(arguments, "category"))
        log.info("sweep: %s", plan)
        if not plan.jobs:
            return []
        assert self.config is not None
        places = Path(self.config.hydra.sweep.dir)
        places.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=places, prefix="sweep-"))
        OmegaConf.save(self.config, folder / "multirun.yaml")
        with ProgressDisplay(plan.jobs, folder, alone=isinstance(self.launcher, BasicLauncher)):
            self._launch(plan.jobs, folder)
        return self._end(plan.jobs, folder)

    def _expanded(self, arguments: list[str]) -> list[list[str]]:
        assert self.hydra_context is not None
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        return self.split_arguments(parser.parse_overrides([*self._parse_config(), *arguments]), None)[0]

    def _plan(self, requests: Sequence[Sequence[str]], named: Collection[str]) -> Plan:
        answered, waiting, left_out = 0, [], 0
        stores = cache(Lookup)
        for overrides in requests:
            if stores(self._results(overrides)).answer(overrides) is not None and not self._forced(overrides):
                answered += 1
            elif (wanted := self._wanted(overrides, named)) is None:
                left_out += 1
            else:
                waiting.append((wanted, tuple(overrides)))
        return Plan(_longest_first(waiting), answered, left_out)

    def _results(self, overrides: Sequence[str]) -> Path:
        """Where a job's results go: of all settings the only one that is needed before they are composed."""
        assert self.config is not None
        said = [text.partition("=")[2].strip("'\"") for text in overrides if text.startswith("results.dir=")]
        return Path(said[-1] if said else self.config.results.dir)

    def _forced(self, overrides: Sequence[str]) -> bool:
        return any(text.lower() == "force=true" for text in overrides)

    def _wanted(self, overrides: Sequence[str], named: Collection[str]) -> PlannedCell | None:
        """The cell of a job; None if it does not belong to the sweep. Composed once for all seeds."""
        config = self._composed(tuple(text for text in overrides if not text.startswith("seed=")))
        seeds = [text.partition("=")[2] for text in overrides if text.startswith("seed=")]
        seed = seeds[-1] if seeds else str(config.seed)
        if not seed.lstrip("-").isdigit():
            raise UserError(f"seed={seed} is not a whole number.")
        here = belongs(config.method, config.category.name, config.category.kind, named)
        return planned_cell(config, int(seed)) if here else None

    def _composed(self, overrides: tuple[str, ...]) -> DictConfig:
        assert self.hydra_context is not None and self.config is not None
        if overrides not in self._configs:
            self._configs[overrides] = self.hydra_context.config_loader.load_sweep_config(self.config, list(overrides))
        return self._configs[overrides]

    def _launch(self, jobs: Sequence[Job], folder: Path) -> None:
        """Hand the jobs to the launcher; again those that had not begun when a worker died and took the launcher with it."""
        assert self.launcher is not None
        while waiting := [number for number in range(len(jobs)) if number not in outcomes(folder)]:
            try:
                returned = self.launcher.launch([_overrides(jobs[n], folder, n) for n in waiting], initial_job_idx=0)
                for number, job in zip(waiting, returned, strict=True):
                    if number not in outcomes(folder):  # it could not even report
                        words = f"{jobs[number].wanted.cell} failed: {_reason(job)}"
                        report_end(folder, number, Outcome("failed", words, 0.0))
            except Exception as error:  # each launcher has its own for a worker that is gone
                log.warning("sweep: a worker was lost (%s)", error)
                if not started(folder) - set(outcomes(folder)):
                    raise
            for number in started(folder) - set(outcomes(folder)):
                report_end(folder, number, Outcome("died", f"{jobs[number].wanted.cell} failed: {DIED}", 0.0))

    def _end(self, jobs: Sequence[Job], folder: Path) -> list[Outcome]:
        ended = outcomes(folder)
        failed = sum(outcome.status in {"failed", "died"} for outcome in ended.values())
        if failed:
            console().print(failures_table(jobs, ended))
            raise UserError(
                f"{failed} of {len(jobs)} cells failed; the others are finished. Give the same command again to try only those."
            )
        shutil.rmtree(folder)
        return [ended[number] for number in sorted(ended)]


def _longest_first(waiting: Sequence[tuple[PlannedCell, tuple[str, ...]]]) -> list[Job]:
    stored = {results: _measured(results) for results in {wanted.results for wanted, _ in waiting}}
    costs: dict[tuple[str, ...], float | None] = {}
    jobs = []
    for wanted, overrides in waiting:
        key = (wanted.dataset, wanted.budget, wanted.cell.method, wanted.cell.category, str(wanted.results))
        if key not in costs:
            cost = cost_of(wanted, stored[wanted.results])
            costs[key] = cost.seconds if cost else None
        jobs.append(Job(wanted, overrides, costs[key]))
    return sorted(jobs, key=lambda job: -inf if job.expected_seconds is None else -job.expected_seconds)


def _measured(results: Path) -> pd.DataFrame:
    """What earlier cells took; a store that cannot be read has nothing to say, and its cells are run again."""
    try:
        return measured(results)
    except UserError:
        return pd.DataFrame(columns=list(COLUMNS))


def _reason(job: JobReturn) -> str:
    try:
        return str(job.return_value)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _overrides(job: Job, folder: Path, number: int) -> list[str]:
    """A job's own, and where it reports: Hydra makes that folder when the job begins."""
    quoted = str(folder.absolute()).replace("\\", "\\\\").replace("'", "\\'")
    return [*job.overrides, f"hydra.sweep.dir='{quoted}'", f"hydra.sweep.subdir='{number}'"]
