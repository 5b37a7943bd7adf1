"""`COLUMNS`: the one registry of metrics and of the columns of `leaderboard.csv`.

A metric is one entry: its name, its meaning and range, where it lies in a run's record, how the seeds are summed up, its heading,
unit and whether higher is better. Leaderboard, tables, page and `results/LEADERBOARD.md` follow from it; the last is printed by
`python -m benchmarks.store.columns`.
"""

from dataclasses import dataclass, replace
from math import inf
from typing import Any, Literal

import pandas as pd

from benchmarks.common.errors import UserError

ROUNDING = 1e-9  # a mean of ones may come out as 1.0000000000000002
Kind = Literal["text", "integer", "number", "boolean", "list"]
Summary = Literal["", "mean", "std", "each", "largest", "first"]


@dataclass(frozen=True)
class Column:
    """What a column holds. A list is text: numbers with a space between, one for each seed in the order of `seeds`."""

    kind: Kind
    meaning: str
    low: float | None = None
    high: float | None = None
    required: bool = False
    field: str = ""
    """Where each seed's number lies in its `Result`, such as `pixel.aupro`; empty where the column follows from others."""
    summary: Summary = ""
    """How the seeds' numbers become one: `each` is a list; `std` is empty for a single seed, which has no spread."""
    title: str = ""
    """Heading in tables and on the page; empty for what they do not show."""
    unit: str = ""
    form: str = ".3f"
    higher_is_better: bool | None = None

    @property
    def values(self) -> str:
        """Its kind and range, in words."""
        bounds: dict[tuple[float | None, float | None], str] = {
            (None, None): "",
            (0, None): ", 0 or more",
            (0, 1): ", 0 to 1",
            (-1, 1): ", -1 to 1",
        }
        return f"{self.kind}{bounds[self.low, self.high]}" + ("" if self.required else "; may be empty")

    def complaint(self, value: Any) -> str | None:
        """What is wrong with a value; None if nothing is."""
        if is_empty(value):
            return "is empty" if self.required else None
        if self.kind in {"text", "list"} and not isinstance(value, str):
            return f"is {value!r}, not text"
        if self.kind == "text":
            return "is empty" if self.required and not value else None
        if self.kind == "boolean":
            return None if value in {True, False} else f"is {value!r}, not True or False"
        try:
            numbers = [float(part) for part in value.split()] if self.kind == "list" else [float(value)]
        except (TypeError, ValueError):
            return f"is {value!r}, not {'numbers' if self.kind == 'list' else 'a number'}"
        if self.kind == "integer" and not numbers[0].is_integer():
            return f"is {value!r}, not a whole number"
        low, high = (bound if bound is not None else end for bound, end in ((self.low, -inf), (self.high, inf)))
        outside = [number for number in numbers if not low - ROUNDING <= number <= high + ROUNDING]
        return f"is {outside[0]:g}, outside its range ({self.values})" if outside else None


def _share(meaning: str, required: bool = False) -> Column:
    return Column("number", meaning, 0, 1, required)


def _name(meaning: str) -> Column:
    return Column("text", meaning, required=True)


def _metric(name: str, field: str, title: str, meaning: str, **more: Any) -> dict[str, Column]:
    """A metric, mean over the seeds, and its standard deviation."""
    low, high = more.pop("low", 0), more.pop("high", 1)
    mean = Column(
        "number", f"{meaning}, mean over the seeds", low, high, field=field, summary="mean", title=title, **more
    )
    spread = Column("number", f"standard deviation of {name} over the seeds (population); empty for one", 0, high)
    return {name: mean, spread_of(name): replace(spread, field=field, summary="std")}


def spread_of(metric: str) -> str:
    """The column that holds the standard deviation of a metric over the seeds."""
    return f"{metric.removesuffix('_accuracy')}_std"


def _side(name: str, field: str, images: str) -> dict[str, Column]:
    """One row of Table 2."""
    return {
        **_metric(
            f"{name}_accuracy",
            f"{field}.ratio",
            field,
            f"share of {images} classified correctly",
            higher_is_better=True,
        ),
        f"{name}_counts": Column(
            "list", f"{images} classified correctly, for each seed", 0, field=f"{field}.correct", summary="each"
        ),
        f"{name}_total": Column("integer", images, 0, field=f"{field}.total", summary="first"),
        f"{name}_low": _share(f"lower end of the 95 % interval of {name}_accuracy, see `interval`"),
        f"{name}_high": _share("upper end"),
    }


