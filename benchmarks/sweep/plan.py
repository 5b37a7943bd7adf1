"""Which cells a command line asks for: `defectbench run`'s overrides, expanded as Hydra's sweeper does, and nothing run."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from benchmarks.common.errors import UserError
from benchmarks.common.table1 import CategoryFacts, table1
from benchmarks.config.catalogue import CONF, belongs
from benchmarks.config.compose import register_categories, register_resolvers
from benchmarks.config.overrides import chosen
from benchmarks.store.paper import MVTEC_AD
from benchmarks.store.record import Cell
from benchmarks.sweep.work import Work, fits_of, work_of


@dataclass(frozen=True)
class Images:
    """Decoded images that a cell keeps in the cache."""

    key: str
    """Cells with equal keys share them."""
    mib: float


@dataclass(frozen=True)
class PlannedCell:
    """One cell to be run."""

    cell: Cell
    kind: str
    dataset: str
    budget: str
    results: Path
    cache: tuple[Images, ...] | None
    """What it adds to the cache; None where the number and size of the images are not known without the files."""
    work: Work
    on_gpu: bool
    """Whether the trainer insists on one."""
    config: DictConfig | None = field(default=None, compare=False, repr=False)
    """What it was planned from; cells that differ in nothing but the seed share it."""


@dataclass(frozen=True)
class QueuedCell:
    """A planned cell of a sweep that is to be run."""

    planned: PlannedCell
    overrides: tuple[str, ...]
    expected_seconds: float | None
    """None where no such cell was ever measured."""


def workers_of(overrides: Sequence[str]) -> tuple[int, list[str]]:
    """The number that `gpus=N` gives (one without it), and the other overrides.

    Raises:
        UserError: it is not a whole number.
    """
    workers, rest = 1, []
    for text in overrides:
        if text.startswith("gpus="):
            workers = _whole_number(text)
        else:
            rest.append(text)
    return workers, rest


def _whole_number(override: str) -> int:
    name, _, value = override.partition("=")
    try:
        return int(value)
    except ValueError:
        raise UserError(f"{name}={value} is not a whole number.") from None


def planned_cells(overrides: Sequence[str]) -> tuple[list[PlannedCell], int]:
    """The cells that apply, in the sweep's order, and the number of those that do not.

    Raises:
        HydraException: an override or an option that does not exist.
    """
    from hydra import compose, initialize_config_dir

    register_resolvers()
    overrides = register_categories(overrides)
    cells, left_out = [], 0
    named = chosen(overrides, "category")
    composed: dict[tuple[str, ...], DictConfig] = {}
    with initialize_config_dir(str(CONF), version_base="1.3"):
        for job in _jobs(overrides):
            rest = tuple(text for text in job if not text.startswith("seed="))
            if rest not in composed:  # a tenth of a second each; seeds differ in nothing else
                composed[rest] = compose("config", list(rest))
            config = composed[rest]
            seed = next((_whole_number(text) for text in job if text.startswith("seed=")), config.seed)
            if belongs(config.method, config.category.name, config.category.kind, named):
                cells.append(planned_cell(config, seed))
            else:
                left_out += 1
    return cells, left_out


def _jobs(overrides: Sequence[str]) -> list[tuple[str, ...]]:
    """The overrides of each job; what an experiment sweeps over is overruled by what the command line says."""
    from hydra import compose

    parser = OverridesParser.create()
    given = parser.parse_overrides(list(overrides))
    fixed = [override.input_line for override in given if not override.is_sweep_override()]
    params = compose("config", [line for line in fixed if line], return_hydra_config=True).hydra.sweeper.params or {}
    swept = parser.parse_overrides([f"{key}={value}" for key, value in params.items()])
    return expanded([*swept, *given])


def expanded(overrides: Iterable[Override]) -> list[tuple[str, ...]]:
    """The overrides of each job, all combinations of what is swept over. The last word on a key counts.

    Raises:
        UserError: a sweep over an interval.
    """
    values: dict[str, list[str]] = {}
    for override in overrides:
        key = override.get_key_element()
        if override.is_sweep_override() and not override.is_discrete_sweep():
            raise UserError(f"{override.input_line}: sweep over a list, such as {key}=1,2,3, or range(1,4).")
        swept = override.is_sweep_override()
        texts = override.sweep_string_iterator() if swept else [override.get_value_element_as_str()]
        values[key] = [f"{key}={text}" for text in texts]
    return list(product(*values.values()))


def planned_cell(config: DictConfig, seed: int) -> PlannedCell:
    """The cell that a configuration names, with another seed."""
    facts = table1().get(config.category.name) if config.data.name == MVTEC_AD else None
    return PlannedCell(
        Cell(config.method.name, config.category.name, seed),
        config.category.kind,
        config.data.name,
        config.budget.name,
        Path(config.results.dir),
        None if facts is None else tuple(_images(config, facts)),
        _work(config, facts),
        config.trainer.accelerator == "gpu",
        config,
    )


def _work(config: DictConfig, facts: CategoryFacts | None) -> Work:
    method: dict[str, Any] = OmegaConf.to_container(config.method, resolve=True)  # type: ignore[assignment]
    if facts is None:
        return work_of(method, config.category.kind, None, None)
    fits = fits_of(config.protocol)
    images = _held_out(config, facts) + fits * (facts.test_good + facts.test_defective)
    return work_of(method, config.category.kind, facts.side_px, images, fits)


def _held_out(config: DictConfig, facts: CategoryFacts) -> int:
    share: float = config.protocol.validation_share if config.protocol.held_out == "split" else 1.0
    return round(share * facts.train_good)


def _images(config: DictConfig, facts: CategoryFacts) -> Iterable[Images]:
    """All training and all test images, the same for every seed."""
    if not config.data.cache_dir:
        return
    decoding = f"{config.category.name} {config.input.px} {config.input.colour} {config.input.resample}"
    size = _mib_per_image(config, facts)
    yield Images(f"{decoding} train", facts.train_good * size)
    yield Images(f"{decoding} test", (facts.test_good + facts.test_defective) * size)


def _mib_per_image(config: DictConfig, facts: CategoryFacts) -> float:
    gray = config.input.colour == "gray" or (config.input.colour == "as_file" and facts.grayscale)
    side = config.input.px or facts.side_px
    return side * side * (1 if gray else 3) / 2**20


def distinct(cells: Iterable[PlannedCell]) -> Iterator[Images]:
    """What several cells need of the cache, each once."""
    yield from {images.key: images for cell in cells for images in cell.cache or ()}.values()
