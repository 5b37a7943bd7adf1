"""What is said on the terminal while cells run."""

import logging
import warnings

from benchmarks.common.words import printable


class _Printable(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def configure_logging(silent: bool = False) -> None:
    """Our own lines as they are; a full disk costs lines, not the run."""
    log = logging.getLogger("benchmarks")
    handler = logging.NullHandler() if silent else logging.StreamHandler()
    handler.setFormatter(_Printable())
    log.handlers = [handler]
    log.propagate = False
    log.setLevel(logging.INFO)
    logging.raiseExceptions = False


def quieten_lightning() -> None:
    """Only errors of Lightning, which speaks to programmers. Its import undoes what was said before."""
    for package in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(package).setLevel(logging.ERROR)
        warnings.filterwarnings("ignore", module=rf"{package}\.")
