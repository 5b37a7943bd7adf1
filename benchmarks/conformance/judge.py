"""Whose answers are exact? Case, exact, theirs: nothing is added up, nothing is graded."""

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks.common.errors import UserError
from benchmarks.conformance.cases import METRICS, cases

TOLERANCE = 1e-6
"""Answers in 32 bits are exact within it."""
COLUMNS = ["library", "version", "case", "metric", "exact", "theirs", "verdict"]


def judge(path: Path) -> pd.DataFrame:
    """A row for each case and metric that the file answers: `COLUMNS`.

    Verdicts: exact, differs, error, or `defined`: a number for what is not defined.

    Raises:
        UserError: the file is not a set of answers; names the place and the remedy.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        library, version, answers = found["library"], found["version"], found["answers"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} holds no answers ({type(error).__name__}: {error}). It is JSON with the keys library, version, answers; see "
            "the README.md that `defectbench conformance` writes."
        ) from error
    known = {case.name: case for case in cases()}
    if not isinstance(answers, dict) or (unknown := sorted(set(answers) - set(known))):
        names = "its answers are no object" if not isinstance(answers, dict) else f"there is no case {unknown[0]!r}"
        raise UserError(f"{path}: {names}. Cases: {', '.join(known)}.")
    rows = []
    for name, theirs in answers.items():
        exact = known[name].answers()
        if not isinstance(theirs, dict) or (wrong := sorted(set(theirs) - set(METRICS))):
            what = "is no object" if not isinstance(theirs, dict) else f"has an unknown metric {wrong[0]!r}"
            raise UserError(f"{path}: {name} {what}. Metrics: {', '.join(METRICS)}.")
        for metric, answer in theirs.items():
            value = exact[metric]
            number = None if value is None else float(value)
            rows.append([library, version, name, metric, number, answer, _verdict(number, answer)])
    return pd.DataFrame(rows, columns=COLUMNS)


def _verdict(exact: float | None, theirs: Any) -> str:
    if isinstance(theirs, str):
        return "exact" if exact is None else "error"  # refusing what is not defined is right
    if theirs is None or (isinstance(theirs, float) and math.isnan(theirs)):
        return "exact" if exact is None else "differs"
    if isinstance(theirs, bool) or not isinstance(theirs, int | float):
        return "error"
    if exact is None:
        return "defined"
    return "exact" if abs(theirs - exact) <= TOLERANCE else "differs"


def show(verdicts: pd.DataFrame, console: Console) -> None:
    """Print what is not exact, and how much is."""
    shown = Table()
    for name in ("case", "metric", "exact", "theirs", "verdict"):
        shown.add_column(name, justify="right" if name in {"exact", "theirs"} else "left")
    other = verdicts[verdicts["verdict"] != "exact"]
    for row in other.to_dict("records"):
        exact = "not defined" if pd.isna(row["exact"]) else f"{row['exact']:.6f}"
        theirs = f"{row['theirs']:.6f}" if isinstance(row["theirs"], float) else str(row["theirs"])[:60]
        shown.add_row(row["case"], row["metric"], exact, theirs, row["verdict"])
    if len(other):
        console.print(shown)
    first = verdicts.iloc[0] if len(verdicts) else None
    who = "no answers" if first is None else f"{first['library']} {first['version']}"
    console.print(f"{who}: {len(verdicts) - len(other)} of {len(verdicts)} answers are exact (within {TOLERANCE:g}).")
