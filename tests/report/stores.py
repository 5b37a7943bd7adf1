"""A store of runs as a sweep leaves it, written in half a second and without torch: what tables, page and comparison read.

The 75 cells of Table 2 (variation model on every object, four of which the paper leaves out), with scores drawn so that each
cell's shares lie near the paper's. One cell failed, one was never run. The same arguments always write the same files.
"""

import csv
import io
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.protocol.decision import Share, classified_correctly
from benchmarks.protocol.image_metrics import ImageMetrics
from benchmarks.protocol.pixel_metrics import PixelMetrics
from benchmarks.protocol.thresholds import maximum_threshold
from benchmarks.store.identity import PROJECT
from benchmarks.store.record import Cell, OwnScore, Record, Result
from benchmarks.store.runs import RECORD, SCORES, RunStore
from benchmarks.store.scores import OWN_SCORE, area_column

METHODS = ("ae_ssim", "ae_l2", "anogan", "cnn_feature_dictionary", "texture_inspection", "variation_model")
INPUTS = {"texture_inspection": {"texture"}, "variation_model": {"object"}}
"""Kinds that a method takes; the others take both."""
TRAINED = {"ae_ssim", "ae_l2", "anogan"}
FAILED = ("anogan", "screw")
MISSING = ("cnn_feature_dictionary", "zipper")
AREAS = (1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2)
DECIDING = AREAS.index(1e-3)
DEFECTS = ("crack", "scratch", "hole", "stain", "bent", "cut", "colour", "fold")


def write_store(
    results: Path,
    seeds: Sequence[int] = (0, 1),
    methods: Sequence[str] = METHODS,
    categories: Sequence[str] | None = None,
    dataset: str = "mvtec_ad",
    budget: str = "short",
) -> Path:
    """Write `<results>/runs` with one folder for each cell and seed: `run.json`, `config.yaml`, `scores.csv`, `logs/metrics.csv`.

    Returns:
        `results`.
    """
    store = RunStore(results)
    for record, scores in runs(seeds, methods, categories, dataset, budget):
        folder = store.folder(record.cell)
        (folder / "logs").mkdir(parents=True)
        (folder / RECORD).write_text(record.to_json(), encoding="utf-8")
        # JSON is YAML
        (folder / "config.yaml").write_text(json.dumps(record.identity["config"], indent=2) + "\n", encoding="utf-8")
        if scores is None:
            (folder / "error.txt").write_text(f"Traceback (most recent call last):\n{record.error}\n", encoding="utf-8")
            continue
        (folder / SCORES).write_text(scores, encoding="utf-8")
        losses = "".join(f"{epoch},{epoch * 100 + 99},{0.5 / (epoch + 1):.6f}\n" for epoch in range(8))
        (folder / "logs" / "metrics.csv").write_text(f"epoch,step,train_loss\n{losses}", encoding="utf-8")
    return results


