"""The leaderboard: one row per dataset, budget, method and category, made from the records of its seeds."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from statistics import fmean, pstdev
from typing import Any

import pandas as pd

from benchmarks.errors import UserError
from benchmarks.protocol.decision import Share
from benchmarks.store import paper
from benchmarks.store.identity import differences
from benchmarks.store.record import Record, Result

COLUMNS = {
    "dataset": "name of the dataset; only mvtec_ad is compared with the paper",
    "budget": "name of the budget",
    "method": "name of the method",
    "category": "name of the category",
    "kind": "texture or object",
    "seeds": "the seeds that the row is made of, such as 0 1 2",
    "normal_accuracy": "share of good test images classified correctly, mean over the seeds",
    "normal_std": "its standard deviation over the seeds (population)",
    "normal_counts": "good test images classified correctly, for each seed",
    "normal_total": "good test images",
    "normal_low": "lower end of Wilson's 95 % interval of the mean count, rounded; seeds share the images and are not pooled",
    "normal_high": "upper end",
    "anomalous_accuracy": "share of defective test images classified correctly, mean over the seeds",
    "anomalous_std": "as for normal",
    "anomalous_counts": "as for normal",
    "anomalous_total": "defective test images",
    "anomalous_low": "as for normal",
    "anomalous_high": "as for normal",
    "balanced_accuracy": "mean of normal_accuracy and anomalous_accuracy",
    "image_auroc": "area under the ROC curve of score_A, mean over the seeds",
    "image_auroc_std": "its standard deviation over the seeds (population)",
    "image_average_precision": "of score_A, mean over the seeds",
    "image_f1_max": "highest F1 of score_A over all thresholds, mean over the seeds; an upper bound, chosen on test images",
    "image_auroc_of_maximum": "image AUROC of the maps' maxima, mean over the seeds",
    "false_alarms_per_good_image": "regions above the threshold per good test image, mean over the seeds",
    "pixel_auroc": "over all pixels of the category, mean over the seeds; empty without masks",
    "pixel_average_precision": "as for pixel_auroc",
    "region_overlap": "mean covered share of each defect region at the threshold (Table 3), mean over the seeds",
    "iou": "of found and true defect pixels at the threshold, mean over the seeds",
    "aupro": "area under the per-region-overlap curve up to aupro_limit, mean over the seeds",
    "aupro_limit": "the false-positive rate up to which aupro is integrated",
    "paper_normal": "the paper's value",
    "paper_anomalous": "the paper's value",
    "difference_normal": "normal_accuracy - paper_normal",
    "difference_anomalous": "anomalous_accuracy - paper_anomalous",
    "paper_normal_inside": "whether the paper's value lies in the 95 % interval",
    "paper_anomalous_inside": "whether the paper's value lies in the 95 % interval",
    "minimum_area": "minimum defect area, share of the image",
    "masks": "whether all defective images have masks; without them there are no pixel metrics",
    "fit_seconds": "time to fit, mean over the seeds",
    "ms_per_image": "time for one anomaly map, mean over the seeds",
    "peak_memory_mib": "largest resident memory of the seeds",
    "device": "on what it ran",
    "facts": "what the method reports of itself, such as weights",
    "revision": "git revisions of the code",
}


def leaderboard(records: Iterable[Record]) -> pd.DataFrame:
    """Rows of finished runs with the columns of `COLUMNS`, sorted; failed runs make no row.

    Raises:
        UserError: seeds of one row differ in configuration or data, so that their mean would mean nothing.
    """
    finished = sorted((r for r in records if r.result is not None), key=lambda record: (_row_key(record), record.seed))
    rows = [_row(list(group)) for _, group in groupby(finished, _row_key)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row_key(record: Record) -> tuple[str, str, str, str]:
    return record.dataset, record.budget, record.method, record.category


def _row(records: Sequence[Record]) -> dict[str, Any]:
    _refuse_mixture(records)
    first = records[0]
    results = [record.result for record in records if record.result is not None]
    row: dict[str, Any] = {
        "dataset": first.dataset,
        "budget": first.budget,
        "method": first.method,
        "category": first.category,
        "kind": first.kind,
        "seeds": " ".join(str(record.seed) for record in records),
        **_accuracy("normal", [result.good for result in results]),
        **_accuracy("anomalous", [result.defective for result in results]),
        **_metrics(results),
        "minimum_area": results[0].minimum_area,
        "masks": results[0].has_masks,
        **_costs(results),
        "device": _distinct(record.device for record in records),
        "facts": _distinct(" ".join(f"{k}={v}" for k, v in result.facts.items()) for result in results),
        "revision": _distinct(record.revision for record in records),
    }
    if "normal_accuracy" in row and "anomalous_accuracy" in row:
        row["balanced_accuracy"] = (row["normal_accuracy"] + row["anomalous_accuracy"]) / 2
    return row | _against_the_paper(row)


def _accuracy(side: str, shares: Sequence[Share | None]) -> dict[str, Any]:
    """Mean, spread, counts and interval of one row of Table 2; nothing if there are no such test images."""
    present = [share for share in shares if share is not None]
    if not present:
        return {}
    total = present[0].total
    mean_count = fmean(share.correct for share in present)
    low, high = Share.of(round(mean_count), total).interval
    return {
        f"{side}_accuracy": mean_count / total,
        f"{side}_std": pstdev(share.ratio for share in present),
        f"{side}_counts": " ".join(str(share.correct) for share in present),
        f"{side}_total": total,
        f"{side}_low": low,
        f"{side}_high": high,
    }


def _metrics(results: Sequence[Result]) -> dict[str, float]:
    """Means over the seeds of what has no threshold or needs masks; what a run does not have is left out."""
    found: dict[str, float] = {}
    images = [result.image for result in results if result.image is not None]
    if images:
        found["image_auroc"] = fmean(image.auroc for image in images)
        found["image_auroc_std"] = pstdev(image.auroc for image in images)
        found["image_average_precision"] = fmean(image.average_precision for image in images)
        found["image_f1_max"] = fmean(image.f1_max for image in images)
    maxima = [result.image_of_maximum.auroc for result in results if result.image_of_maximum is not None]
    if maxima:
        found["image_auroc_of_maximum"] = fmean(maxima)
    alarms = [r.false_alarms_per_good_image for r in results if r.false_alarms_per_good_image is not None]
    if alarms:
        found["false_alarms_per_good_image"] = fmean(alarms)
    pixels = [result.pixel for result in results if result.pixel is not None]
    if pixels:
        found["pixel_auroc"] = fmean(pixel.auroc for pixel in pixels)
        found["pixel_average_precision"] = fmean(pixel.average_precision for pixel in pixels)
        found["region_overlap"] = fmean(pixel.region_overlap for pixel in pixels)
        found["iou"] = fmean(pixel.iou for pixel in pixels)
        found["aupro"] = fmean(pixel.aupro for pixel in pixels)
        found["aupro_limit"] = pixels[0].aupro_limit
    return found


def _costs(results: Sequence[Result]) -> dict[str, float]:
    """What fitting and maps cost; nothing for maps that another program made."""
    found: dict[str, float] = {}
    fits = [result.fit_seconds for result in results if result.fit_seconds is not None]
    if fits:
        found["fit_seconds"] = fmean(fits)
    times = [result.ms_per_image for result in results if result.ms_per_image is not None]
    if times:
        found["ms_per_image"] = fmean(times)
    peaks = [result.peak_memory_mib for result in results if result.peak_memory_mib is not None]
    if peaks:
        found["peak_memory_mib"] = max(peaks)
    return found


def _against_the_paper(row: dict[str, Any]) -> dict[str, Any]:
    """The paper's pair for the cell and the difference to it; nothing for other datasets and cells that it does not have."""
    if row["dataset"] != paper.MVTEC_AD:
        return {}
    table = paper.table2().set_index(["method", "category"])
    if (row["method"], row["category"]) not in table.index:
        return {}
    published = table.loc[(row["method"], row["category"])]
    against: dict[str, Any] = {}
    for side in ("normal", "anomalous"):
        value = float(published[f"{side}_accuracy"])
        against[f"paper_{side}"] = value
        if f"{side}_accuracy" in row:
            against[f"difference_{side}"] = row[f"{side}_accuracy"] - value
            # the paper prints two digits
            against[f"paper_{side}_inside"] = row[f"{side}_low"] - 0.005 <= value <= row[f"{side}_high"] + 0.005
    return against


def _refuse_mixture(records: Sequence[Record]) -> None:
    """Seeds may differ in seed, code and versions (the row lists the revisions), not in configuration or data."""
    first = records[0]
    for other in records[1:]:
        changed = [
            change
            for change in differences(first.identity["config"], other.identity["config"])
            if not change.startswith("seed ")
        ]
        changed += [key for key in ("train_data",) if first.identity[key] != other.identity[key]]
        changed += ["test_data"] if first.test_data != other.test_data else []
        if changed:
            raise UserError(
                f"{first.cell} and {other.cell} cannot stand in one row: {'; '.join(changed)}. Run one of them again with the "
                "other's settings, or keep them in two results folders (results.dir=DIR)."
            )


def _distinct(values: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(values))
