"""How the command line tells errors: one message, no traceback."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from benchmarks.common.errors import UserError, nearest, refusal
from benchmarks.common.words import printable

FULL_ERROR = "HYDRA_FULL_ERROR"
INTERRUPTED = 128 + signal.SIGINT  # as shells say it


@contextmanager
def user_errors(exit_code: int = 1, keeps_runs: bool = False) -> Iterator[None]:
    """One message instead of a traceback, and the exit code; with HYDRA_FULL_ERROR=1 the traceback.

    Args:
        exit_code: of an error; 2 where 0 and 1 say what was found, which a command that was cut off may not say.
        keeps_runs: the command runs cells, of which the finished ones are kept.
    """
    try:
        yield
    except (click.ClickException, click.Abort):
        raise  # click tells these itself
    except BrokenPipeError:  # the reader has seen enough, as in `defectbench list runs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes it once more at its end
        sys.exit(0 if exit_code == 1 else exit_code)
    except KeyboardInterrupt:
        if exit_code == 1:
            raise
        sys.exit(INTERRUPTED)
    except Exception as error:
        if os.environ.get(FULL_ERROR) == "1":
            raise
        told = click.ClickException(printable(_in_words(error, keeps_runs)))
        told.exit_code = exit_code  # type: ignore[misc]  # click looks at the instance
        raise told from error


def _in_words(error: Exception, keeps_runs: bool) -> str:
    from hydra.errors import MissingConfigException

    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, MissingConfigException):
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        return f"There is no {group or 'configuration'}={option}. {nearest(option, error.options or [])}".strip()
    if said := refusal(error):
        return said + (" Finished runs are kept: fix this and re-run the same command." if keeps_runs else "")
    reasons = [str(error), *([str(error.__cause__)] if error.__cause__ else [])]
    return "\n".join(reasons) + f"\n(set {FULL_ERROR}=1 for the traceback)"


@contextmanager
def hydra_raises() -> Iterator[None]:
    """Let Hydra raise what it would print, so that all errors look alike."""
    before = os.environ.get(FULL_ERROR)
    os.environ[FULL_ERROR] = "1"
    try:
        yield
    finally:
        os.environ.pop(FULL_ERROR)
        if before is not None:
            os.environ[FULL_ERROR] = before
