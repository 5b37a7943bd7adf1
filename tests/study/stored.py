"""Stored runs with scores from a seed: what the tests of the studies read."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.protocol.decision import classified_correctly
from benchmarks.protocol.image_metrics import image_metrics
from benchmarks.store.record import Record
from benchmarks.store.runs import RunStore
from tests.store.test_runs import RECORD, RESULT, put

AREAS = (1e-5, 1e-3, 5e-2)


def scores(
    seed: int, validation: int = 6, good: int = 8, bad: int = 10, areas: Sequence[float] = AREAS
) -> pd.DataFrame:
    """A table as `benchmarks.run.scores` writes it: larger areas have lower scores, bad images have higher ones."""
    rng = np.random.default_rng(seed)
    defective = np.arange(validation + good + bad) >= validation + good
    highest = rng.random(len(defective)).round(2) + 0.4 * defective
    columns = {f"score_{area:g}": highest * rng.uniform(0.5, 1) ** place for place, area in enumerate(areas, 1)}
    return pd.DataFrame(
        {
            "path": [f"{index:03}.png" for index in range(len(defective))],
            "split": ["validation"] * validation + ["test"] * (good + bad),
            "defect_type": np.where(defective, "scratch", "good"),
            "defective": defective,
            **{name: (values * rng.uniform(0.7, 1, len(values))).round(2) for name, values in columns.items()},
            "map_maximum": highest,
        }
    )


def store(results: Path, table: pd.DataFrame, *, seed: int = 0, area: float = 1e-3, **changes: Any) -> Record:
    """Put a finished run with these scores into a store."""
    column = table[f"score_{area:g}"].to_numpy()
    validation, defective = (table["split"] == "validation").to_numpy(), table["defective"].to_numpy()
    limit = float(column[validation].max())
    good, bad = classified_correctly(column[~validation], defective[~validation], limit)
    test = table[~validation]
    result = replace(
        RESULT,
        threshold=limit,
        minimum_area=area,
        validation_images=int(validation.sum()),
        good=good,
        defective=bad,
        image=image_metrics(column[~validation], defective[~validation]),
        image_of_maximum=image_metrics(test["map_maximum"].to_numpy(), defective[~validation]),
        facts=changes.pop("facts", {}),
    )
    config: dict[str, Any] = {"seed": seed, "protocol": {"validation_share": 0.1} | changes.pop("protocol", {})}
    if target := changes.pop("target", None):
        config["method"] = {"model": {"_target_": target}}
    record = replace(RECORD, seed=seed, result=result, identity=RECORD.identity | {"config": config}, **changes)
    folder = put(RunStore(results), record)
    table.to_csv(folder / "scores.csv", index=False)
    return record
