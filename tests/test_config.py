"""Every option of every group composes, and says what it must."""

import pytest
from omegaconf import OmegaConf

from benchmarks.config import CONF, method_names
from benchmarks.data.augmentation import Augmentation
from benchmarks.data.datamodule import Input, Training
from benchmarks.data.mvtec_ad import table1
from tests.conftest import compose


def options(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


@pytest.mark.parametrize("category", options("category"))
def test_categories(category: str) -> None:
    config = compose(f"category={category}").category
    if config.kind not in {"texture", "object"}:
        return  # see tests/classics
    Augmentation(**config.augmentation)
    assert config.name == category and config.augmentation.reason
    assert (config.kind == "texture") == ("alignment" not in config)
    if category in table1():
        assert config.kind == ("texture" if category in list(table1())[:5] else "object")


@pytest.mark.parametrize("budget", options("budget"))
@pytest.mark.parametrize("method", method_names())
def test_methods_at_every_budget(method: str, budget: str) -> None:
    kinds = list(compose(f"method={method}").method.inputs)
    for category in ("wood",) * ("texture" in kinds) + ("bottle",) * ("object" in kinds):
        config = compose(f"method={method}", f"budget={budget}", f"category={category}")
        OmegaConf.resolve(config)
        Input(**config.input)
        Training(**config.method.train)


def test_budgets_only_lower_the_papers_numbers() -> None:
    paper, short = (compose("method=ae_l2", f"budget={budget}").method.train for budget in ("paper", "short"))
    assert (paper.samples, paper.epochs, paper.batch_size) == (10_000, 200, 128)
    assert short.samples < paper.samples and short.epochs < paper.epochs


@pytest.mark.parametrize("group", ["data", "logger", "trainer", "experiment"])
def test_other_groups(group: str) -> None:
    for option in options(group):
        compose(f"{group}={option}")
