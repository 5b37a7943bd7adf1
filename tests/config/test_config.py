"""Every option of every group composes, and says what it must."""

import re
import shutil
from pathlib import Path

import pytest
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from benchmarks.common.errors import UserError
from benchmarks.common.table1 import table1
from benchmarks.config.catalogue import CONF, category_set, method_names
from benchmarks.config.catalogue import options as offered
from benchmarks.config.compose import register_categories
from benchmarks.config.overrides import chosen, quoted
from benchmarks.data.augmentation import Augmentation
from benchmarks.data.datamodule import Input, Training
from benchmarks.run.ranges import out_of_range
from tests.conftest import PROJECT, compose


def options(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


@pytest.mark.parametrize("category", category_set("mvtec_ad"))
def test_categories(category: str) -> None:
    config = compose(f"category={category}").category
    Augmentation(**config.augmentation)
    assert config.name == category and config.augmentation.reason
    assert (config.kind == "texture") == ("alignment" not in config)
    assert config.kind == ("texture" if category in list(table1())[:5] else "object")


@pytest.mark.parametrize("category", ["grid", "screw", "tile"])
def test_a_folder_of_ones_own_does_not_get_the_settings_of_mvtec_ad(category: str) -> None:
    own, published = (compose(f"data={data}", f"category={category}").category for data in ("folder", "mvtec_ad"))
    assert (own.name, own.kind, own.augmentation.rotation_deg) == (category, "object", 3)
    assert published.augmentation.reason != own.augmentation.reason


NAMES = [
    "12",
    "1e3",
    "0x1F",
    "null",
    "True",
    "nan",
    "metal nut",
    "part (v2)",
    "[a]",
    "{a}",
    "lösung",
    "数据",
    "it's",
    "a=b",
    "a.b",
]


def test_any_name_of_a_folder_is_a_name_alone_and_in_a_list() -> None:
    for name in NAMES:
        assert compose("data=folder", f"category={name}").category.name == name
    assert chosen([f"category={','.join(NAMES)}"], "category") == set(NAMES)
    with_comma = "a, b"
    assert compose("data=folder", quoted("category", with_comma)).category.name == with_comma
    assert chosen([quoted("category", with_comma) + ",c"], "category") == {with_comma, "c"}
    assert chosen(["category=a/,b c/"], "category") == {"a", "b c"}  # as a shell completes them


def test_a_sweep_over_ones_own_names_is_composed_with_the_default_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ConfigStore.instance(), "repo", {})
    register_categories(["-m", "category=plain,metal nut", "data=folder"])
    stored = set(ConfigStore.instance().repo["category"])
    assert stored == {"plain.yaml", "metal nut.yaml", "bottle.yaml"}


@pytest.mark.parametrize("name", ["../x", "a/b", "a\\\\b", ".."])
def test_a_path_is_no_name(name: str) -> None:
    with pytest.raises(UserError, match="not a path"):
        compose("data=folder", quoted("category", name))


def test_digits_and_tables_have_templates() -> None:
    assert [compose("benchmark=mnist", f"category=digit_{n}").category.digit for n in (0, 7)] == [0, 7]
    assert compose("benchmark=creditcard", "category=loans").category == {"name": "loans", "kind": "table"}


def test_a_sweep_over_two_datasets_is_refused() -> None:
    with pytest.raises(UserError, match="one dataset"):
        register_categories(["-m", "data=mvtec_ad,folder", "category=grid"])


@pytest.mark.parametrize("budget", options("budget"))
@pytest.mark.parametrize("method", method_names())
def test_methods_at_every_budget(method: str, budget: str) -> None:
    kinds = list(compose(f"method={method}").method.inputs)
    for category in ("wood",) * ("texture" in kinds) + ("bottle",) * ("object" in kinds):
        config = compose(f"method={method}", f"budget={budget}", f"category={category}")
        OmegaConf.resolve(config)
        Input(**{name: config.input[name] for name in Input.__dataclass_fields__})
        Training(**config.method.train)
        assert list(out_of_range(config)) == []


def test_budgets_only_lower_the_papers_numbers() -> None:
    paper, short = (compose("method=ae_l2", f"budget={budget}").method.train for budget in ("paper", "short"))
    assert (paper.samples, paper.epochs, paper.batch_size) == (10_000, 200, 128)
    assert short.samples < paper.samples and short.epochs < paper.epochs


