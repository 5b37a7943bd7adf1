"""Leave an inspector of a run: called by the runner when it has fitted and scored."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf

from benchmarks.common import provenance
from benchmarks.common.project import revision
from benchmarks.data.cache import Decoding, memo_of
from benchmarks.data.datasets import to_float
from benchmarks.data.fingerprint import fingerprint
from benchmarks.data.images import header
from benchmarks.data.index import Category, ImageFile
from benchmarks.inspect.specification import Specification
from benchmarks.store.record import Result
from benchmarks.store.scores import deciding_column
from methods.contract import Method

SAMPLES = 8
"""Held-out images whose maps tell what an unremarkable value is."""


def save_inspector(
    folder: Path,
    config: DictConfig,
    category: Category,
    decoding: Decoding,
    methods: Sequence[Method],
    held_out: Sequence[ImageFile],
    folds: Sequence[int],
    table: pd.DataFrame,
    result: Result,
) -> None:
    """Write the inspector of a run.

    Args:
        methods: the fitted members, one for each fold.
        held_out: held-out good images, in the order of their rows in `table`.
        folds: the member that was fitted without each of them.
        table: the run's scores.
    """
    first = header(category.train[0].path)
    cache_dir = Path(config.data.cache_dir) if config.data.cache_dir else None
    scores = table.loc[table["split"] == "validation", deciding_column(result)]
    samples = [image for image, fold in zip(held_out, folds, strict=True) if fold == 0][:SAMPLES]
    specification = Specification(
        method=config.method.name,
        title=config.method.title,
        model=_model(config, decoding.channels),
        decoding=asdict(decoding),
        area=config.protocol.minimum_area,
        threshold=result.deciding_threshold,
        rule=str(config.protocol.threshold),
        score=result.decided_by,
        map_threshold=result.threshold,
        usual=_usual(methods[0], decoding, samples),
        held_out_scores=[float(score) for score in scores],
        folds=[int(fold) for fold in folds],
        held_out_files=[str(image.path.absolute()) for image in held_out],
        trained_on={
            "dataset": config.data.name,
            "category": config.category.name,
            "images": len(category.train),
            "fingerprint": fingerprint(category.train, memo_of(cache_dir, category.train)),
            "size": list(first.size),
            "mode": first.mode,
        },
        versions=provenance.versions(),
        revision=revision(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    specification.write(folder, methods)


def _model(config: DictConfig, channels: int) -> dict[str, Any]:
    """The class and its arguments; a frozen network need not be found again, as its weights are stored."""
    settled = OmegaConf.merge(config, {"channels": channels})
    model: dict[str, Any] = OmegaConf.to_container(settled.method.model, resolve=True)  # type: ignore[assignment]
    return model | ({"weights": "random"} if "weights" in model else {})


def _usual(method: Method, decoding: Decoding, files: Sequence[ImageFile]) -> float:
    """The median value of the maps of some held-out images."""
    maps: list[NDArray[np.float32]] = []
    for file in files:
        pixels = to_float(torch.tensor(decoding.read(file))[None])
        with torch.inference_mode():
            predicted = method.predict_step(pixels.to(method.device))
        maps.append((predicted[0] if isinstance(predicted, tuple) else predicted).float().cpu().numpy())
    return float(np.median(np.concatenate([map_BHW.ravel() for map_BHW in maps])))
