"""What is wrong with a composed configuration, said before anything runs. Needs no torch."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from benchmarks.common.errors import UserError, nearest
from benchmarks.config.catalogue import OWN, SEEN, applies, category_set, options
from benchmarks.config.overrides import FLAGS, is_on
from benchmarks.data.synthetic import CATEGORIES
from benchmarks.run.ranges import out_of_range
from benchmarks.store.paper import MVTEC_AD

OF_MAPS: dict[str, Any] = {
    "protocol.held_out": "split",
    "protocol.threshold": "maximum",
    "protocol.image_score": "map_area",
    "protocol.minimum_area": None,
    "protocol.area_grid": None,
    "save_maps": False,
    "save_inspector": False,
    "score_at_epochs": [],
}
"""Settings that only anomaly maps have a use for, and what they are where there are none."""
NAMES = ("method.name", "category.name", "data.name", "budget.name")


def check(config: DictConfig) -> None:
    """Refuse what no cell can run with.

    Raises:
        UserError: with the setting, its value, and what it takes.
    """
    options("method")  # files that do not say what they must
    check_kind(config)
    for problem in _problems(config):
        raise UserError(problem)


def check_kind(config: DictConfig) -> None:
    """Refuse a kind of category that there is not.

    Raises:
        UserError: with the setting, its value, and what it takes.
    """
    if config.category.kind not in SEEN:
        raise UserError(f"category.kind={config.category.kind}: it is one of {', '.join(SEEN)}.")


def check_files(config: DictConfig) -> None:
    """Refuse what the cells of a sweep would each fail with: images or weights that are not there.

    Raises:
        UserError: with the setting and the remedy.
    """
    if "root" in config.data and OmegaConf.is_missing(config.data, "root"):
        raise UserError("Say where your images are: data.root=DIR, the folder that holds the categories.")
    root = config.data.get("root")
    if root and "spec" not in config.data and "samples" not in config.data and not Path(root).is_dir():
        fetch = " `defectbench data download` fetches MVTec AD." if config.data.name == MVTEC_AD else ""
        raise UserError(f"data.root={root}: there is no such folder.{fetch}")
    weights = str(config.method.get("weights") or "")
    if Path(weights).suffix and not Path(weights).is_file():
        raise UserError(f"method.weights={weights}: there is no such file.")


def _problems(config: DictConfig) -> Iterator[str]:
    for key in NAMES:
        if not str(OmegaConf.select(config, key) or "").strip():
            yield f"{key}=null: what is stored is told by this name; it cannot be empty."
    if applies(
        config.method, config.category.kind
    ):  # what a method has for other kinds refers to settings that are not there
        yield from out_of_range(config)
    if not _is_whole(config.seed, 0):
        yield f"seed={config.seed}: it must be a whole number of 0 or more."
    if config.threads is not None and not _is_whole(config.threads, 1):
        yield f"threads={config.threads}: a whole number from 1 on, or null for all that the launcher leaves to a cell."
    if not isinstance(config.checkpoint.minutes, int | float) or not config.checkpoint.minutes >= 0:
        yield f"checkpoint.minutes={config.checkpoint.minutes}: it must be a number of 0 or more."
    if not _is_one_device(config.trainer.devices):
        yield (
            f"trainer.devices={config.trainer.devices}: a cell uses one device. Several GPUs run several cells side by side: "
            "defectbench run -m ... hydra/launcher=ray_gpus"
        )
    if "draw" in config.benchmark and "samples" not in config.data:
        yield f"The dataset {config.data.name} holds images of products: leave benchmark=... out for it."
    if "draw" in config.benchmark and "samples" in config.data:
        yield from _of_maps(config)
    if hint := _unknown_category(config):
        yield hint


def _of_maps(config: DictConfig) -> Iterator[str]:
    """Settings that would change nothing for digits and tables, and yet stand in the record."""
    for key, usual in OF_MAPS.items():
        value = OmegaConf.select(config, key)
        if (is_on(key, value) if key in FLAGS else value) != usual:
            words = "digits and tables have no anomaly maps; protocol.false_alarm_rate decides. Leave it out."
            yield f"{key}={value}: {words}"


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_one_device(devices: object) -> bool:
    """One of any, or one by its number, such as [1]."""
    return str(devices) == "1" or (OmegaConf.is_list(devices) and len(devices) == 1)  # type: ignore[arg-type]


def _unknown_category(config: DictConfig) -> str:
    """A name that is neither in `conf/category` nor a folder of the dataset: users' own images are under data=folder."""
    name, known = config.category.name, category_set(config.data.get("categories")).keys() - {OWN}
    if name in known or not ("spec" in config.data or config.data.name == MVTEC_AD):
        return ""
    if "spec" not in config.data and (Path(str(config.data.root)) / str(name)).is_dir():
        return ""
    names = CATEGORIES if "spec" in config.data else known
    return f"There is no category {name} in data={config.data.name}. {nearest(str(name), names)}"
