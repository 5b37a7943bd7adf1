"""Maps that another program made, through our protocol and metrics, to records beside those of our own runs."""

import logging
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from benchmarks.common import provenance
from benchmarks.common.errors import UserError
from benchmarks.common.files import write_text
from benchmarks.common.project import revision
from benchmarks.config.catalogue import CONF
from benchmarks.config.compose import composed
from benchmarks.config.overrides import quoted
from benchmarks.data.fingerprint import fingerprint, hash_of
from benchmarks.data.images import size_of
from benchmarks.data.index import Category, ImageFile
from benchmarks.data.layouts import read_category
from benchmarks.data.map_files import VALIDATION, map_path, read_map
from benchmarks.data.names import Layout
from benchmarks.data.survey import survey
from benchmarks.protocol.thresholds import MAXIMUM, Rule
from benchmarks.run.images import Defects, layout_of
from benchmarks.run.result import result_of
from benchmarks.run.scores import Scores, write_scores
from benchmarks.run.settings import check_kind
from benchmarks.store.identity import Identity, code_fingerprint
from benchmarks.store.record import CONFIG, EXTERNAL, RECORD, SCORES, Cell, Record
from benchmarks.store.runs import RunStore
from benchmarks.store.scores import hash_of_scores

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MapFolder:
    """The maps of one method for one category."""

    method: str
    category: str
    path: Path


@dataclass(frozen=True)
class Request:
    """What the command line asks for."""

    root: Path
    """Dataset: the folder that holds the categories, with their images and masks."""
    dataset: str
    results: Path
    seed: int
    threshold: float | None
    """None: from the validation maps, by the protocol."""
    overrides: tuple[str, ...]
    """Of `protocol` and `category`, as `defectbench run` takes them."""
    maps_from: str = ""
    """What the record names as the maps' source; empty: their folder."""


def find_maps(folder: Path, method: str | None) -> list[MapFolder]:
    """The categories' folders below `folder`: `<category>/test` or, one level down, `<method>/<category>/test`.

    Args:
        method: its name in the tables; None takes the name of its folder.

    Raises:
        UserError: there are none, or several methods for one name.
    """
    if not folder.is_dir():
        raise UserError(f"No folder {folder}. Give the folder that holds the maps.")
    for pattern in ("*/test", "*/*/test"):
        found = sorted(path.parent for path in folder.glob(pattern) if path.is_dir())
        if not found:
            continue
        names = {path.parent.resolve().name for path in found}
        if method is not None and len(names) > 1:
            raise UserError(f"{folder} holds the maps of {', '.join(sorted(names))}: which one is --method {method}?")
        return [MapFolder(method or path.parent.resolve().name, path.name, path) for path in found]
    raise UserError(
        f"{folder} holds no maps: they belong in <category>/test/<type>/NNN.tiff or <method>/<category>/test/<type>/NNN.tiff."
    )


def evaluate(maps: MapFolder, request: Request) -> Record:
    """Score the maps of one category and keep the record.

    Raises:
        UserError: a map is missing, or cannot be used; no validation maps and no threshold; the store holds a run of ours there.
    """
    config = _config(maps.category, request)
    category = _category(maps, request.root, layout_of(config))
    surveyed = survey(category)
    surveyed.refuse()
    test = _test_files(maps.path, category)
    rule = Rule.of(config.protocol.threshold)
    validation = _validation_files(maps.path, category, rule) if rule.images_needed else {}
    cell = Cell(maps.method, maps.category, request.seed)
    store = RunStore(request.results)
    start = time.perf_counter()
    with store.claim(cell):
        _refuse_to_replace_ours(store, cell)
        log.info("evaluating: %s, %d test maps in %s", cell, len(test), maps.path)
        record = _record(maps, request, config, category, tuple(surveyed.texts("warning")))
        with store.writing(cell) as folder:
            write_text(folder / CONFIG, OmegaConf.to_yaml(_deciding(config), resolve=True))
            scores = _scores(config, category, validation, test)
            facts: dict[str, str | int | float] = {
                "maps_from": request.maps_from or str(maps.path),
                "maps_hash": _hash([*validation, *test]),
                "threshold_from": "validation" if rule.images_needed else "given",
                **({} if rule == MAXIMUM else {"threshold_rule": str(rule)}),
            }
            result = result_of(scores, folder, facts)
            write_scores(scores.table(), folder)
            record = replace(
                record,
                status="finished",
                result=result,
                scores_hash=hash_of_scores((folder / SCORES).read_bytes()),
                seconds=time.perf_counter() - start,
            )
            write_text(folder / RECORD, record.to_json())
    return record


def _refuse_to_replace_ours(store: RunStore, cell: Cell) -> None:
    found = store.find(cell)
    if found is not None and found.budget != EXTERNAL:
        raise UserError(
            f"{store.folder(cell)} holds a run of the benchmark itself (budget {found.budget}), which stays: give --method NAME "
            "or --results DIR."
        )


