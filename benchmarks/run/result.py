"""From the scores of all images to the numbers of a record: threshold, decisions and metrics."""

import math
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

import pandas as pd

from benchmarks.protocol.area_score import area_in_pixels
from benchmarks.protocol.decision import classified_correctly
from benchmarks.protocol.image_metrics import image_metrics
from benchmarks.protocol.pixel_metrics import PixelMetrics
from benchmarks.run.scores import Scores
from benchmarks.store.record import OWN, PRO_CURVE, OwnScore, Result
from benchmarks.store.scores import MAP_MAXIMUM, OWN_SCORE, area_column

NO_FACTS: Mapping[str, str | int | float] = {}


def result_of(
    scores: Scores, folder: Path, facts: Mapping[str, str | int | float] = NO_FACTS, device: str = "cpu"
) -> Result:
    """Threshold, decisions and metrics, from the scores of all maps; what making the maps cost is left open.

    Args:
        folder: where the PRO curve goes (`pro_curve.csv`), if there are masks.
        device: "cuda" sorts the pixels on the GPU.
    """
    area = scores.protocol.minimum_area
    table = scores.table()
    test = table[table["split"] == "test"]
    test_scores, defective = test[area_column(area)].to_numpy(), test["defective"].to_numpy()
    own = _own_score(table, scores)
    good, bad = (
        classified_correctly(test[OWN_SCORE].to_numpy(), defective, own.threshold)
        if own is not None and own.decides
        else classified_correctly(test_scores, defective, scores.threshold)
    )
    return Result(
        threshold=scores.threshold,
        minimum_area=area,
        minimum_area_px=area_in_pixels(area, math.prod(scores.map_size)),
        map_size=scores.map_size,
        validation_images=int((table["split"] == "validation").sum()),
        good=good,
        defective=bad,
        image=image_metrics(test_scores, defective),
        image_of_maximum=image_metrics(test[MAP_MAXIMUM].to_numpy(), defective),
        false_alarms_per_good_image=fmean(scores.false_alarms) if scores.false_alarms else None,
        pixel=_pixel_metrics(scores, folder, device),
        has_masks=scores.category.has_masks,
        fit_seconds=None,
        ms_per_image=None,
        peak_memory_mib=None,
        peak_gpu_memory_mib=None,
        facts=dict(facts),
        own=own,
    )


def _own_score(table: pd.DataFrame, scores: Scores) -> OwnScore | None:
    """What the method's own image score is worth; None if it has none."""
    if OWN_SCORE not in table:
        return None
    test = table[table["split"] == "test"]
    limit = scores.rule.threshold(table.loc[table["split"] == "validation", OWN_SCORE].to_numpy())
    decides = scores.protocol.image_score == OWN
    return OwnScore(limit, image_metrics(test[OWN_SCORE].to_numpy(), test["defective"].to_numpy()), decides)


def _pixel_metrics(scores: Scores, folder: Path, device: str) -> PixelMetrics | None:
    pixels = scores.pixels.sorted(device) if scores.pixels is not None else None
    if pixels is None:
        return None
    fpr, pro = pixels.pro_curve()
    pd.DataFrame({"false_positive_rate": fpr, "region_overlap": pro}).to_csv(folder / PRO_CURVE, index=False)
    return pixels.metrics(scores.map_threshold, scores.protocol.aupro_limit)
