"""Hydra's sweeper for cells: leaves out what does not apply, skips what is finished, and hands the rest, longest first, to the
launcher (`benchmarks.sweep.launchers`). Which job runs when and on which device is the launcher's affair."""

import logging
import shutil
from collections.abc import Collection, Iterable, Sequence
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from math import inf
from pathlib import Path
from typing import Any

import pandas as pd
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.plugins.plugin import Plugin
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from benchmarks.common.console import console
from benchmarks.common.errors import UserError
from benchmarks.common.words import number_of
from benchmarks.config.catalogue import belongs
from benchmarks.config.overrides import chosen, is_forced
from benchmarks.run.settings import check, check_files
from benchmarks.store.lookup import Lookup
from benchmarks.sweep.costs import COLUMNS, cost_of, measured
from benchmarks.sweep.deaths import LIMIT, Deaths, held
from benchmarks.sweep.failures import failures_table
from benchmarks.sweep.folders import new_folder
from benchmarks.sweep.job import Job
from benchmarks.sweep.launchers import LAUNCHERS, CellLauncher, Lost
from benchmarks.sweep.outcomes import FAILED, Outcome, Outcomes, report_end
from benchmarks.sweep.plan import PlannedCell, QueuedCell, expanded, planned_cell
from benchmarks.sweep.progress import ProgressDisplay

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What a sweep has to do."""

    wanted: list[QueuedCell]
    """Longest first; those of unknown length before all others, those that took a sweep with them after all others."""
    finished: int
    left_out: int
    """Cells to which their method does not apply, or for which the paper does not run it."""

    def __str__(self) -> str:
        return f"{number_of(len(self.wanted), 'cell')} to run, {self.finished} finished already, {self.left_out} do not apply"


class CellSweeper(Sweeper):
    """See this module."""

    def __init__(self, params: dict[str, Any] | None = None, max_batch_size: None = None) -> None:
        self.params = params or {}
        self._configs: dict[tuple[str, ...], DictConfig] = {}
        self._checked: set[int] = set()

    def setup(self, *, hydra_context: HydraContext, task_function: Any, config: DictConfig) -> None:
        from hydra.core.plugins import Plugins

        self._config, self._loader = config, hydra_context.config_loader
        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )
        if not isinstance(launcher, CellLauncher):
            raise UserError(
                "This launcher is Hydra's own. Ours: hydra/launcher=one_process, cpu_pool, ray_gpus, ray_cluster, slurm."
            )
        self._launcher = launcher

    def sweep(self, arguments: list[str]) -> list[Outcome]:
        """Run the sweep to its end, whatever fails in it.

        Raises:
            HydraException: an override that cannot be understood or an option that does not exist; nothing is run then.
            UserError: some cells failed. All others are finished.
        """
        sweeps = Path(self._config.hydra.sweep.dir)
        deaths = Deaths(sweeps)
        deaths.collect()
        plan = self._plan(self._expanded(arguments), chosen(arguments, "category"), deaths)
        log.info("sweep: %s", plan)
        if not plan.wanted:
            return []
        sweeps.mkdir(parents=True, exist_ok=True)
        with held(folder := new_folder(sweeps)):
            return self._run(plan.wanted, folder, deaths)

    def _expanded(self, arguments: list[str]) -> list[tuple[str, ...]]:
        parser = OverridesParser.create(config_loader=self._loader)
        swept = [f"{key}={value}" for key, value in self.params.items()]
        return expanded(parser.parse_overrides([*swept, *arguments]))

    def _plan(self, requests: Sequence[Sequence[str]], named: Collection[str], deaths: Deaths) -> Plan:
        asked: list[tuple[Path, str, tuple[str, ...]]] = []
        waiting = []
        stores = cache(Lookup)
        unique = list(dict.fromkeys(map(tuple, requests)))
        for overrides in unique:
            results = self._results(overrides)
            answered = None if is_forced(overrides) else stores(results).answered(overrides)
            if answered is not None:
                asked.append((results, str(answered), overrides))
            elif (planned := self._planned(overrides, named)) is not None:
                asked.append((planned.results, str(planned.cell), overrides))
                waiting.append((planned, overrides))
        _refuse_two_of_one_cell(asked)
        return Plan(_in_order(waiting, deaths), len(asked) - len(waiting), len(unique) - len(asked))

    def _results(self, overrides: Sequence[str]) -> Path:
        """Where a job's results go: of all settings the only one that is needed before they are composed."""
        said = [text.partition("=")[2].strip("'\"") for text in overrides if text.startswith("results.dir=")]
        return Path(said[-1] if said else self._config.results.dir)

    def _planned(self, overrides: Sequence[str], named: Collection[str]) -> PlannedCell | None:
        """The cell of a job; None if it does not belong to the sweep."""
        config = self._composed(overrides)
        if not belongs(config.method, config.category.name, config.category.kind, named):
            return None
        seed = _seed(overrides, config)
        if id(config) not in self._checked:
            check(config)
            check_files(config)
            self._checked.add(id(config))
        return planned_cell(config, seed)

    def _composed(self, overrides: Sequence[str]) -> DictConfig:
        """Composed once for all seeds."""
        rest = tuple(text for text in overrides if not text.startswith("seed="))
        if rest not in self._configs:
            self._configs[rest] = self._loader.load_sweep_config(self._config, list(rest))
        return self._configs[rest]

    def _run(self, wanted: Sequence[QueuedCell], folder: Path, deaths: Deaths) -> list[Outcome]:
        OmegaConf.save(self._config, folder / "multirun.yaml")
        jobs = [self._job(number, one, folder) for number, one in enumerate(wanted)]
        for number, one in enumerate(wanted):
            if deaths.of.get(str(one.planned.cell), 0) >= LIMIT:
                report_end(folder, number, Outcome("failed", _too_often(one), 0.0))
        ended = Outcomes(folder)
        try:
            with ProgressDisplay(wanted, ended, alone=not self._launcher.side_by_side):
                waiting = [job for job in jobs if job.number not in ended.now()]
                self._launch(self._launch(waiting, ended, again=True), ended, again=False)
        except BaseException as error:
            self._launcher.leave(ask=isinstance(error, KeyboardInterrupt))
            raise
        for one in wanted:
            deaths.forget(str(one.planned.cell))
        return _end(wanted, ended.now())

    def _job(self, number: int, wanted: QueuedCell, folder: Path) -> Job:
        config = deepcopy(self._composed(wanted.overrides))
        with read_write(config), open_dict(config):
            config.seed = wanted.planned.cell.seed
            config.hydra.overrides.task = list(wanted.overrides)
        side_by_side = self._launcher.side_by_side
        return Job(config, number, str(wanted.planned.cell), folder, Path.cwd(), side_by_side)

    def _launch(self, jobs: Sequence[Job], ended: Outcomes, again: bool) -> list[Job]:
        """Run jobs to their ends; returns those that lost their machine, if they are to be tried again."""
        if not jobs:
            return []
        homeless = []
        with closing(self._launcher.ends(jobs)) as ends:
            for job, lost in ends:
                if job.number in ended.now():
                    continue
                if lost is not None and again and not lost.its_own_fault:
                    log.warning("sweep: %s lost (%s), trying again", job.cell, lost.reason)
                    homeless.append(job)
                    continue
                reason = (
                    lost.reason if lost else "it ended, and its result is not here: is results.dir on a shared disk?"
                )
                report_end(
                    job.folder, job.number, Outcome("lost", f"{job.cell} lost: {reason}{_kept_log(job, lost)}", 0.0)
                )
        return homeless


