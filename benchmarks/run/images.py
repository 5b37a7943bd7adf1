"""The benchmark of defects in images: categories in MVTec AD's layout, anomaly maps, a minimum defect area."""

from pathlib import Path

import pandas as pd
from omegaconf import DictConfig, OmegaConf

from benchmarks.common.errors import UserError
from benchmarks.config import instantiated
from benchmarks.data.cache import memo_of
from benchmarks.data.fingerprint import fingerprint
from benchmarks.data.index import Category, ImageFile
from benchmarks.data.layouts import read_category
from benchmarks.data.synthetic import CATEGORIES, SyntheticSpec, write_category
from benchmarks.run.measure import measure
from benchmarks.store.record import Result


class Defects:
    """Images of products; see `measure` for the main line."""

    def read(self, config: DictConfig) -> Category:
        return read_category(_data_root(config), config.category.name)

    def files(self, config: DictConfig, category: Category) -> list[Path]:
        return [category.root]

    def train_fingerprint(self, config: DictConfig, category: Category) -> str:
        return _fingerprint(config, category.train)

    def test_fingerprint(self, config: DictConfig, category: Category) -> str:
        return _fingerprint(config, category.test)

    def measure(self, config: DictConfig, category: Category, folder: Path) -> tuple[Result, pd.DataFrame]:
        return measure(config, category, folder)


def _data_root(config: DictConfig) -> Path:
    """The folder that holds the categories; the built-in dataset is drawn on first use."""
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
    if config.category.name in CATEGORIES:
        write_category(spec, config.category.name, root / spec.key())
    return root / spec.key()


def _fingerprint(config: DictConfig, images: tuple[ImageFile, ...]) -> str:
    cache_dir = Path(config.data.cache_dir) if config.data.cache_dir else None
    return fingerprint(images, memo_of(cache_dir, images))
