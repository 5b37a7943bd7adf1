"""What is said on the terminal while cells run."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
    warnings.filterwarnings("ignore", module=r"PIL\.")  # of damaged files, which the survey names


def quieten_lightning() -> None:
    """Only errors of Lightning, which speaks to programmers. Its import undoes what was said before."""
    for package in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(package).setLevel(logging.ERROR)
        warnings.filterwarnings("ignore", module=rf"{package}\.")


@contextmanager
def logged_to(path: Path) -> Iterator[None]:
    """Keep the lines of the project and of Lightning, with their times, in a file as well."""
    handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    loggers = [logging.getLogger(name) for name in ("benchmarks", "methods", "pytorch_lightning")]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
        handler.close()