@pytest.mark.parametrize("group", ["data", "logger", "trainer", "experiment"])
def test_other_groups(group: str) -> None:
    for option in options(group):
        compose(f"{group}={option}")


COMPLETE = """name: mine
title: Mine
family: modern
inputs: {object: {px: 64, colour: rgb, patch: null, resample: bilinear}}
train: {batch_size: 1}
predict_batch_size: 1
model: {_target_: methods.mine.Mine}
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (COMPLETE.replace("name: mine", "name: ae_l2"), r"mine\.yaml says name: ae_l2, but .* the file's name: mine"),
        (
            re.sub("inputs.*\n", "", COMPLETE),
            r"mine\.yaml does not say inputs\. Each file in conf/method says",
        ),
        (COMPLETE.replace("_target_", "target"), r"mine\.yaml does not say model\._target_"),
        (COMPLETE.replace("modern", "Modern"), r"mine\.yaml: family: Modern is none of paper, modern, classic"),
        (
            COMPLETE.replace("object", "objects"),
            r"mine\.yaml: inputs says for each kind .* The kinds are texture, object,",
        ),
        (COMPLETE.replace("px: 64, ", ""), r"mine\.yaml: inputs\.object does not say px\."),
        (re.sub("inputs.*", "inputs: {object: 64}", COMPLETE), r"inputs\.object does not say px, colour"),
        (COMPLETE.replace("{batch_size", "{epochs"), r"mine\.yaml: train does not say batch_size"),
        (
            COMPLETE.replace("{batch", "{image: 3, batch"),
            r"mine\.yaml: train has no image; it may say batch_size, epochs",
        ),
        ("- a list", r"mine\.yaml does not say name, title"),
        ("name: [", r"mine\.yaml cannot be read"),
    ],
    ids=[
        "another name",
        "no inputs",
        "no target",
        "family",
        "kinds",
        "no px",
        "no group",
        "no batch size",
        "train",
        "a list",
        "no YAML",
    ],
)
def test_a_methods_file_must_say_what_it_is(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "method").mkdir()
    file = tmp_path / "method" / "mine.yaml"
    monkeypatch.setattr("benchmarks.config.catalogue.CONF", tmp_path)
    file.write_text(COMPLETE)
    assert list(offered.__wrapped__("method")) == ["mine"]
    file.write_text(text)
    with pytest.raises(UserError, match=message):
        offered.__wrapped__("method")


def test_a_name_that_yaml_reads_as_a_number_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "method").mkdir()
    monkeypatch.setattr("benchmarks.config.catalogue.CONF", tmp_path)
    file = tmp_path / "method" / "123.yaml"
    file.write_text(COMPLETE.replace("name: mine", "name: 123"))
    with pytest.raises(
        UserError, match=r"123\.yaml says name: 123, which YAML reads as a number. Quote it: name: '123'"
    ):
        offered.__wrapped__("method")
    file.write_text(COMPLETE.replace("name: mine", "name: '123'"))
    assert list(offered.__wrapped__("method")) == ["123"]


def test_a_dataset_as_the_guide_adds_it_is_read_as_data_folder_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guide = (PROJECT / "docs" / "add-dataset.md").read_text(encoding="utf-8")
    shutil.copytree(CONF, tmp_path / "conf")
    (tmp_path / "conf" / "data" / "mine.yaml").write_text(guide.partition("```yaml\n")[2].partition("```")[0])
    monkeypatch.setattr("benchmarks.config.compose.CONF", tmp_path / "conf")
    mine, folder = (compose(f"data={name}", "data.root=x", "category=x") for name in ("mine", "folder"))
    assert mine.data.name == "mine" and mine.input == folder.input
    assert dict(mine.data) | {"name": "folder", "categories": None} == dict(folder.data)


@pytest.mark.parametrize("name", ["btad", "mpdd", "visa"])
def test_datasets_of_images_take_the_settings_of_a_folder(name: str) -> None:
    config = compose(f"data={name}", "data.root=x", "category=x", "data.layout.good=[fine]", "data.bad=y")
    assert list(config.data.layout.good) == ["fine"] and config.data.bad == "y" and config.input.fit == "squash"
