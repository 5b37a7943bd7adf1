"""Losses lie in metrics.csv whichever logger is chosen; that one has parameters and final numbers as well."""

from pathlib import Path
from typing import Any

import pytest
from pytorch_lightning.loggers import CSVLogger, Logger

from benchmarks.common.errors import UserError
from benchmarks.protocol.decision import Share
from benchmarks.run import loggers
from tests.conftest import compose


class Recorder(Logger):
    name = version = ""

    def __init__(self, is_dead: bool = False) -> None:
        self.is_dead, self.parameters, self.metrics = is_dead, dict[str, Any](), dict[str, float]()

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        if self.is_dead:
            raise ConnectionError("nobody answers")
        self.parameters |= params

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        self.metrics |= metrics


@pytest.mark.parametrize("chosen", [Recorder(), Recorder(is_dead=True), None], ids=["other", "dead", "csv"])
def test_losses_always_go_to_metrics_csv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: Recorder | None
) -> None:
    if chosen is not None:
        monkeypatch.setattr(loggers, "instantiated", lambda *_, **__: chosen)
    config = compose("method=ae_l2", "category=bottle", "seed=3")
    if chosen is not None and chosen.is_dead:
        with pytest.raises(UserError, match="nobody answers"):
            loggers.loggers_of(config, tmp_path)
        return
    found = loggers.loggers_of(config, tmp_path)
    assert (
        isinstance(found[0], CSVLogger) and Path(found[0].experiment.metrics_file_path) == tmp_path / "logs/metrics.csv"
    )
    assert found[1:] == ([] if chosen is None else [chosen])
    if chosen is not None:
        assert chosen.parameters["seed"] == 3 and chosen.parameters["method"]["name"] == "ae_l2"


def test_final_numbers_are_logged() -> None:
    result = type("Some", (), dict.fromkeys(("image", "pixel", "defective", "fit_seconds")))()
    result.good, result.ms_per_image = Share(3, 4, 0.75, (0.3, 0.9)), 2.5
    recorder = Recorder()
    loggers.tell_result([recorder], result, Path())
    assert recorder.metrics == {"test/good": 0.75, "test/ms_per_image": 2.5}