def decide_by_own_score(results: Path, own_of: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> None:
    """Give all runs an image score of the method's own, made from score_A, and have it decide (`protocol.image_score=own`)."""
    store = RunStore(results)
    for record in store.records():
        assert record.result is not None
        path = store.folder(record.cell) / SCORES
        scores = pd.read_csv(path)
        scores[OWN_SCORE] = own_of(scores[area_column(AREAS[DECIDING])].to_numpy())
        scores.to_csv(path, index=False)
        test = scores[scores["split"] == "test"]
        own, defective = test[OWN_SCORE].to_numpy(), test["defective"].to_numpy()
        limit = maximum_threshold(scores.loc[scores["split"] == "validation", OWN_SCORE].to_numpy())
        good, bad = classified_correctly(own, defective, limit)
        score = OwnScore(limit, _ranking(own, defective), decides=True)
        decided = replace(record, result=replace(record.result, good=good, defective=bad, own=score))
        (store.folder(record.cell) / RECORD).write_text(decided.to_json(), encoding="utf-8")


def runs(
    seeds: Sequence[int], methods: Sequence[str], categories: Sequence[str] | None, dataset: str, budget: str
) -> Iterator[tuple[Record, str | None]]:
    """Records with the text of their `scores.csv` (None where the run failed)."""
    paper = {(row["method"], row["category"]): row for row in _table("table2_classification")}
    pixels = {(row["method"], row["category"]): row for row in _table("table3_segmentation")}
    for sizes in _table("table1_dataset"):
        for method in methods:
            key = method, sizes["category"]
            wanted = categories is None or sizes["category"] in categories
            if not wanted or sizes["kind"] not in INPUTS.get(method, {"texture", "object"}) or key == MISSING:
                continue
            for seed in seeds:
                record = _record(Cell(*key, seed), sizes["kind"], dataset, budget)
                if key == FAILED:
                    yield Record(**record, status="failed", error="RuntimeError: loss is NaN in epoch 3"), None
                else:
                    result, scores = _result(Cell(*key, seed), sizes, paper.get(key), pixels.get(key))
                    yield Record(**record, status="finished", result=result), scores


def _table(name: str) -> list[dict[str, str]]:
    text = (PROJECT / "results" / "paper" / f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def _stream(*names: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(names).encode()))


def _record(cell: Cell, kind: str, dataset: str, budget: str) -> dict[str, Any]:
    config = {
        "method": {
            "name": cell.method,
            "inputs": {name: {"px": 256} for name in sorted(INPUTS.get(cell.method, {"texture", "object"}))},
            "train": {"batch_size": 16} | ({"epochs": 8, "samples": 2000} if cell.method in TRAINED else {}),
        },
        "category": {"name": cell.category, "kind": kind},
        "input": {"px": 256, "colour": "rgb"},
        "protocol": {"validation_share": 0.1, "minimum_area": AREAS[DECIDING], "area_grid": list(AREAS)},
        "budget": {"name": budget, "samples": 2000},
        "trainer": {"accelerator": "cpu"},
        "seed": cell.seed,
    }
    return {
        "method": cell.method,
        "category": cell.category,
        "kind": kind,
        "seed": cell.seed,
        "dataset": dataset,
        "budget": budget,
        "identity": {
            "config": config,
            "train_data": f"train-{cell.category}",
            "code": f"code-{cell.method}",
            "versions": {"torch": "2.14.0", "numpy": "2.3.5", "scikit-learn": "1.9.1"},
        },
        "test_data": "" if (cell.method, cell.category) == FAILED else f"test-{cell.category}",
        "revision": "69bc8622f3a1c0de",
        "device": "Example CPU",
        "visible_gpus": "",
        "threads": 1,
        "started": "2026-11-24T00:00:00+00:00",
        "seconds": 63.5 + cell.seed,
        "overrides": (f"method={cell.method}", f"category={cell.category}", f"seed={cell.seed}"),
    }


def _result(
    cell: Cell, sizes: dict[str, str], paper: dict[str, str] | None, pixels: dict[str, str] | None
) -> tuple[Result, str]:
    good, bad = int(sizes["test_good"]), int(sizes["test_defective"])
    validation = max(1, int(sizes["train_good"]) // 10)
    near = (0.9, 0.4) if paper is None else (float(paper["normal_accuracy"]), float(paper["anomalous_accuracy"]))
    wanted = np.clip(near + _stream("wanted", cell.method, cell.category).normal(0, 0.1, 2), 0, 1)
    grid_NA = _grid(cell, validation, good, bad, wanted)
    deciding = grid_NA[:, DECIDING]
    defective = np.arange(good + bad) >= good
    limit = maximum_threshold(deciding[:validation])
    shares = classified_correctly(deciding[validation:], defective, limit)
    maximum = grid_NA.max(axis=1) * 1.1
    overlap, auroc = (
        (0.3, 0.85) if pixels is None else (float(pixels[k]) for k in ("per_region_overlap", "pixel_roc_auc"))
    )
    shift = _stream("pixel", cell).uniform(-0.03, 0.03)
    result = Result(
        threshold=limit,
        minimum_area=AREAS[DECIDING],
        minimum_area_px=66,
        map_size=(256, 256),
        validation_images=validation,
        good=shares[0],
        defective=shares[1],
        image=_ranking(deciding[validation:], defective),
        image_of_maximum=_ranking(maximum[validation:], defective),
        false_alarms_per_good_image=_false_alarms(shares[0]),
        pixel=None
        if cell.method == "anogan"
        else PixelMetrics(
            auroc=min(1.0, auroc + shift),
            average_precision=0.4 * auroc,
            region_overlap=min(1.0, max(0.0, overlap + shift)),
            iou=0.5 * overlap,
            aupro=0.9 * auroc,
            aupro_limit=0.3,
            regions=int(sizes["defect_regions"]),
        ),
        has_masks=True,
        fit_seconds=60.0 + cell.seed,
        ms_per_image=12.5,
        peak_memory_mib=900.0,
        peak_gpu_memory_mib=None,
        facts={"weights": "random"} if cell.method == "cnn_feature_dictionary" else {"unaligned_scored": cell.seed},
    )
    return result, _csv(sizes, validation, grid_NA, maximum, cell.seed)


def _grid(cell: Cell, validation: int, good: int, bad: int, wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores (N, A) of validation, good and defective images: an image is as hard for every seed, a score falls with the area."""
    images, noise = _stream("images", cell.method, cell.category), _stream("seed", cell)
    easy_N = [images.normal(size=count) for count in (validation, good, bad)]
    logs_N = [part + 0.3 * noise.normal(size=len(part)) for part in easy_N]
    for index, share in enumerate((wanted[0], 1 - wanted[1]), start=1):
        # the threshold falls where about the wanted share of the images lies below it
        logs_N[index] += logs_N[0].max() - np.quantile(easy_N[index], share)
    decay_N = images.uniform(0.05, 0.5, validation + good + bad)
    return np.exp(np.concatenate(logs_N)[:, None] - decay_N[:, None] * (np.log10(AREAS) + 3))


def _ranking(scores: NDArray[np.float64], defective: NDArray[np.bool_]) -> ImageMetrics:
    """As `image_metrics` gives them, without scikit-learn's second: scores are all different."""
    hits = defective[np.argsort(-scores)]
    found, precision = np.cumsum(hits), np.cumsum(hits) / np.arange(1, len(hits) + 1)
    above = scores[defective][:, None] > scores[~defective]
    f1 = 2 * found / (np.arange(1, len(hits) + 1) + defective.sum())
    return ImageMetrics(float(above.mean()), float(precision[hits].mean()), float(f1.max()))


def _false_alarms(good: Share | None) -> float:
    assert good is not None
    return 1.5 * (good.total - good.correct) / good.total


def _csv(
    sizes: dict[str, str], validation: int, grid_NA: NDArray[np.float64], maximum_N: NDArray[np.float64], seed: int
) -> str:
    good, bad, defects = int(sizes["test_good"]), int(sizes["test_defective"]), int(sizes["defect_types"])
    names = [f"train/good/{10 * index + seed % 10:03},validation,good,False" for index in range(validation)]
    names += [f"test/good/{index:03},test,good,False" for index in range(good)]
    kinds = [DEFECTS[index * defects // bad] for index in range(bad)]
    names += [f"test/{kind}/{index - kinds.index(kind):03},test,{kind},True" for index, kind in enumerate(kinds)]
    header = ",".join(
        ["path", "split", "defect_type", "defective", *(f"score_{area:g}" for area in AREAS), "map_maximum"]
    )
    values = np.column_stack([grid_NA, maximum_N]).tolist()
    lines = [
        ",".join([name.replace(",", ".png,", 1), *map(repr, row)]) for name, row in zip(names, values, strict=True)
    ]
    return "\n".join([header, *lines]) + "\n"
