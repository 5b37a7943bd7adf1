"""Which signals end a program in order."""

import os
import pty
import signal

import pytest

from benchmarks.common.signals import end, ending


@pytest.mark.usefixtures("heard_hangup")
def test_a_closed_terminal_ends_a_program_unless_it_runs_under_nohup() -> None:
    assert ending() == [signal.SIGTERM, signal.SIGHUP]
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert ending() == [signal.SIGTERM]


def test_a_terminal_that_is_gone_is_written_to_no_more() -> None:
    """A progress bar that still wrote to it would fail, and the cell with it."""
    ours, theirs = pty.openpty()
    pipe, kept = os.pipe()
    before = {number: os.dup(number) for number in (1, 2)}
    try:
        os.dup2(theirs, 1), os.dup2(kept, 2)
        os.close(theirs), os.close(ours)
        with pytest.raises(OSError):
            os.write(1, b"lost")
        with pytest.raises(SystemExit) as ended:
            end(signal.SIGHUP, None)
        assert os.write(1, b"into nothing") and os.write(2, b"a file or a pipe stays")
    finally:
        for number, copy in before.items():
            os.dup2(copy, number), os.close(copy)
    assert ended.value.code == 129 and os.read(pipe, 99) == b"a file or a pipe stays"
    os.close(pipe), os.close(kept)
