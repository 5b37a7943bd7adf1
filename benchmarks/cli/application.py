"""The Hydra application behind `defectbench run`."""

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from types import FrameType

import hydra
from omegaconf import DictConfig

from benchmarks.common.signals import end, ending
from benchmarks.config.catalogue import CONF

log = logging.getLogger("benchmarks")

_raised: list[Exception] = []
"""What went wrong in the one job of a run: Hydra would print words of its own before it lets that pass."""


def run(arguments: Sequence[str]) -> None:
    """What `defectbench run` does with its arguments.

    Raises:
        HydraException, UserError: whatever went wrong.
    """
    sys.argv = ["defectbench run", *arguments]
    _let_help_texts_be_late()
    for number in ending():  # they end the whole sweep; Lightning alone would note them and go on with the next cell
        signal.signal(number, end)
    signal.signal(signal.SIGINT, interrupted)
    _raised.clear()
    main()
    if _raised:
        raise _raised.pop()


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def main(config: DictConfig) -> None:
    """One cell; a sweep is the sweeper's affair (`benchmarks.sweep.sweeper`)."""
    from benchmarks.run.settings import check

    try:
        check(config)  # before torch and Lightning are imported, which takes seconds
        from benchmarks.report.terminal import run_in_words
        from benchmarks.run.cell import run

        log.info(run_in_words(run(config)))
    except Exception as error:
        _raised.append(error)


def _let_help_texts_be_late() -> None:
    """Python 3.14's argparse reads each help text when its option is added; Hydra 1.3 has one that is none until it is printed."""
    if hasattr(argparse.ArgumentParser, "_check_help"):
        argparse.ArgumentParser._check_help = lambda parser, action: None


def interrupted(signum: int, frame: FrameType | None) -> None:
    """Say what Ctrl-C leaves behind; Lightning would end the process without a word."""
    print("\nStopped. Finished runs are kept: re-run the same command to resume.", file=sys.stderr, flush=True)
    raise KeyboardInterrupt