def _cost(name: str, title: str, unit: str, form: str, summary: Summary, meaning: str) -> dict[str, Column]:
    what = {"mean": "mean over the seeds", "largest": "the largest of the seeds"}[summary]
    return {
        name: Column(
            "number",
            f"{meaning}, {what}; empty for maps from elsewhere",
            0,
            field=name,
            summary=summary,
            title=title,
            unit=unit,
            form=form,
            higher_is_better=False,
        )
    }


BETTER: dict[str, Any] = {"higher_is_better": True}
COLUMNS = {
    "dataset": _name("name of the dataset; only mvtec_ad is compared with the paper"),
    "budget": _name("name of the budget; `published` in rows of numbers from elsewhere"),
    "method": _name("name of the method"),
    "category": _name("name of the category"),
    "kind": _name("texture or object"),
    "source": Column(
        "text", "where a number from elsewhere was published (`report --add`, `report --references`); empty for our own runs"
    ),
    "reference_for": Column("text", "the method whose published number the row is; else empty"),
    "seeds": Column("list", "the seeds that the row is made of", 0),
    "failed_seeds": Column("list", "seeds of the same cell whose run failed, and which the row lacks", 0),
    **_side("normal", "good", "good test images"),
    **_side("anomalous", "defective", "defective test images"),
    "interval": Column(
        "text",
        "kind of the intervals: `wilson` of the mean count over the seeds, rounded, or `bootstrap` over images, all seeds "
        "together (Wilson's where all images are decided alike). Seeds share the test images, so they are never pooled",
    ),
    "balanced_accuracy": Column(
        "number", "mean of normal_accuracy and anomalous_accuracy", 0, 1, title="balanced", higher_is_better=True
    ),
    **_metric("image_auroc", "image.auroc", "image AUROC", "area under the ROC curve of score_A", **BETTER),
    "image_aurocs": Column("list", "image_auroc of each seed", 0, 1, field="image.auroc", summary="each"),
    **_metric("image_average_precision", "image.average_precision", "image AP", "average precision of score_A", **BETTER),
    **_metric("image_f1_max", "image.f1_max", "image F1 max", "highest F1 of score_A over all thresholds", **BETTER),
    **_metric("image_auroc_of_maximum", "image_of_maximum.auroc", "AUROC of maximum", "AUROC of the maps' maxima", **BETTER),
    **_metric("image_own", "own.image.auroc", "own AUROC", "AUROC of the method's own image score, where it has one", **BETTER),
    **_metric(
        "false_alarms_per_good_image",
        "false_alarms_per_good_image",
        "false regions",
        "regions above the threshold per good test image",
        high=None,
        form=".2f",
        higher_is_better=False,
    ),
    **_metric("region_overlap", "pixel.region_overlap", "overlap", "covered share of each defect region (Table 3)", **BETTER),
    **_metric("pixel_auroc", "pixel.auroc", "pixel AUROC", "over all pixels of the category (Table 3); needs masks", **BETTER),
    **_metric("pixel_average_precision", "pixel.average_precision", "pixel AP", "as for pixel_auroc", **BETTER),
    **_metric("iou", "pixel.iou", "IoU", "of found and true defect pixels at the threshold", **BETTER),
    **_metric("aupro", "pixel.aupro", "AU-PRO", "area under the per-region-overlap curve up to aupro_limit", **BETTER),
    "aupro_limit": Column(
        "number", "the false-positive rate up to which aupro is integrated", 0, 1, field="pixel.aupro_limit", summary="first"
    ),
    "paper_normal": _share("the paper's value (Table 2)"),
    "paper_anomalous": _share("the paper's value (Table 2)"),
    "paper_region_overlap": _share("the paper's value (Table 3)"),
    "paper_pixel_auroc": _share("the paper's value (Table 3)"),
    "difference_normal": Column("number", "normal_accuracy - paper_normal", -1, 1),
    "difference_anomalous": Column("number", "anomalous_accuracy - paper_anomalous", -1, 1),
    "difference_region_overlap": Column("number", "region_overlap - paper_region_overlap", -1, 1),
    "difference_pixel_auroc": Column("number", "pixel_auroc - paper_pixel_auroc", -1, 1),
    "paper_normal_inside": Column("boolean", "whether the paper's value, printed with two digits, lies in the interval"),
    "paper_anomalous_inside": Column("boolean", "as for normal"),
    "thresholds": Column("list", "threshold of score_A, for each seed", field="threshold", summary="each"),
    "minimum_area": _share("minimum defect area, share of the image; empty for samples without maps"),
    "decided_by": Column("text", "the score that classified the images: `map_area`, score_A; `own`, the method's own image score"),
    "validation_images": Column("integer", "held-out good images that the threshold comes from", 0),
    "masks": Column("boolean", "whether all defective images have masks; without them there are no pixel metrics"),
    "training_samples": Column("integer", "samples drawn in training, epochs x samples of each; empty if nothing is trained", 0),
    **_cost("fit_seconds", "fit, s", "s", ".1f", "mean", "time to fit"),
    **_cost("ms_per_image", "ms/image", "ms", ".1f", "mean", "time for one anomaly map"),
    **_cost("peak_memory_mib", "memory, MiB", "MiB", ".0f", "largest", "resident memory of the run"),
    **_cost("peak_gpu_memory_mib", "GPU memory, MiB", "MiB", ".0f", "largest", "GPU memory; empty without a GPU"),
    "device": Column("text", "on what it ran", title="device", form=""),
    "weights": Column("text", "pretrained weights, such as imagenet; the numbers of `random` mean nothing"),
    "facts": Column("text", "what the method reports of itself"),
    "revision": Column("text", "git revisions of the code"),
    "versions": Column("text", "versions of the packages that compute"),
}  # fmt: skip
"""Names in their order. Rows are sorted by the first four."""