def _kept_log(job: Job, lost: Lost | None) -> str:
    """Where the output of a lost job is: the folder of the sweep goes with the sweep."""
    if lost is None or lost.log is None or not lost.log.is_file():
        return ""
    kept = job.folder.parent / "lost" / job.cell.replace(" / ", "-") / lost.log.name
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(lost.log, kept)
    return f"\nMore in {kept}."


def _seed(overrides: Sequence[str], config: DictConfig) -> int:
    said = [text.partition("=")[2] for text in overrides if text.startswith("seed=")]
    seed = said[-1] if said else str(config.seed)
    if not seed.isdigit():
        raise UserError(f"seed={seed}: it must be a whole number of 0 or more.")
    return int(seed)


def _refuse_two_of_one_cell(asked: Iterable[tuple[Path, str, tuple[str, ...]]]) -> None:
    """A sweep over settings that are no part of a cell's name would leave the last run alone.

    Args:
        asked: results folder, cell and words of each request, finished ones too.

    Raises:
        UserError: with what differs.
    """
    first: dict[tuple[Path, str], tuple[str, ...]] = {}
    for results, cell, overrides in asked:
        before = first.setdefault((results, cell), overrides)
        if before != overrides:
            differ = [
                " ".join(text for text in one if text not in two)
                for one, two in ((before, overrides), (overrides, before))
            ]
            raise UserError(
                f"{cell} is asked for twice, with {differ[0]} and {differ[1]}: the second run would replace the first. "
                "Give a command for each, with a results.dir of its own."
            )


