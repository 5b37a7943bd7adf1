"""Where losses go: always to `logs/metrics.csv`, which the report reads; to TensorBoard or MLflow as well, if that is chosen."""

import os
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import CSVLogger, Logger, MLFlowLogger

from benchmarks.common.errors import UserError
from benchmarks.config.targets import instantiated
from benchmarks.store.record import LOGS, SCORES, Result

DECIDES = ("data", "category", "method", "input", "protocol", "budget", "trainer", "seed", "threads")
"""The parts of the configuration that are kept as parameters."""


def loggers_of(config: DictConfig, folder: Path) -> list[Logger]:
    """Those of one fit, whose folder this is.

    Raises:
        UserError: a server that does not answer.
    """
    if not config.logger:
        return []
    chosen = instantiated(config.logger, save_dir=str(folder / LOGS))
    if isinstance(chosen, CSVLogger):
        return [chosen]
    parameters: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    try:
        chosen.log_hyperparams({name: parameters[name] for name in DECIDES})
    except Exception as error:  # MLflow's, or those of the library below it
        raise UserError(f"logger: {config.logger.get('tracking_uri', '')} takes nothing: {error}") from error
    return [CSVLogger(str(folder / LOGS), name="", version=""), chosen]


def tell_result(loggers: list[Logger], result: Result, folder: Path) -> None:
    """The final numbers, and for MLflow the scores of all images as an artifact."""
    for logger in loggers:
        if not isinstance(logger, CSVLogger):
            logger.log_metrics(_numbers(result))
            logger.save()
        if isinstance(logger, MLFlowLogger):
            logger.experiment.log_artifact(logger.run_id, str(folder / SCORES))


def _numbers(result: Result) -> dict[str, float]:
    shares = {"good": result.good, "defective": result.defective}
    found = {
        **{f"test/{name}": share.correct / share.total for name, share in shares.items() if share and share.total},
        "test/image_auroc": result.image.auroc if result.image else None,
        "test/pixel_auroc": result.pixel.auroc if result.pixel else None,
        "test/fit_seconds": result.fit_seconds,
        "test/ms_per_image": result.ms_per_image,
    }
    return {name: float(number) for name, number in found.items() if number is not None}


def mlflow_logger(save_dir: str, tracking_uri: str, run_name: str, tags: DictConfig) -> Logger:
    """Lightning's MLflow logger, into a folder that all runs share unless a server is named.

    A server that does not answer is an error within ten seconds.
    """
    settings = {
        "MLFLOW_ALLOW_FILE_STORE": "true",  # MLflow would rather have a database, which its small package does not bring
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "8",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    }
    for name, value in settings.items():
        os.environ.setdefault(name, value)
    place = tracking_uri if "://" in tracking_uri else Path(tracking_uri).absolute().as_uri()
    labels = {str(name): str(value) for name, value in tags.items()}
    logger: pl.loggers.Logger = MLFlowLogger("defectbench", run_name=run_name, tracking_uri=place, tags=labels)
    return logger
