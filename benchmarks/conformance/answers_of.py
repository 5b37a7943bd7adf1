"""The answers of a library to the golden cases: `python answers_of.py LIBRARY CASES OUT.json`.

Stands alone, so that it runs in an environment that holds the library and not this project: NumPy and Pillow are all it shares.
Each library is called as its documentation says, on the raw scores.
"""

import csv
import json
import sys
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image


class Case(NamedTuple):
    """As it lies on the disk."""

    maps_NHW: Any
    masks_NHW: Any
    scores_N: Any
    defective_N: Any
    limit: float


def read(folder: Path, limit: str) -> Case:
    maps, masks = (
        np.stack([np.asarray(Image.open(path)) for path in sorted((folder / part).iterdir())])
        for part in ("maps", "masks")
    )
    with (folder / "images.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    defective = np.array([row["defective"] == "True" for row in rows])
    return Case(
        maps,
        (masks > 0).astype(np.int64),
        np.array([float(row["score"]) for row in rows]),
        defective,
        float(Fraction(limit)),
    )


def scikit_learn(case: Case) -> dict[str, Callable[[], Any]]:
    from sklearn.metrics import average_precision_score, roc_auc_score

    pixels, marked = case.maps_NHW.ravel(), case.masks_NHW.ravel()
    return {
        "image_auroc": lambda: roc_auc_score(case.defective_N, case.scores_N),
        "image_ap": lambda: average_precision_score(case.defective_N, case.scores_N),
        "pixel_auroc": lambda: roc_auc_score(marked, pixels),
        "pixel_ap": lambda: average_precision_score(marked, pixels),
    }


def torchmetrics(case: Case) -> dict[str, Callable[[], Any]]:
    import torch
    from torchmetrics.functional.classification import binary_auroc, binary_average_precision

    maps, marked = torch.from_numpy(case.maps_NHW).flatten(), torch.from_numpy(case.masks_NHW).flatten()
    scores, defective = torch.from_numpy(case.scores_N).float(), torch.from_numpy(case.defective_N).long()
    return {
        "image_auroc": lambda: binary_auroc(scores, defective).item(),
        "image_ap": lambda: binary_average_precision(scores, defective).item(),
        "pixel_auroc": lambda: binary_auroc(maps, marked).item(),
        "pixel_ap": lambda: binary_average_precision(maps, marked).item(),
    }


def anomalib(case: Case) -> dict[str, Callable[[], Any]]:
    import torch
    from anomalib.metrics.aupr import _AUPR
    from anomalib.metrics.aupro import _AUPRO
    from anomalib.metrics.auroc import _AUROC

    maps, masks = torch.from_numpy(case.maps_NHW), torch.from_numpy(case.masks_NHW)
    scores, defective = torch.from_numpy(case.scores_N).float(), torch.from_numpy(case.defective_N).long()

    def computed(metric: Any, *inputs: Any) -> float:
        metric.update(*inputs)
        return float(metric.compute())

    return {
        "image_auroc": lambda: computed(_AUROC(), scores, defective),
        "image_ap": lambda: computed(_AUPR(), scores, defective),
        "pixel_auroc": lambda: computed(_AUROC(), maps.flatten(), masks.flatten()),
        "pixel_ap": lambda: computed(_AUPR(), maps.flatten(), masks.flatten()),
        "aupro": lambda: computed(_AUPRO(fpr_limit=case.limit), maps, masks),
    }


def adeval(case: Case) -> dict[str, Callable[[], Any]]:
    from adeval import EvalAccumulator

    def everything() -> dict[str, float]:
        low, high = float(case.maps_NHW.min()), float(case.maps_NHW.max())
        accumulator = EvalAccumulator(low, high)
        accumulator.add_anomap_batch(list(case.maps_NHW), list(case.masks_NHW.astype(np.uint8)))
        for score, label in zip(case.scores_N, case.defective_N, strict=True):
            accumulator.add_image(float(score), bool(label))
        return dict(accumulator.summary())

    names = {
        "image_auroc": "i_auroc",
        "image_ap": "i_aupr",
        "pixel_auroc": "p_auroc",
        "pixel_ap": "p_aupr",
        "aupro": "p_aupro",
    }
    return {ours: partial(lambda theirs: float(everything()[theirs]), theirs) for ours, theirs in names.items()}


LIBRARIES = {"scikit-learn": scikit_learn, "torchmetrics": torchmetrics, "anomalib": anomalib, "adeval": adeval}


def answer(ask: Callable[[], Any]) -> Any:
    """A number, null for NaN, or in words what went wrong."""
    try:
        value = float(ask())
    except Exception as error:  # whatever a library does is its answer
        return f"{type(error).__name__}: {error}"[:200]
    return None if np.isnan(value) else value


def main(library: str, folder: Path, out: Path) -> None:
    known = json.loads((folder / "answers.json").read_text(encoding="utf-8"))
    answers = {}
    for name, case in known.items():
        asked = LIBRARIES[library](read(folder / name, case["limit"]))
        if library == "adeval" and case["limit"] != "3/10":
            asked.pop("aupro")  # its limit is fixed
        answers[name] = {metric: answer(ask) for metric, ask in asked.items()}
    found = {"library": library, "version": version(library), "answers": answers}
    out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