def _scores(
    config: DictConfig,
    category: Category,
    validation: dict[Path, ImageFile],
    test: dict[Path, ImageFile],
) -> Scores:
    """The main line of a run (`measure`), with maps that are read instead of made."""
    scores = Scores(category, config.protocol)
    for path, image in validation.items():
        scores.add_validation(image, read_map(path, size_of(image.path)).own_HW)
    scores.start_test()
    for path, image in test.items():
        stored = read_map(path, size_of(image.path))
        scores.add_test(image, stored.own_HW, at_image_size_HW=stored.at_image_size_HW)
    return scores


def _config(category: str, request: Request) -> DictConfig:
    """Data, protocol and category as `defectbench run` would have them."""
    if request.threshold is not None and not math.isfinite(request.threshold):
        raise UserError(f"--threshold {request.threshold} is not a number that scores can be compared with.")
    given = [] if request.threshold is None else [f"protocol.threshold=given:{request.threshold!r}"]
    if given and (twice := [text for text in request.overrides if text.lstrip("+").startswith("protocol.threshold=")]):
        raise UserError(f"--threshold {request.threshold} and {twice[0]} both say the threshold. Leave one out.")
    data = request.dataset if (CONF / "data" / f"{request.dataset}.yaml").is_file() else "folder"
    config = composed([f"data={data}", quoted("category", category), *request.overrides, *given])
    check_kind(config)
    return config


def _deciding(config: DictConfig) -> DictConfig:
    """The part of the configuration that scores of given maps depend on."""
    return OmegaConf.masked_copy(config, ["protocol", "category"])


def _category(maps: MapFolder, root: Path, layout: Layout) -> Category:
    try:
        return read_category(root, maps.category, layout)
    except UserError as error:
        raise UserError(f"{maps.path} has no matching images: {error}") from error


def _test_files(folder: Path, category: Category) -> dict[Path, ImageFile]:
    """The map of each test image, in their order; every image has one, every map belongs to one."""
    files = {folder / map_path(image): image for image in category.test}
    for path, image in files.items():
        if not path.is_file():
            raise UserError(f"{path} is missing, the map of {image.path}: every test image needs one.")
    for path in _tiffs(folder / "test"):
        if path not in files:
            raise UserError(f"{path} matches no test image. Remove it, or give the dataset that it belongs to.")
    return files


def _validation_files(folder: Path, category: Category, rule: Rule) -> dict[Path, ImageFile]:
    """The maps of held-out good images."""
    known = {folder / map_path(image): image for image in category.train}
    found = list(_tiffs(folder / VALIDATION))
    if not found:
        raise UserError(
            f"{folder / VALIDATION} holds no maps, and the protocol takes its threshold from good training images that the method "
            "was not fitted to. Write their maps there, or give --threshold."
        )
    for path in found:
        if path not in known:
            raise UserError(
                f"{path} matches no good training image: {category.root / 'train' / 'good'} has no '{path.stem}'."
            )
    if len(found) < rule.images_needed:
        raise UserError(
            f"{folder / VALIDATION} holds {len(found)} maps, and protocol.threshold={rule} needs {rule.images_needed} held-out "
            "good images. Write more maps there, or choose a larger ALPHA."
        )
    return {path: known[path] for path in found}


def _tiffs(folder: Path) -> Iterator[Path]:
    return iter(sorted(path for path in folder.rglob("*.tiff") if not path.name.startswith(".")))


def _record(
    maps: MapFolder, request: Request, config: DictConfig, category: Category, warnings: tuple[str, ...]
) -> Record:
    """The record before anything was measured."""
    settings = OmegaConf.to_container(_deciding(config), resolve=True)
    deciding = {**settings, "seed": request.seed}  # type: ignore[dict-item]
    identity = Identity(
        config=deciding,
        train_data="",  # what the other program was fitted to is not known
        code=code_fingerprint([], [__name__, "benchmarks.data.map_files", *Defects.modules]),
        versions=provenance.versions(),
    )
    return Record(
        method=maps.method,
        category=maps.category,
        kind=config.category.kind,
        seed=request.seed,
        dataset=request.dataset,
        budget=EXTERNAL,
        status="failed",
        identity=asdict(identity),
        test_data=fingerprint(category.test, None),
        revision=revision(),
        device=EXTERNAL,
        visible_gpus="",
        threads=1,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=0.0,
        overrides=request.overrides,
        warnings=warnings,
    )


def _hash(paths: Sequence[Path]) -> str:
    """Of the contents of all maps, in their order."""
    total = blake2b(digest_size=16)
    for path in paths:
        total.update(hash_of(path).encode())
    return total.hexdigest()
