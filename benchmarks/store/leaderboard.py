"""The leaderboard: one row per dataset, budget, method and category, made from the records of its seeds."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import groupby
from math import isfinite, isnan, nan
from statistics import fmean, pstdev
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.common.errors import UserError
from benchmarks.common.project import project_file
from benchmarks.protocol.intervals import image_bootstrap, wilson
from benchmarks.store import paper
from benchmarks.store.columns import COLUMNS
from benchmarks.store.identity import deciding, differences
from benchmarks.store.record import Record, Result
from benchmarks.store.scores import Decisions

ReadDecisions = Callable[[Record], Decisions]

COMPARED = {
    "normal": "normal_accuracy",
    "anomalous": "anomalous_accuracy",
    "region_overlap": "region_overlap",
    "pixel_auroc": "pixel_auroc",
}
"""Short names of what Tables 2 and 3 print, and its columns."""

SIDES = {"normal": "good", "anomalous": "defective"}
"""The leaderboard's words for the two sides of Table 2, and the record's."""


def leaderboard(records: Iterable[Record], read_decisions: ReadDecisions | None = None) -> pd.DataFrame:
    """Rows of finished runs with the columns of `COLUMNS`, sorted; cells of which every run failed make no row.

    Args:
        records: any runs, failed ones too, of any number of datasets and budgets.
        read_decisions: image by image; if given, intervals are bootstrapped over images, else they are Wilson's.

    Raises:
        UserError: runs that must not stand in one row or one table, as their mean or comparison would mean nothing.
    """
    records = list(records)
    ordered = sorted(records, key=lambda record: (_row_key(record), record.seed))
    _refuse_two_settings(ordered)
    rows = []
    for _, group in groupby(ordered, _row_key):
        cell = list(group)
        if any(record.result for record in cell):
            rows.append(_row(cell, read_decisions))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row_key(record: Record) -> tuple[str, str, str, str]:
    return record.dataset, record.budget, record.method, record.category


def _row(cell: Sequence[Record], read_decisions: ReadDecisions | None) -> dict[str, Any]:
    records = [record for record in cell if record.result is not None]
    _refuse_mixture(records)
    first = records[0]
    results = [record.result for record in records if record.result is not None]
    row: dict[str, Any] = {
        "dataset": first.dataset,
        "budget": first.budget,
        "method": first.method,
        "category": first.category,
        "kind": first.kind,
        "source": "",
        "reference_for": "",
        "seeds": _listed(record.seed for record in records),
        "failed_seeds": _listed(record.seed for record in cell if record.result is None),
        **_summed_up(results),
        **_intervals(results),
        "interval": "wilson",
        "minimum_area": results[0].minimum_area,
        "decided_by": results[0].decided_by,
        "validation_images": results[0].validation_images,
        "masks": results[0].has_masks,
        "training_samples": _training_samples(first),
        "device": _distinct(record.device for record in records),
        "weights": str(results[0].facts.get("weights", "")),
        "facts": _distinct(_pairs(result.facts) for result in results),
        "revision": _distinct(record.revision for record in records),
        "versions": _distinct(_pairs(record.identity.get("versions", {})) for record in records),
    }
    if read_decisions is not None:
        row |= _bootstrapped([read_decisions(record) for record in records])
    if "normal_accuracy" in row and "anomalous_accuracy" in row:
        row["balanced_accuracy"] = (row["normal_accuracy"] + row["anomalous_accuracy"]) / 2
    return row | _against_the_paper(row)


def _summed_up(results: Sequence[Result]) -> dict[str, Any]:
    """The columns that are the seeds' numbers summed up; what no seed has is left out.

    No number where one of the seeds has none: it was recorded before the metric existed.
    """
    found = {}
    for name, column in COLUMNS.items():
        if column.summary and (
            values := [value for result in results if (value := _number(result, column.field)) is not None]
        ):
            known = not any(isinstance(value, float) and isnan(value) for value in values)
            found[name] = SUMMARIES[column.summary](values) if known else nan
    return found


def _number(result: Result, field: str) -> Any:
    """What lies at `pixel.aupro` in a result; None where a part of the way is not there."""
    found: Any = result
    for name in field.split("."):
        found = None if found is None else getattr(found, name)
    return found


def _spread(values: Sequence[float]) -> float | None:
    return pstdev(values) if len(values) > 1 else None


def _intervals(results: Sequence[Result]) -> dict[str, float]:
    """Wilson's, of the mean count over the seeds."""
    found = {}
    for side, field in SIDES.items():
        shares = [share for result in results if (share := getattr(result, field)) is not None]
        if shares:
            count = round(fmean(share.correct for share in shares))
            found[f"{side}_low"], found[f"{side}_high"] = wilson(count, shares[0].total)
    return found


