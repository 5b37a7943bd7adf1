"""The benchmark of defects in images: categories in MVTec AD's layout, anomaly maps, a minimum defect area."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from omegaconf import DictConfig, OmegaConf

from benchmarks.common.errors import UserError
from benchmarks.config.targets import instantiated
from benchmarks.data.cache import memo_of
from benchmarks.data.fingerprint import fingerprint
from benchmarks.data.index import Category, ImageFile
from benchmarks.data.layouts import read_category, with_bad_parts
from benchmarks.data.names import Layout
from benchmarks.data.survey import survey
from benchmarks.data.synthetic import CATEGORIES, SyntheticSpec, write_category
from benchmarks.protocol.thresholds import Rule
from benchmarks.store.record import Result

if TYPE_CHECKING:
    from benchmarks.run.state import CellState

log = logging.getLogger(__name__)


class Defects:
    """Images of products; see `measure` for the main line."""

    # what the index finds is hashed by content, so how it finds it decides nothing
    modules = tuple(
        f"benchmarks.{room}.{name}"
        for room, names in {
            "common": ("seeding",),
            "data": (
                "augmentation",
                "cache",
                "datamodule",
                "datasets",
                "images",
                "masks",
                "order",
                "placement",
                "split",
            ),
            "protocol": (
                "area_score",
                "cross",
                "decision",
                "image_metrics",
                "insertion_points",
                "intervals",
                "pixel_metrics",
                "regions",
                "sorted_parts",
                "thresholds",
            ),
            "run": ("callbacks", "committee", "epochs", "measure", "method", "result", "scores", "trainer"),
        }.items()
        for name in names
    )

    def read(self, config: DictConfig, make: bool = True) -> Category:
        layout = layout_of(config)
        category = read_category(_data_root(config, make), config.category.name, layout)
        bad = _bad_parts(config)
        return category if bad is None else with_bad_parts(category, bad, layout)

    def files(self, config: DictConfig, category: Category) -> list[Path]:
        bad = _bad_parts(config)
        folders = [category.root] if bad is None else [category.root, bad]
        table = layout_of(config).table
        listed = [] if table is None else [Path(config.data.root) / table]  # as `read_category` takes it
        return [
            *folders,
            *listed,
            *(path for path in _paths(category) if not any(_is_below(path, place) for place in folders)),
        ]

    def survey(self, config: DictConfig, category: Category) -> list[str]:
        found = survey(category, _held_out_share(config), config.input.bits)
        found.refuse()
        for text in found.texts("note"):
            log.info("note: %s", text)
        for text in found.texts("warning"):
            log.warning("warning: %s", text)
        return found.texts("warning")

    def train_fingerprint(self, config: DictConfig, category: Category) -> str:
        return _fingerprint(config, category.train)

    def test_fingerprint(self, config: DictConfig, category: Category) -> str:
        return _fingerprint(config, category.test)

    def validate(self, config: DictConfig, category: Category) -> None:
        from benchmarks.run.measure import check_request  # torch and Lightning, which comparing runs can do without
        from benchmarks.run.trainer import check_trainer

        check_request(config, category)
        check_trainer(config)

    def measure(self, config: DictConfig, category: Category, folder: Path, state: "CellState") -> Result:
        from benchmarks.run.measure import measure

        result = measure(config, category, folder, state)
        if not category.split:
            return result
        _split_table(category).to_csv(folder / "split.csv", index=False)
        return replace(result, facts=result.facts | {"test_images": category.split})


def _held_out_share(config: DictConfig) -> float | None:
    """The share of the good images that the threshold comes from; None where none of them sets it."""
    if not Rule.of(config.protocol.threshold).images_needed:
        return None
    return 1.0 if config.protocol.held_out == "cross" else float(config.protocol.validation_share)


def _split_table(category: Category) -> pd.DataFrame:
    """Which file is for training and which for testing, where that was drawn."""
    parts = (("train", category.train), ("test", category.test))
    rows = [(image.name, part, image.defect_type) for part, images in parts for image in images]
    return pd.DataFrame(rows, columns=["path", "split", "defect_type"])


def _paths(category: Category) -> Iterator[Path]:
    for image in (*category.train, *category.test):
        yield image.path
        if image.mask is not None:
            yield image.mask


def _is_below(path: Path, folder: Path) -> bool:
    return path.is_relative_to(folder) and ".." not in path.relative_to(folder).parts


def _bad_parts(config: DictConfig) -> Path | None:
    """A folder of bad parts that lies elsewhere: `data.bad`."""
    return Path(config.data.bad) if config.data.get("bad") else None


def layout_of(config: DictConfig) -> Layout:
    """How the categories' folders are read: `data.layout`."""
    settings: Any = OmegaConf.to_container(config.data.get("layout") or OmegaConf.create({}), resolve=True)
    return Layout(**settings)


def _data_root(config: DictConfig, make: bool) -> Path:
    """The folder that holds the categories; the built-in dataset is drawn on first use, if it may be."""
    if OmegaConf.is_missing(config.data, "root"):
        raise UserError("Say where your images are: data.root=DIR, the folder that holds the categories.")
    if "samples" in config.data:
        raise UserError(
            f"The dataset {config.data.name} has no images of products: add benchmark=mnist for digits, benchmark=creditcard "
            "for tables."
        )
    root = Path(config.data.root)
    if "spec" not in config.data:
        return root
    spec: SyntheticSpec = instantiated(config.data.spec)
    if make and config.category.name in CATEGORIES:
        write_category(spec, config.category.name, root / spec.key())
    return root / spec.key()


def _fingerprint(config: DictConfig, images: tuple[ImageFile, ...]) -> str:
    cache_dir = Path(config.data.cache_dir) if config.data.cache_dir else None
    return fingerprint(images, memo_of(cache_dir, images), anew=config.force)
