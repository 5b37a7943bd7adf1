"""The Hydra application behind `defectbench run`: what happens in each job."""

import logging
import signal
import threading
import time
import warnings
from pathlib import Path
from types import FrameType

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.types import RunMode
from omegaconf import DictConfig

from benchmarks.config import CONF
from benchmarks.sweep.outcomes import Outcome, Status, report_end

PLAIN_LAUNCHER = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"

log = logging.getLogger("benchmarks")


def register_sweeper() -> None:
    """Make Hydra know our sweeper. It takes plugins from the namespace `hydra_plugins` alone, so that is where the name lies."""
    plugins = (
        Plugins.instance()
    )  # first: looking for plugins defines Hydra's classes anew, and ours builds on one of them
    from benchmarks.sweep.sweeper import CellSweeper

    plugins.class_name_to_class["hydra_plugins.defectbench.CellSweeper"] = CellSweeper


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def main(config: DictConfig) -> None:
    """One job of `defectbench run`. Alone it raises what goes wrong; in a sweep it reports how it ended."""
    from benchmarks.report.terminal import run_in_words
    from benchmarks.run.cell import run  # torch and Lightning, which --help can do without

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _stop)
    if HydraConfig.get().mode is RunMode.MULTIRUN:
        _job_of_a_sweep(config)
        return
    configure_logging()
    log.info(run_in_words(run(config)))


def _job_of_a_sweep(config: DictConfig) -> None:
    from benchmarks.report.terminal import run_in_words
    from benchmarks.run.cell import run
    from benchmarks.store.runs import Busy

    place = HydraConfig.get().sweep
    side_by_side = HydraConfig.get().launcher._target_ != PLAIN_LAUNCHER
    configure_logging(silent=side_by_side)  # several processes on one terminal: the parent speaks for them
    config.progress = config.progress and not side_by_side
    start = time.perf_counter()
    status: Status
    try:
        status, words = "finished", run_in_words(run(config))
    except Busy as error:
        status, words = "busy", str(error)
    except Exception as error:  # the other cells go on
        status, words = "failed", str(error) or type(error).__name__
    log.log(logging.ERROR if status == "failed" else logging.INFO, "%s", words)
    report_end(Path(place.dir), int(place.subdir), Outcome(status, words, time.perf_counter() - start))


def _stop(signum: int, frame: FrameType | None) -> None:
    """End the whole sweep; Lightning alone would note the signal and go on with the next cell."""
    raise SystemExit(128 + signum)


def configure_logging(silent: bool = False) -> None:
    """Our own lines as they are; of Lightning, which speaks to programmers, only errors."""
    log.handlers = [logging.NullHandler() if silent else logging.StreamHandler()]
    log.propagate = False
    log.setLevel(logging.INFO)
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"pytorch_lightning\.")
