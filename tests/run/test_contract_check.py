"""Each promise of the contract, broken in turn, fails the run with a message that says which."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from torch import Tensor

import tests.run.test_contract_check as this_module
from benchmarks.cli import main
from benchmarks.config import targets
from methods.contract import FittedMethod

pytestmark = pytest.mark.filterwarnings("ignore")


class Faithful(FittedMethod):
    """Distance from the mean image, which lies in a buffer."""

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = weight
        self.mean: Tensor
        self.register_buffer("mean", torch.empty(0))

    def observe(self, images_BCHW: Tensor) -> None:
        self.last = images_BCHW.mean(dim=0)

    def fit(self) -> None:
        self.mean = self.last

    def anomaly_map(self, images_BCHW: Tensor) -> Tensor:
        return self.weight * (images_BCHW - self.mean).abs().mean(dim=1)


class Forgetful(Faithful):
    """Keeps what it fitted beside the buffer."""

    def fit(self) -> None:
        self.kept = self.mean = self.last

    def anomaly_map(self, images_BCHW: Tensor) -> Tensor:
        return (images_BCHW - getattr(self, "kept", torch.zeros(()))).abs().mean(dim=1)


class Sociable(Faithful):
    """Scales with its batch."""

    def anomaly_map(self, images_BCHW: Tensor) -> Tensor:
        return super().anomaly_map(images_BCHW) * len(images_BCHW)


class Small(Faithful):
    def anomaly_map(self, images_BCHW: Tensor) -> Tensor:
        return super().anomaly_map(images_BCHW)[:, ::2, ::2]


class Fine(Faithful):
    def anomaly_map(self, images_BCHW: Tensor) -> Tensor:
        return super().anomaly_map(images_BCHW).double()


class Endless(Faithful):
    def anomaly_map(self, images_BCHW: Tensor) -> Tensor:
        return super().anomaly_map(images_BCHW) / 0


class Numberless(Faithful):
    def anomaly_map(self, images_BCHW: Tensor) -> Tensor:
        return super().anomaly_map(images_BCHW) * float("nan")


class Peeking(Faithful):
    def fit(self) -> None:
        super().fit()
        list(self.trainer.datamodule.test_dataloader())  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def methods_of_this_file_may_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else only what `conf/` names is ever made."""
    kinds = (
        "Faithful",
        "Faithfull",
        "Forgetful",
        "Sociable",
        "Small",
        "Fine",
        "Endless",
        "Numberless",
        "Peeking",
        "Tensor",
    )
    known = targets._known_targets() | {("method", f"{this_module.__name__}.{kind}") for kind in kinds}
    monkeypatch.setattr(targets, "_known_targets", lambda: known)


def run(root: Path, kind: str, *overrides: str) -> Result:
    target = f"{this_module.__name__}.{kind}"
    settings = [
        "method=variation_model", "data=folder", "category=parts", f"data.root={root}", "data.cache_dir=null",
        f"results.dir={root.parent / 'results'}", "progress=false", "trainer=cpu", "threads=1",
        "protocol.validation_share=0.3", "method.predict_batch_size=2", "~method.model", f"+method.model._target_={target}",
    ]  # fmt: skip
    return CliRunner().invoke(main, ["run", *settings, *overrides])


def test_a_method_that_keeps_its_promises_passes(tree: Callable[..., Path]) -> None:
    result = run(tree(), "Faithful")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("Forgetful", "Forgetful breaks the contract: rebuilt from its state_dict it predicts something else"),
        ("Sociable", "Sociable breaks the contract: what it predicts depends on the other samples"),
        ("Small", "maps of shape (1, 12, 12), torch.float32, not (1, 24, 24)"),
        ("Fine", "torch.float64, not (1, 24, 24), torch.float32"),
        ("Endless", "predicts values that are infinite or no number"),
        ("Numberless", "predicts values that are infinite or no number"),
        ("Peeking", "Test images are opened for scoring alone"),
    ],
)
def test_a_broken_promise_is_told(tree: Callable[..., Path], kind: str, message: str) -> None:
    result = run(tree(), kind)
    assert result.exit_code == 1 and message in " ".join(result.output.split()) and "Traceback" not in result.output


@pytest.mark.parametrize("override", ["method.predict_batch_size=1", "protocol.validation_share=0.1"])
def test_a_map_that_depends_on_its_batch_is_told_where_the_run_has_no_batch_of_two(
    tree: Callable[..., Path], override: str
) -> None:
    """Images are predicted one by one, or a single one of the ten is held out."""
    result = run(tree(), "Sociable", override)
    assert result.exit_code == 1 and "depends on the other samples" in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("kind", "overrides", "message"),
    [
        (
            "Faithfull",
            [],
            "conf/method/variation_model.yaml: model._target_=tests.run.test_contract_check.Faithfull cannot be loaded: "
            "module 'tests.run.test_contract_check' has no attribute 'Faithfull'",
        ),
        ("Faithful", ["+method.model.wieght=1"], "unexpected keyword argument 'wieght'"),
        ("Tensor", [], "Tensor is no Method"),
    ],
)
def test_a_mistake_in_the_yaml_names_file_and_cause(
    tree: Callable[..., Path], kind: str, overrides: list[Any], message: str
) -> None:
    result = run(tree(), kind, *overrides)
    assert result.exit_code == 1 and message in result.output and "Traceback" not in result.output
