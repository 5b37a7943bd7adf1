"""What is said on the terminal while cells run."""

import logging
import warnings


def configure_logging(silent: bool = False) -> None:
    """Our own lines as they are; a full disk costs lines, not the run."""
    log = logging.getLogger("benchmarks")
    log.handlers = [logging.NullHandler() if silent else logging.StreamHandler()]
    log.propagate = False
    log.setLevel(logging.INFO)
    logging.raiseExceptions = False


def quieten_lightning() -> None:
    """Only errors of Lightning, which speaks to programmers. Its import undoes what was said before."""
    for package in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(package).setLevel(logging.ERROR)
        warnings.filterwarnings("ignore", module=rf"{package}\.")
