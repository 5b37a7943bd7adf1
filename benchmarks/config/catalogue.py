"""What `conf/` offers: methods, categories and other options, and which method applies to which category."""

from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from benchmarks.common.errors import UserError
from benchmarks.common.project import project_file
from benchmarks.common.words import in_plural

CONF = project_file("conf")
OWN = "own"
"""The category file that users' own categories start from."""
MUST_SAY = {"method": ("name", "title", "family", "inputs", "train", "predict_batch_size", "model._target_")}
"""What files of a group say at least, if more than their name."""


FAMILIES = ("paper", "modern", "classic")
IMAGE = ("px", "colour", "patch", "resample")
SEEN = {"texture": IMAGE, "object": IMAGE, "digit": ("px", "standardise"), "table": ("standardise",)}
"""The kinds of categories, and what a method's `inputs` says of each: how it sees its images, digits or rows."""
TRAIN = ("batch_size", "epochs", "images", "samples", "limit")
"""What its `train` may say."""


@cache
def options(group: str) -> dict[str, DictConfig]:
    """The files of a config group by their names. A method is in the benchmark by having a file there.

    Raises:
        UserError: a file that is no YAML, lacks what it must say, or gives itself another name than it has.
    """
    return {path.stem: _option(path, group) for path in sorted((CONF / group).glob("*.yaml"))}


def _holds(config: DictConfig, key: str) -> bool:
    """Whether a file gives a key a value; what an interpolation refers to may come from other files."""
    node: Any = OmegaConf.to_container(config, resolve=False)
    for part in key.split("."):
        node = node.get(part) if isinstance(node, dict) else None
    return node not in (None, "", {}, [])


def _option(path: Path, group: str) -> DictConfig:
    try:
        config = OmegaConf.load(path)
    except (yaml.YAMLError, OmegaConfBaseException, OSError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    needed = MUST_SAY.get(group, ("name",))
    missing = [key for key in needed if not _holds(config, key)] if isinstance(config, DictConfig) else needed
    if missing or not isinstance(config, DictConfig):
        raise UserError(
            f"{path} does not say {', '.join(missing)}. Each file in conf/{group} says {', '.join(needed)}."
        )
    said: Any = OmegaConf.to_container(config, resolve=False)
    name = said["name"]
    if str(name) != path.stem and not str(name).startswith("${"):
        raise UserError(f"{path} says name: {name}, but what is stored is found by the file's name: {path.stem}.")
    if not isinstance(name, str):
        raise UserError(f"{path} says name: {name}, which YAML reads as a number. Quote it: name: '{name}'.")
    for problem in _in_method(said) if group == "method" else ():
        raise UserError(f"{path}: {problem}")
    return config


def _in_method(said: Mapping[str, Any]) -> Iterator[str]:
    """What a method's file says wrongly."""
    if said["family"] not in FAMILIES:
        yield f"family: {said['family']} is none of {', '.join(FAMILIES)}."
    inputs, train = said["inputs"], said["train"]
    if not isinstance(inputs, dict) or not inputs.keys() <= SEEN.keys():
        yield f"inputs says for each kind that the method takes how it sees the images. The kinds are {', '.join(SEEN)}."
        return
    for kind, seen in inputs.items():
        if lacking := [key for key in SEEN[kind] if not isinstance(seen, dict) or key not in seen]:
            yield f"inputs.{kind} does not say {', '.join(lacking)}."
    if not isinstance(train, dict) or "batch_size" not in train:
        yield "train does not say batch_size."
    elif unknown := sorted(train.keys() - TRAIN):
        yield f"train has no {', '.join(unknown)}; it may say {', '.join(TRAIN)}."


@cache
def category_set(name: str | None) -> dict[str, DictConfig]:
    """The settings in `conf/category/<name>`: of categories by their names, and `own` for all others."""
    files = sorted((CONF / "category" / name).glob("*.yaml")) if name else []
    return {path.stem: OmegaConf.load(path) for path in files}  # type: ignore[misc]


def method_names(*kinds: str) -> list[str]:
    """Names that `method=` takes; with kinds of categories, those that apply to one of them."""
    return [name for name, config in options("method").items() if not kinds or set(kinds) & set(config.inputs)]


def methods() -> Iterator[tuple[str, str]]:
    """Name and summary of each method."""
    for name, config in options("method").items():
        yield name, f"{config.title}: {in_plural(config.inputs)}"


def categories() -> list[tuple[str, str]]:
    """Name and kind of each category that has settings of its own, and whose they are."""
    sets = sorted(path.name for path in (CONF / "category").iterdir() if path.is_dir())
    return [
        (name, f"{config.kind} ({owner})")
        for owner in sets
        for name, config in category_set(owner).items()
        if name != OWN
    ]


def applies(method: DictConfig, kind: str) -> bool:
    """Whether a method is meant for a kind of category (PROTOCOL section 3)."""
    return kind in method.inputs


def belongs(method: DictConfig, category: str, kind: str, named: Collection[str] = ()) -> bool:
    """Whether a sweep runs this cell: the method applies, and where the paper runs it on some categories only, it is one of those.

    Args:
        named: categories that the command line names itself; for them the paper's choice does not count.
    """
    paper = method.get("table_categories")
    return applies(method, kind) and (paper is None or category in {*paper, *named})
