"""The record of one run: `run.json`. Everything a table needs, and everything a reader needs to believe it."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from benchmarks.common.errors import UserError
from benchmarks.protocol.decision import Share
from benchmarks.protocol.image_metrics import ImageMetrics
from benchmarks.protocol.pixel_metrics import PixelMetrics

SCHEMA = 2  # raise it when a field changes its meaning

EXTERNAL = "external"
"""The budget of maps that another program made: nothing is known of what was spent."""

MAP_AREA, OWN = "map_area", "own"
"""What may classify images: score_A of the map, or the method's own image score."""

Status = Literal["finished", "failed"]


@dataclass(frozen=True)
class Cell:
    """The place of a run in the store, and in the table."""

    method: str
    category: str
    seed: int

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
    """Regions of at least the minimum area above the threshold, per good test image."""
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
    def deciding_threshold(self) -> float:
        """The threshold that images were classified by."""
        return self.own.threshold if self.own is not None and self.own.decides else self.threshold

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
    """`Identity` as JSON: configuration, training data, code, versions."""
    test_data: str
    """Fingerprint of the test images, which nobody opens before scoring; empty unless the run finished."""
    revision: str
    device: str
    visible_gpus: str
    """CUDA_VISIBLE_DEVICES as the run saw it: which of several GPUs it was given."""
    threads: int
    """CPU threads that it was given."""
    started: str
    seconds: float
    """Of the whole cell: decoding, fitting, scoring."""
    overrides: tuple[str, ...]
    """What was said on the command line, so that the same cell can be asked for again."""
    warnings: tuple[str, ...] = ()
    """What was left out of the data, and what to mind when reading the numbers."""
    result: Result | None = None
    error: str = ""
    standing: str = ""
    """Of published numbers: self-reported, imported, or verified, with the cells that somebody else ran again."""
    schema: int = SCHEMA

    @property
    def cell(self) -> Cell:
        return Cell(self.method, self.category, self.seed)

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2, allow_nan=False) + "\n"


def read_record(path: Path) -> Record:
    """Read a `run.json`.

    Raises:
        UserError: the file is not a record, or one of another version.
    """
    remedy = f"Remove the folder {path.parent} or run its cell again."
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["schema"] != SCHEMA:
            raise UserError(f"{path} was written by another version (schema {found['schema']}, not {SCHEMA}). {remedy}")
        if found["result"] is not None:
            found["result"] = _result(found["result"])
        record = Record(
            **found | {"overrides": tuple(found["overrides"]), "warnings": tuple(found.get("warnings", ()))}
        )
    except UserError:
        raise
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path} is not a run's record ({type(error).__name__}: {error}). {remedy}") from error
    if (record.status == "finished") != (record.result is not None):
        raise UserError(f"{path} says {record.status} and holds {'a' if record.result else 'no'} result. {remedy}")
    return record


def _result(values: dict[str, Any]) -> Result:
    """A result from JSON, which knows neither classes nor tuples."""
    shares = {
        side: Share(**values[side] | {"interval": tuple(values[side]["interval"])}) if values[side] else None
        for side in ("good", "defective")
    }
    metrics = {
        name: kind(**values[name]) if values[name] else None
        for name, kind in (("image", ImageMetrics), ("image_of_maximum", ImageMetrics), ("pixel", PixelMetrics))
    }
    map_size = tuple(values["map_size"]) if values["map_size"] else None
    own = values.get("own")
    if own:
        own = OwnScore(**own | {"image": ImageMetrics(**own["image"]) if own["image"] else None})
    return Result(**values | shares | metrics | {"map_size": map_size, "own": own})
