"""Signals that end a program in order, so that what it has is kept: SIGTERM, and SIGHUP of a terminal that was closed."""

import os
import signal
import stat
from types import FrameType

HANGUP: signal.Signals | None = getattr(signal, "SIGHUP", None)  # Windows has none


def ending() -> list[signal.Signals]:
    """SIGTERM and, unless it is ignored, SIGHUP: under `nohup` a program outlives its terminal."""
    if HANGUP is None or signal.getsignal(HANGUP) is signal.SIG_IGN:
        return [signal.SIGTERM]
    return [signal.SIGTERM, HANGUP]


def end(signum: int, frame: FrameType | None) -> None:
    """A handler that ends the program like an error does."""
    if signum == HANGUP:
        _leave_terminal()
    raise SystemExit(128 + signum)  # as shells say it


def _leave_terminal() -> None:
    """A progress bar that writes to a terminal which is gone would fail, and the cell with it."""
    for number in (1, 2):
        try:
            if stat.S_ISCHR(os.fstat(number).st_mode):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, number)
                os.close(nowhere)
        except OSError:
            continue  # it was closed before
