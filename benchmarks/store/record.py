"""The record of one run: `run.json`. Everything a table needs, and everything a reader needs to believe it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from math import isclose, isfinite
from pathlib import Path
from typing import Any, Literal

from benchmarks.common.errors import UserError
from benchmarks.common.files import plain_name, read_file
from benchmarks.protocol.decision import Share
from benchmarks.protocol.image_metrics import ImageMetrics
from benchmarks.protocol.pixel_metrics import PixelMetrics
from benchmarks.store import schema
from benchmarks.store.schema import AMOUNT, SHARE

SCHEMA = 3  # raise it when a field changes its meaning, and say in MIGRATIONS how older records are read

RECORD = "run.json"
SCORES = "scores.csv"
CONFIG = "config.yaml"
PRO_CURVE = "pro_curve.csv"
LOGS = "logs"
MAPS = "maps"
FITTED = "method.ckpt"

EXTERNAL = "external"
"""The budget of maps that another program made: nothing is known of what was spent."""

MAP_AREA, OWN = "map_area", "own"
"""What may classify images: score_A of the map, or the method's own image score."""

RANGES = {
    **dict.fromkeys(("auroc", "average_precision", "f1_max", "region_overlap", "iou", "aupro", "aupro_limit"), SHARE),
    **dict.fromkeys(("ratio", "interval", "minimum_area"), SHARE),
    **dict.fromkeys(("seed", "threads", "seconds", "correct", "total", "validation_images", "regions"), AMOUNT),
    **dict.fromkeys(
        ("minimum_area_px", "map_size", "false_alarms_per_good_image", "fit_seconds", "ms_per_image"), AMOUNT
    ),
    **dict.fromkeys(("peak_memory_mib", "peak_gpu_memory_mib"), AMOUNT),
}
"""Of the numbers of a record; a field that is not here may hold any finite number."""

Status = Literal["finished", "failed"]


@dataclass(frozen=True)
class Cell:
    """The place of a run in the store, and in the table."""

    method: str
    category: str
    seed: int

    def __post_init__(self) -> None:
        plain_name("method.name", self.method)
        plain_name("category.name", self.category)

    def __str__(self) -> str:
        return f"{self.method} / {self.category} / seed={self.seed}"


@dataclass(frozen=True)
class OwnScore:
    """The image score of a method that has one of its own beside the map."""

    threshold: float
    """The highest score of the held-out good images."""
    image: ImageMetrics | None
    decides: bool
    """Whether it classified the images (`protocol.image_score=own`), in place of score_A."""


@dataclass(frozen=True)
class Result:
    """What was measured on the test images of one run."""

    threshold: float
    """Of the maps, by score_A; of the scores, where there are no maps."""
    minimum_area: float | None
    """Share of the image area; None, as are the next two, for samples without maps."""
    minimum_area_px: int | None
    """The same in pixels of the method's own map."""
    map_size: tuple[int, int] | None
    """Height and width of the maps."""
    validation_images: int
    good: Share | None
    """Good test images classified correctly; None if there are none."""
    defective: Share | None
    image: ImageMetrics | None
    """Of score_A at the minimum area; None without good or without defective test images."""
    image_of_maximum: ImageMetrics | None
    """The same of the maps' maxima, as the field usually reports it."""
    false_alarms_per_good_image: float | None
    """Regions of at least the minimum area above the threshold, per good test image; None without any, and with `held_out=cross`,
    whose threshold is none for the mean of K maps."""
    pixel: PixelMetrics | None
    """None unless every defective test image has a mask."""
    has_masks: bool
    fit_seconds: float | None
    """None, as are the next three, for maps that another program made."""
    ms_per_image: float | None
    """Anomaly map alone, decoding and scoring not counted."""
    peak_memory_mib: float | None
    """Of the whole run, with the pixels of the test maps that are kept for the metrics."""
    peak_gpu_memory_mib: float | None
    facts: dict[str, str | int | float] = field(default_factory=dict)
    """What the method reports of itself, such as images that could not be aligned."""
    own: OwnScore | None = None

    @property
    def map_threshold(self) -> float | None:
        """What cuts a test image's map; None with `held_out=cross`, whose threshold ranks K scores, not their mean map."""
        return None if "held_out" in self.facts else self.threshold

    @property
    def deciding_threshold(self) -> float:
        """The threshold that images were classified by."""
        return self.own.threshold if self.own is not None and self.own.decides else self.threshold

    @property
    def deciding_image(self) -> ImageMetrics | None:
        """Of the score that images were classified by."""
        return self.own.image if self.own is not None and self.own.decides else self.image

    @property
    def decided_by(self) -> str:
        """`protocol.image_score` of the run; empty for samples without maps."""
        if self.minimum_area is None:
            return ""
        return OWN if self.own is not None and self.own.decides else MAP_AREA