METRICS = {name: column for name, column in COLUMNS.items() if column.summary == "mean" and column.high == 1}
"""What tables of one's choice may show (`report --metrics`), and reference files may hold."""


def is_empty(value: Any) -> bool:
    """Whether a row has no such value: None or NaN."""
    return value is None or bool(value != value)


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table whose columns have names; a third of the time of pandas' own."""
    names = [str(name) for name in frame.columns]
    columns = [column.tolist() for _, column in frame.items()]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def validate(frame: pd.DataFrame) -> None:
    """Check a leaderboard against `COLUMNS` before it is written.

    Raises:
        UserError: a column or value that the schema does not allow; the message names cell, column and value.
    """
    if list(frame.columns) != list(COLUMNS):
        wrong = sorted(set(frame.columns) ^ set(COLUMNS))
        raise UserError(f"A leaderboard has the columns of results/LEADERBOARD.md in their order; wrong: {wrong}.")
    for row in rows_of(frame):
        for name, column in COLUMNS.items():
            if complaint := column.complaint(row[name]):
                raise UserError(
                    f"{row['method']} / {row['category']} ({row['dataset']}, budget {row['budget']}): {name} {complaint}. "
                    "No leaderboard is written; look at run.json of its seeds, or run them again."
                )


def schema_page() -> str:
    """`results/LEADERBOARD.md`."""
    lines = [
        "# leaderboard.csv",
        "",
        "One row for each dataset, budget, method and category, over all its seeds; rows of published numbers (`report --add`)",
        "name their source. UTF-8, comma-separated, six significant digits, empty where a run has no such number. Checked against",
        "this table whenever it is written. Made from `benchmarks/store/columns.py` by `python -m benchmarks.store.columns`.",
        "",
        "The seeds' numbers lie in `result` of their `run.json`, where the table says.",
        "",
        "| column | values | meaning | in the record | better |",
        "|---|---|---|---|---|",
        *(_schema_line(name, column) for name, column in COLUMNS.items()),
    ]
    return "\n".join(lines) + "\n"


def _schema_line(name: str, column: Column) -> str:
    better = {True: "higher", False: "lower", None: ""}[column.higher_is_better]
    unit = f", {column.unit}" if column.unit else ""
    return f"| `{name}` | {column.values}{unit} | {column.meaning} | {f'`{column.field}`' if column.field else ''} | {better} |"


if __name__ == "__main__":
    print(schema_page(), end="")
