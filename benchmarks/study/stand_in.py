"""`defectbench study stand-in`: whether methods that find drawn defects also find real ones, category by category.

Where no bad part is at hand, `choose` ranks methods by defects that it draws into good images. Here both are known: runs that kept
their inspector (`save_inspector=true`) are asked for the same drawn defects, and the two orders of the methods are compared.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import spearmanr

from benchmarks.choose.asking import drawn
from benchmarks.common.errors import UserError
from benchmarks.common.files import write_texts
from benchmarks.config.compose import composed
from benchmarks.config.targets import instantiated
from benchmarks.data.index import Category
from benchmarks.inspect import Inspector
from benchmarks.inspect.specification import INSPECTOR, SPECIFICATION
from benchmarks.protocol.image_metrics import image_metrics
from benchmarks.store.record import SCORES, Record
from benchmarks.store.runs import RunStore, check_is_there
from benchmarks.store.scores import deciding_column

GROUP = ["dataset", "category", "budget", "seed"]
RUN_COLUMNS = [
    *GROUP,
    "method",
    "real_auroc",
    "drawn_auroc",
    "real_found",
    "drawn_found",
    "bad_images",
    "drawn_defects",
]
CATEGORY_COLUMNS = [*GROUP, "methods", "rank_correlation", "picked", "picked_auroc", "best", "best_auroc"]
LEAST_METHODS = 3
DRAWS = 10_000


@dataclass(frozen=True)
class Built:
    """What was found, and where it was written."""

    categories: pd.DataFrame
    """`CATEGORY_COLUMNS`; a category whose methods are all alike on one side has no correlation."""
    text: str
    files: list[Path]


def build(results: Sequence[Path], out: Path) -> Built:
    """Write `runs.csv`, `categories.csv` and `stand_in.md`.

    Raises:
        UserError: a folder is not there, or none has a category with three methods that kept their inspectors and have good and
            bad test images.
    """
    for folder in results:
        check_is_there(folder)
    runs = measured(results)
    groups = [part for _, part in runs.groupby(GROUP, sort=False) if len(part) >= LEAST_METHODS]
    if not groups:
        raise UserError(
            f"No category with {LEAST_METHODS} methods in {', '.join(map(str, results))} whose runs kept their inspectors: make "
            "them with `defectbench run -m method=dfm,padim,patchcore ... save_inspector=true`."
        )
    categories = pd.DataFrame([_category_row(part) for part in groups], columns=CATEGORY_COLUMNS)
    texts = {
        "runs.csv": runs.to_csv(index=False, float_format="%.4f"),
        "categories.csv": categories.to_csv(index=False, float_format="%.4f"),
        "stand_in.md": _markdown(categories),
    }
    return Built(categories, texts["stand_in.md"], write_texts(out, texts))


def measured(results: Sequence[Path]) -> pd.DataFrame:
    """`RUN_COLUMNS` of all runs that kept their inspectors; the long part: each is asked for 48 maps."""
    rows = [_run_row(store, record) for folder in results for store, record in _kept(RunStore(folder))]
    return pd.DataFrame(rows, columns=RUN_COLUMNS)


def _kept(store: RunStore) -> Iterator[tuple[RunStore, Record]]:
    for record in store.records():
        is_kept = (store.folder(record.cell) / INSPECTOR / SPECIFICATION).is_file()
        if is_kept and record.result is not None and record.result.image is not None:
            yield store, record


def _run_row(store: RunStore, record: Record) -> dict[str, Any]:
    assert record.result is not None
    folder, limit = store.folder(record.cell), record.result.deciding_threshold
    scores = pd.read_csv(folder / SCORES)
    test = scores[scores["split"] == "test"]
    real_N, defective_N = test[deciding_column(record.result)].to_numpy(float), test["defective"].to_numpy(bool)
    good = [image for image in _category(record).test if not image.is_defective]
    drawn_D = np.array([one.score for one in drawn(Inspector.load(folder / INSPECTOR), good)])
    good_G = real_N[~defective_N]
    return {name: getattr(record, name) for name in (*GROUP, "method")} | {
        "real_auroc": _auroc(good_G, real_N[defective_N]),
        "drawn_auroc": _auroc(good_G, drawn_D),
        "real_found": float((real_N[defective_N] > limit).mean()),
        "drawn_found": float((drawn_D > limit).mean()),
        "bad_images": int(defective_N.sum()),
        "drawn_defects": len(drawn_D),
    }


def _category(record: Record) -> Category:
    config = composed(record.overrides)
    category: Category = instantiated(config.benchmark).read(config, make=False)
    return category


def _auroc(good_G: NDArray[np.float64], bad_D: NDArray[np.float64]) -> float:
    metrics = image_metrics(np.concatenate([good_G, bad_D]), np.arange(len(good_G) + len(bad_D)) >= len(good_G))
    assert metrics is not None
    return metrics.auroc


def _category_row(part: pd.DataFrame) -> dict[str, Any]:
    real, drawn_one = part["real_auroc"], part["drawn_auroc"]
    alike = real.nunique() == 1 or drawn_one.nunique() == 1
    picked, best = (part.iloc[int(np.argmax(side.to_numpy()))] for side in (drawn_one, real))
    return {name: part.iloc[0][name] for name in GROUP} | {
        "methods": len(part),
        "rank_correlation": np.nan if alike else float(spearmanr(real, drawn_one).statistic),
        "picked": picked["method"],
        "picked_auroc": picked["real_auroc"],
        "best": best["method"],
        "best_auroc": best["real_auroc"],
    }


def mean_with_interval(values_C: NDArray[np.float64], seed: int = 0) -> tuple[float, float, float]:
    """Mean over the categories, and the 95 % percentile bootstrap over them."""
    rng = np.random.default_rng(seed)
    means_R = values_C[rng.integers(len(values_C), size=(DRAWS, len(values_C)))].mean(axis=1)
    low, high = np.quantile(means_R, [0.025, 0.975])
    return float(values_C.mean()), float(low), float(high)


def in_short(categories: pd.DataFrame) -> str:
    """One paragraph."""
    known_C = categories["rank_correlation"].dropna().to_numpy(float)
    if not len(known_C):
        return "In no category do both sides tell the methods apart: there is nothing to correlate."
    mean, low, high = mean_with_interval(known_C)
    lost = categories["best_auroc"] - categories["picked_auroc"]
    return (
        f"Rank correlation (Spearman) of the methods' image AUROC on drawn and on real defects: {mean:.2f} on the mean of "
        f"{len(known_C)} categories (95 % bootstrap interval over categories {low:.2f} to {high:.2f}). The method that is best on "
        f"drawn defects is the best on real ones in {int((lost <= 0).sum())} of {len(lost)} categories; choosing by it costs "
        f"{lost.mean():.3f} of AUROC on the mean, {lost.max():.3f} at worst."
    )


HEADINGS = ("category", "methods", "rank correlation", "best on drawn defects", "best on real defects")


def _markdown(categories: pd.DataFrame) -> str:
    lines = ["# Drawn defects as a stand-in for real ones", "", in_short(categories), ""]
    lines += [f"| {' | '.join(HEADINGS)} |", "|---" * len(HEADINGS) + "|"]
    for row in categories.to_dict("records"):
        correlation = "-" if pd.isna(row["rank_correlation"]) else f"{row['rank_correlation']:.2f}"
        cells = (
            f"{row['category']} ({row['dataset']})",
            str(row["methods"]),
            correlation,
            f"{row['picked']} ({row['picked_auroc']:.3f})",
            f"{row['best']} ({row['best_auroc']:.3f})",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", "In parentheses: image AUROC on the real defects."]) + "\n"