@dataclass(frozen=True)
class Record:
    """One run. `result` is None unless it finished; `error` is empty unless it failed."""

    method: str
    category: str
    kind: str
    seed: int
    dataset: str
    budget: str
    status: Status
    identity: dict[str, Any]
    """`Identity` as JSON: configuration, training data, code, versions. Up to schema 2 the code has one hash, not one a module."""
    test_data: str
    """Fingerprint of the test images, which nobody opens before scoring; empty unless the run finished."""
    revision: str
    device: str
    visible_gpus: str
    """CUDA_VISIBLE_DEVICES as the run saw it: which of several GPUs it was given."""
    threads: int
    """CPU threads that it was given; 0 where that is not known."""
    started: str
    seconds: float
    """Of the whole cell: decoding, fitting, scoring; NaN where that is not known."""
    overrides: tuple[str, ...]
    """What was said on the command line, so that the same cell can be asked for again."""
    warnings: tuple[str, ...] = ()
    """What was left out of the data, and what to mind when reading the numbers."""
    result: Result | None = None
    error: str = ""
    standing: str = ""
    """Of published numbers: self-reported, imported, or verified, with the cells that somebody else ran again."""
    scores_hash: str = ""
    """Of the bytes of `scores.csv`; empty in older records and in failed ones."""
    schema: int = SCHEMA
    as_read: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False, kw_only=True)
    """The JSON that it was read from, whose unknown keys are kept; empty for a new one."""

    @property
    def cell(self) -> Cell:
        return Cell(self.method, self.category, self.seed)

    def to_json(self) -> str:
        """As `run.json` holds it.

        Raises:
            ValueError: a value that no reader would take; names it.
        """
        values = {name: value for name, value in asdict(self).items() if name != "as_read"}
        whole = schema.merged(self.as_read, json.loads(json.dumps(values, default=_number)))
        _record(whole)
        return json.dumps(whole, indent=2, allow_nan=False) + "\n"


def _number(value: Any) -> Any:
    """Of NumPy or torch, as methods may put it among their facts."""
    if hasattr(value, "item"):
        return value.item()
    raise ValueError(f"{value!r} is neither a number nor text")


def read_record(path: Path) -> Record:
    """Read a `run.json` of this version or an older one.

    Raises:
        UserError: the file is not a record, or holds values that no run writes.
    """
    try:
        found = json.loads(read_file(path))
        return _record(_migrated(found))
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        ArithmeticError,
        RecursionError,
        UserError,
    ) as error:
        reason = str(error) if isinstance(error, (ValueError, UserError)) else f"{type(error).__name__}: {error}"
        raise UserError(f"{path} is not a run's record: {reason}. Its run is left out; run its cell again.") from error


def _record(found: Mapping[str, Any]) -> Record:
    """A record from JSON of this schema.

    Raises:
        ValueError, UserError: what is wrong with it.
    """
    record = schema.build(Record, {key: value for key, value in found.items() if key != "as_read"}, RANGES)
    if (record.status == "finished") != (record.result is not None):
        raise ValueError(f"it says {record.status} and holds {'a' if record.result else 'no'} result")
    for what in ("dataset", "budget"):
        plain_name(what, getattr(record, what))
    _ = record.cell
    if not isinstance(record.identity.get("config"), dict):
        raise ValueError("identity.config is missing")
    json.dumps(record.identity, allow_nan=False)
    if record.result and not isfinite(record.result.threshold):
        raise ValueError("result.threshold is missing")
    for side, share in (("good", record.result.good), ("defective", record.result.defective)) if record.result else ():
        if share and not (share.correct <= share.total > 0 and isclose(share.ratio, share.correct / share.total)):
            raise ValueError(f"result.{side}: {share.correct} of {share.total} has not the ratio {share.ratio}")
    return replace(record, as_read=found)


# -- older schemas ----------------------------------------------------------------------------------------------------------------


def _from_1(found: dict[str, Any]) -> dict[str, Any]:
    """Before threshold-free metrics, pixel metrics and the request were kept."""
    result = found["result"]
    if result is not None:
        auroc = result.get("image_auroc")
        result = result | {"image": None if auroc is None else {"auroc": auroc}}
    return {"visible_gpus": "", "threads": 0, "overrides": []} | found | {"result": result, "schema": 2}


def _from_2(found: dict[str, Any]) -> dict[str, Any]:
    """Before `scores.csv` had a checksum, and when one file's content was kept, whichever setting named it."""
    config = dict(found["identity"]["config"])
    content = config.pop("weights_content", None)
    if content is not None:
        config["files"] = {"method.model.weights": content}
    return found | {"identity": found["identity"] | {"config": config}, "schema": 3}


MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _from_1, 2: _from_2}
"""From each older schema to the next one."""


def _migrated(read: Any) -> dict[str, Any]:
    found: dict[str, Any] = read
    if not isinstance(found, dict) or type(found.get("schema")) is not int:
        raise ValueError("it has no schema")
    while found["schema"] != SCHEMA:
        if found["schema"] not in MIGRATIONS:
            raise ValueError(
                f"schema {found['schema']} is of another version of defectbench, this one reads 1 to {SCHEMA}"
            )
        found = MIGRATIONS[found["schema"]](found)
    return found