def _in_order(waiting: Sequence[tuple[PlannedCell, tuple[str, ...]]], deaths: Deaths) -> list[QueuedCell]:
    stored = {results: _measured(results) for results in {planned.results for planned, _ in waiting}}

    @cache
    def seconds(planned: PlannedCell) -> float | None:
        cost = cost_of(planned, stored[planned.results])
        return cost.seconds if cost else None

    wanted = [QueuedCell(planned, overrides, seconds(planned)) for planned, overrides in waiting]

    def place(one: QueuedCell) -> tuple[int, float]:
        long = -inf if one.expected_seconds is None else -one.expected_seconds
        return deaths.of.get(str(one.planned.cell), 0), long

    return sorted(wanted, key=place)


def _measured(results: Path) -> pd.DataFrame:
    """What earlier cells took; a store that cannot be read has nothing to say, and its cells are run again."""
    try:
        return measured(results)
    except UserError:
        return pd.DataFrame(columns=list(COLUMNS))


def _too_often(wanted: QueuedCell) -> str:
    return (
        f"{wanted.planned.cell} failed: it took its sweep with it {LIMIT} times (out of memory, killed, or the machine went down) "
        "and was not tried. Re-run the same command to try it once more."
    )


def _end(wanted: Sequence[QueuedCell], ended: dict[int, Outcome]) -> list[Outcome]:
    """Say what went wrong.

    Raises:
        UserError: something did.
    """
    failed = sum(outcome.status in FAILED for outcome in ended.values())
    busy = sum(outcome.status == "busy" for outcome in ended.values())
    said, cells = [], number_of(len(wanted), "cell")
    if failed:
        console().print(failures_table([one.planned for one in wanted], ended))
        others = len(wanted) - failed - busy
        said.append(f"{failed} of {cells} failed" + ("; the others are finished." if others else "."))
    if busy:
        are = "is" if busy == 1 else "are"
        said.append(f"{busy} of {cells} {are} being run by another process, which knows the end.")
    if said:
        raise UserError(" ".join([*said, "Re-run the same command to retry only those."]))
    return [ended[number] for number in sorted(ended)]


def register() -> None:
    """Make Hydra know our sweeper and launchers. It takes plugins from the namespace `hydra_plugins` alone: there the names lie."""
    from hydra.core.plugins import Plugins

    plugins: tuple[type[Plugin], ...] = (CellSweeper, *LAUNCHERS)
    for plugin in plugins:
        Plugins.instance().class_name_to_class[f"hydra_plugins.defectbench.{plugin.__name__}"] = plugin
