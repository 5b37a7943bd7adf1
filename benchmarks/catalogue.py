"""What can be chosen: the methods and categories that `conf/` holds. A method is in the benchmark by having a file there."""

from collections.abc import Iterator
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from benchmarks.data.index import category_names, read_category

CONF = Path(__file__).resolve().parents[1] / "conf"
OWN = "own"


def _configs(group: str) -> Iterator[DictConfig]:
    for path in sorted((CONF / group).glob("*.yaml")):
        config = OmegaConf.load(path)
        assert isinstance(config, DictConfig)
        yield config


def method_names(*kinds: str) -> list[str]:
    """Names that `method=` takes; with kinds of categories, those that apply to one of them."""
    return [config.name for config in _configs("method") if not kinds or set(kinds) & set(config.inputs)]


def belongs(method: str, category: str, kind: str) -> bool:
    """Whether a sweep over everything runs this cell: the method takes the kind, and the paper runs it on this category."""
    return any(
        config.name == method and kind in config.inputs and category in config.get("table_categories", [category])
        for config in _configs("method")
    )


def methods() -> list[tuple[str, str]]:
    """Name and summary of each method."""
    return [(config.name, f"{config.title}: {' and '.join(config.inputs)}s") for config in _configs("method")]


def categories() -> list[tuple[str, str]]:
    """Name and kind of each category that has a file, the starting point of users' own left out."""
    return [(config.name, config.kind) for config in _configs("category") if config.name != OWN]


def categories_in(root: Path) -> list[tuple[str, str]]:
    """Name and image counts of each category in a dataset folder."""
    found = []
    for name in category_names(root):
        category = read_category(root, name)
        good = sum(not image.is_defective for image in category.test)
        counts = f"{len(category.train)} train, {good} good and {len(category.test) - good} defective test images"
        found.append((name, f"{counts}, {'with' if category.has_masks else 'without'} masks"))
    return found
