"""`defectbench study thresholds`: every threshold rule on stored scores, its promised and its realised false-alarm rate."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks.common.errors import UserError
from benchmarks.common.files import write_texts
from benchmarks.protocol.decision import Share, classified_correctly
from benchmarks.protocol.thresholds import Rule
from benchmarks.store.runs import Contents, RunStore, Unreadable, check_is_there
from benchmarks.study.grid import Grid, read_grids

RULES = tuple(
    Rule.of(text)
    for text in (
        *("maximum", "quantile:0.99", "quantile:0.95", "quantile:0.9"),
        *("conformal:0.2", "conformal:0.1", "conformal:0.05", "conformal:0.02", "conformal:0.01"),
    )
)
GROUP = ["dataset", "budget", "category", "rule"]
RUN_COLUMNS = [*GROUP[:2], "method", "category", "seed", "rule", "held_out", "needed", "promised", "threshold"]
RUN_COLUMNS += ["false_alarms", "good_total", "found", "defective_total"]
RULE_COLUMNS = [
    *GROUP,
    "runs",
    "held_out",
    "needed",
    "promised",
    "false_alarms",
    "good_total",
    "false_alarm_rate",
    "low",
    "high",
]
RULE_COLUMNS += ["runs_promised", "runs_above_promise", "found", "defective_total"]


@dataclass(frozen=True)
class Built:
    """What was found, and where it was written."""

    runs: pd.DataFrame
    """`RUN_COLUMNS`: each run under each rule; a rule that needs more held-out images than there are has no numbers, a method that
    uses the held-out images itself no promise."""
    rules: pd.DataFrame
    """`RULE_COLUMNS`: the mean over the runs of a category; seeds and methods share the test images, so counts are never pooled."""
    files: list[Path]
    unreadable: list[Unreadable]
    """Runs that were left out."""


def build(results: Path, out: Path) -> Built:
    """Write `runs.csv`, `rules.csv` and `thresholds.md`.

    Raises:
        UserError: no finished run with maps, or scores that cannot be read.
    """
    check_is_there(results)
    contents = RunStore(results).contents()
    grids = read_grids(results, contents.records)
    if not grids:
        contents.complain()
        raise UserError(f"No finished run with anomaly maps in {results / 'runs'}. Make some with `defectbench run`.")
    runs = pd.DataFrame([row for grid in grids for row in _run_rows(grid)], columns=RUN_COLUMNS)
    rules = pd.DataFrame([_rule_row(part) for _, part in runs.groupby(GROUP, sort=False)], columns=RULE_COLUMNS)
    rules = rules.sort_values(["dataset", "budget", "category"], kind="stable", ignore_index=True)
    texts = {
        "runs.csv": runs.to_csv(index=False, float_format="%.6g"),
        "rules.csv": rules.to_csv(index=False, float_format="%.6g"),
        "thresholds.md": _markdown(rules),
    }
    return Built(runs, rules, write_texts(out, texts), contents.unreadable)


def _run_rows(grid: Grid) -> Iterator[dict[str, Any]]:
    from benchmarks.run.method import sees_held_out  # torch, which a folder without runs is spared

    record, may_promise = grid.record, not sees_held_out(grid.record)
    held_out_V, test_N = grid.validation_VA[:, grid.declared], grid.test_NA[:, grid.declared]
    for rule in RULES:
        row = {name: getattr(record, name) for name in ("dataset", "budget", "method", "category", "seed")}
        row |= {"rule": str(rule), "held_out": len(held_out_V), "needed": rule.images_needed}
        if len(held_out_V) >= rule.images_needed:
            limit = rule.threshold(held_out_V)
            good, bad = classified_correctly(test_N, grid.defective_N, limit)
            promised = rule.promise(len(held_out_V), grid.folds) if may_promise else math.nan
            row |= {"promised": promised, "threshold": limit}
            row |= {"false_alarms": good.total - good.correct, "good_total": good.total} if good else {}
            row |= {"found": bad.correct, "defective_total": bad.total} if bad else {}
        yield row


def _rule_row(part: pd.DataFrame) -> dict[str, Any]:
    """The mean over the runs of one category, with Wilson's interval of the mean count of false alarms."""
    row = {name: part.iloc[0][name] for name in (*GROUP, "held_out", "needed")}
    usable = part[part["good_total"].notna()]
    row["runs"] = len(usable)
    if usable.empty:
        return row
    total, alarms = int(usable["good_total"].iloc[0]), float(usable["false_alarms"].mean())
    low, high = Share.of(round(alarms), total).interval
    promised = usable[usable["promised"].notna()]
    lows = [Share.of(int(k), total).interval[0] for k in promised["false_alarms"]]
    row |= {"promised": promised["promised"].mean(), "false_alarms": alarms, "good_total": total}
    row |= {"false_alarm_rate": alarms / total, "low": low, "high": high, "runs_promised": len(promised)}
    row["runs_above_promise"] = int(np.sum(np.array(lows) > promised["promised"].to_numpy()))
    return row | {"found": usable["found"].mean(), "defective_total": usable["defective_total"].iloc[0]}


HEADINGS = ("rule", "held out", "promised", "false-alarm rate", "95 % interval", "above the promise", "defective found")


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    if not row["runs"]:
        return (row["rule"], str(row["held_out"]), "-", f"needs {row['needed']} held-out images", "-", "-", "-")
    found = "-" if pd.isna(row["found"]) else f"{row['found']:.1f}/{row['defective_total']:.0f}"
    promised = f"{row['promised']:.3f}" if row["runs_promised"] else "-"
    above = f"{row['runs_above_promise']:.0f} of {row['runs_promised']:.0f} runs" if row["runs_promised"] else "-"
    return (
        row["rule"],
        str(row["held_out"]),
        promised,
        f"{row['false_alarms']:.1f}/{row['good_total']:.0f} = {row['false_alarm_rate']:.3f}",
        f"[{row['low']:.2f}, {row['high']:.2f}]",
        above,
        found,
    )


def _sections(rules: pd.DataFrame) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    for (dataset, budget, category), part in rules.groupby(GROUP[:3], sort=False):
        rows: Sequence[dict[str, Any]] = part.to_dict("records")  # type: ignore[assignment]
        yield f"{category} ({dataset}, budget {budget})", [_cells(row) for row in rows]


READING = (
    "Means over the runs of a category (methods and seeds share the test images). Promised: the highest false-alarm rate that the "
    "rule allows for good images made like the held-out ones; runs of methods that use the held-out images themselves have none. "
    "Above the promise: runs whose 95 % interval excludes it: test images and held-out images differ, or chance put the run there."
)


def _markdown(rules: pd.DataFrame) -> str:
    lines = ["# Threshold rules", "", READING]
    for title, rows in _sections(rules):
        lines += ["", f"## {title}", "", f"| {' | '.join(HEADINGS)} |", "|---" * len(HEADINGS) + "|"]
        lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def show(built: Built, console: Console) -> None:
    """Print the rules and the paths of what was written.

    Raises:
        UserError: some runs were left out; names them.
    """
    for title, rows in _sections(built.rules):
        table = Table(title=title, title_justify="left")
        for place, heading in enumerate(HEADINGS):
            table.add_column(heading, justify="left" if place == 0 else "right")
        for row in rows:
            table.add_row(*row)
        console.print(table)
    console.print(READING, highlight=False)
    for file in built.files:
        console.print(f"wrote {file}", soft_wrap=True)
    Contents([], built.unreadable).complain()
