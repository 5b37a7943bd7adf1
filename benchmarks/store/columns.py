"""The schema of `leaderboard.csv`: the one place that says which columns it has, what they mean and what they may hold.

`python -m benchmarks.store.columns` prints `results/LEADERBOARD.md`.
"""

from dataclasses import dataclass
from math import inf
from typing import Any, Literal

import pandas as pd

from benchmarks.common.errors import UserError

ROUNDING = 1e-9  # a mean of ones may come out as 1.0000000000000002
Kind = Literal["text", "integer", "number", "boolean", "list"]


@dataclass(frozen=True)
class Column:
    """What a column holds. A list is text: numbers with a space between, one for each seed in the order of `seeds`."""

    kind: Kind
    meaning: str
    low: float | None = None
    high: float | None = None
    required: bool = False

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
        if value is None or pd.isna(value):
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


def _amount(meaning: str) -> Column:
    return Column("number", meaning, 0)


def _name(meaning: str) -> Column:
    return Column("text", meaning, required=True)


COLUMNS = {
    "dataset": _name("name of the dataset; only mvtec_ad is compared with the paper"),
    "budget": _name("name of the budget; `published` in rows of numbers from elsewhere"),
    "method": _name("name of the method"),
    "category": _name("name of the category"),
    "kind": _name("texture or object"),
    "source": Column("text", "where a number from elsewhere was published (`report --add`); empty for our own runs"),
    "seeds": Column("list", "the seeds that the row is made of", 0),
    "failed_seeds": Column("list", "seeds of the same cell whose run failed, and which the row lacks", 0),
    "normal_accuracy": _share("share of good test images classified correctly, mean over the seeds"),
    "normal_std": _share("its standard deviation over the seeds (population)"),
    "normal_counts": Column("list", "good test images classified correctly, for each seed", 0),
    "normal_total": Column("integer", "good test images", 0),
    "normal_low": _share("lower end of the 95 % interval of normal_accuracy, see `interval`"),
    "normal_high": _share("upper end"),
    "anomalous_accuracy": _share("share of defective test images classified correctly, mean over the seeds"),
    "anomalous_std": _share("as for normal"),
    "anomalous_counts": Column("list", "as for normal", 0),
    "anomalous_total": Column("integer", "defective test images", 0),
    "anomalous_low": _share("as for normal"),
    "anomalous_high": _share("as for normal"),
    "interval": Column(
        "text",
        "kind of the intervals: `wilson` of the mean count over the seeds, rounded, or `bootstrap` over images, all seeds "
        "together (Wilson's where all images are decided alike). Seeds share the test images, so they are never pooled",
    ),
    "balanced_accuracy": _share("mean of normal_accuracy and anomalous_accuracy"),
    "image_auroc": _share("area under the ROC curve of score_A, mean over the seeds"),
    "image_auroc_std": _share("its standard deviation over the seeds (population)"),
    "image_aurocs": Column("list", "the same for each seed", 0, 1),
    "image_average_precision": _share("of score_A, mean over the seeds"),
    "image_f1_max": _share(
        "highest F1 of score_A over all thresholds, mean over the seeds; an upper bound, chosen on test images"
    ),
    "image_auroc_of_maximum": _share("image AUROC of the maps' maxima, mean over the seeds"),
    "image_own": _share("image AUROC of the method's own image score, mean over the seeds; empty if it has none"),
    "false_alarms_per_good_image": _amount("regions above the threshold per good test image, mean over the seeds"),
    "region_overlap": _share(
        "mean covered share of each defect region at the threshold (Table 3), mean over the seeds; empty without masks"
    ),
    "region_overlap_std": _share("its standard deviation over the seeds (population)"),
    "pixel_auroc": _share("over all pixels of the category (Table 3), mean over the seeds; empty without masks"),
    "pixel_auroc_std": _share("its standard deviation over the seeds (population)"),
    "pixel_average_precision": _share("as for pixel_auroc"),
    "iou": _share("of found and true defect pixels at the threshold, mean over the seeds"),
    "aupro": _share("area under the per-region-overlap curve up to aupro_limit, mean over the seeds"),
    "aupro_limit": _share("the false-positive rate up to which aupro is integrated"),
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
    "thresholds": Column("list", "threshold of score_A, for each seed"),
    "minimum_area": _share("minimum defect area, share of the image; empty for samples without maps"),
    "decided_by": Column("text", "the score that classified the images: `map_area`, score_A; `own`, the method's own image score"),
    "validation_images": Column("integer", "held-out good images that the threshold comes from", 0),
    "masks": Column("boolean", "whether all defective images have masks; without them there are no pixel metrics"),
    "training_samples": Column("integer", "samples drawn in training, epochs x samples of each; empty if nothing is trained", 0),
    "fit_seconds": _amount("time to fit, mean over the seeds; this and the next three are empty for maps from elsewhere"),
    "ms_per_image": _amount("time for one anomaly map, mean over the seeds"),
    "peak_memory_mib": _amount("largest resident memory of the seeds"),
    "peak_gpu_memory_mib": _amount("largest GPU memory of the seeds; empty without a GPU"),
    "device": Column("text", "on what it ran"),
    "weights": Column("text", "pretrained weights, such as imagenet; the numbers of `random` mean nothing"),
    "facts": Column("text", "what the method reports of itself"),
    "revision": Column("text", "git revisions of the code"),
    "versions": Column("text", "versions of the packages that compute"),
}  # fmt: skip
"""Names in their order. Rows are sorted by the first four."""


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table whose columns have names."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


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
        "| column | values | meaning |",
        "|---|---|---|",
        *(f"| `{name}` | {column.values} | {column.meaning} |" for name, column in COLUMNS.items()),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(schema_page(), end="")
