"""`learning_curves.csv`: what trainings were worth on their way (`score_at_epochs`), a row for each epoch that was scored."""

from collections.abc import Iterable

import pandas as pd

from benchmarks.store.epochs import learning_curve
from benchmarks.store.record import Record
from benchmarks.store.runs import RunStore

NUMBERS = {
    "normal_correct": ("good", "correct"),
    "normal_total": ("good", "total"),
    "normal_accuracy": ("good", "ratio"),
    "anomalous_correct": ("defective", "correct"),
    "anomalous_total": ("defective", "total"),
    "anomalous_accuracy": ("defective", "ratio"),
    "image_auroc": ("image", "auroc"),
    "pixel_auroc": ("pixel", "auroc"),
    "aupro": ("pixel", "aupro"),
}
"""Of a result, by their names in `leaderboard.csv`; empty where the test images do not give them."""


def learning_curves(records: Iterable[Record], store: RunStore) -> pd.DataFrame:
    """The rows of all runs that were scored on their way, their last epoch included; empty if there are none.

    Raises:
        UserError: a result cannot be read.
    """
    return pd.DataFrame(
        {
            "dataset": record.dataset,
            "budget": record.budget,
            "method": record.method,
            "category": record.category,
            "seed": record.seed,
            "epoch": epoch,
            **{name: getattr(getattr(result, part), what, None) for name, (part, what) in NUMBERS.items()},
        }
        for record in records
        for epoch, result in learning_curve(record, store.where(record)).items()
    )