def _bootstrapped(seeds: Sequence[Decisions]) -> dict[str, Any]:
    """Intervals over images, all seeds together."""
    intervals: dict[str, Any] = {"interval": "bootstrap"}
    defective_N = seeds[0].defective_N
    right_SN = np.stack([seed.right_N for seed in seeds])
    for side, chosen_N in (("normal", ~defective_N), ("anomalous", defective_N)):
        if chosen_N.any():
            intervals[f"{side}_low"], intervals[f"{side}_high"] = image_bootstrap(right_SN[:, chosen_N])
    return intervals


def _against_the_paper(row: dict[str, Any]) -> dict[str, Any]:
    """The paper's values for the cell and the difference to them.

    Nothing for other datasets, for cells that the paper does not have, and for a test set that is not the paper's (Table 1).
    """
    published = paper.values().get((row["method"], row["category"]))
    if row["dataset"] != paper.MVTEC_AD or published is None or not has_the_papers_images(row):
        return {}
    against: dict[str, Any] = {}
    for name, ours in COMPARED.items():
        value = published[ours]
        against[f"paper_{name}"] = value
        if ours in row:
            against[f"difference_{name}"] = row[ours] - value
        if f"{name}_low" in row:
            against[f"paper_{name}_inside"] = paper.lies_within(value, row[f"{name}_low"], row[f"{name}_high"])
    return against


def has_the_papers_images(row: Mapping[str, Any]) -> bool:
    """Whether a row's test set is as large as the paper's. Categories that the paper does not have are never so."""
    return paper.image_counts().get(row["category"]) == (row.get("normal_total", 0), row.get("anomalous_total", 0))


MAY_DIFFER = {"seed", "trainer.accelerator"}
"""Between seeds of one row, which lists them: their seeds and devices."""


def _refuse_two_settings(records: Sequence[Record]) -> None:
    """Cells of one table share what they read of the budget, and cells of one category the test images, whatever the method."""
    budgets: dict[tuple[str, str, str], Record] = {}
    images: dict[tuple[str, str, str], Record] = {}
    for record in records:
        for name, value in _budget(record).items():
            known = budgets.setdefault((record.dataset, record.budget, name), record)
            if _budget(known)[name] != value:
                raise UserError(
                    f"{known.cell} and {record.cell} both say budget {record.budget}, which differs: budget.{name} "
                    f"{_budget(known)[name]} -> {value}. They cannot stand in one table: keep them in two results folders "
                    "(results.dir=DIR), or run one again with budget.name=NAME."
                )
        if record.result is None:
            continue
        known = images.setdefault((record.dataset, record.budget, record.category), record)
        if known.method != record.method and known.test_data != record.test_data:
            raise UserError(
                f"{known.cell} and {record.cell} were scored on different test images (dataset {record.dataset}). They cannot "
                "stand in one table: run the older one again, or keep them in two results folders (results.dir=DIR)."
            )


def _budget(record: Record) -> dict[str, Any]:
    """What the method reads of its budget, as its file says; all of it for a method that has none."""
    budget = record.identity["config"].get("budget", {})
    read = _read_of_budgets(record.method)
    return {name: value for name, value in budget.items() if name != "name" and (read is None or name in read)}


@cache
def _read_of_budgets(method: str) -> frozenset[str] | None:
    file = project_file("conf", "method", f"{method}.yaml")
    return frozenset(re.findall(r"budget\.(\w+)", file.read_text(encoding="utf-8"))) if file.is_file() else None


def _refuse_mixture(records: Sequence[Record]) -> None:
    """Seeds may differ in seed, code and versions (the row lists the revisions), not in what decides their numbers, nor in data."""
    first = records[0]
    for other in records[1:]:
        if other.seed == first.seed:
            raise UserError(f"{other.cell} is there twice: a folder of runs/ was copied. Remove one of the two.")
        changed = differences(_shared(first), _shared(other))
        changed += [key for key in ("train_data",) if first.identity.get(key) != other.identity.get(key)]
        changed += ["test_data"] if first.test_data != other.test_data else []
        if changed:
            raise UserError(
                f"{first.cell} and {other.cell} cannot stand in one row: {'; '.join(changed)}. Run one of them again with the "
                "other's settings, or keep them in two results folders (results.dir=DIR)."
            )


def _shared(record: Record) -> dict[str, Any]:
    return {name: value for name, value in deciding(record.identity["config"]).items() if name not in MAY_DIFFER}


def _training_samples(record: Record) -> int | None:
    train = record.identity["config"].get("method", {}).get("train", {})
    epochs, samples = train.get("epochs"), train.get("samples")
    return epochs * samples if epochs and samples else None


def _listed(values: Iterable[float]) -> str:
    """Nothing if one of them is no number."""
    known = list(values)
    # a whole number stays whole: seeds may be dates
    texts = [str(value) if isinstance(value, int) else f"{value:.6g}" for value in known]
    return " ".join(texts) if all(map(isfinite, known)) else ""


SUMMARIES: dict[str, Callable[[Any], Any]] = {
    "mean": fmean,
    "std": _spread,
    "each": _listed,
    "largest": max,
    "first": lambda values: values[0],
}


def _pairs(facts: Mapping[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in facts.items())


def _distinct(values: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(values))
