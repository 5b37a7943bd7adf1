"""`defectbench compare`: two results folders side by side: which cells changed, by how much, and beyond chance."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.common.errors import UserError
from benchmarks.common.words import number_of
from benchmarks.protocol.paired import holm, sign_test
from benchmarks.report.build import read_contents
from benchmarks.report.formats import signed
from benchmarks.store.columns import rows_of
from benchmarks.store.identity import differences
from benchmarks.store.leaderboard import leaderboard
from benchmarks.store.record import SCORES, Record
from benchmarks.store.runs import RunStore, Unreadable
from benchmarks.store.scores import Decisions, decisions

LEVEL = 0.05
MOST_SETTINGS = 10  # named on the terminal
KEY = ["dataset", "budget", "method", "category"]
SIDES = {"normal": "good", "anomalous": "defective"}
PAIRED, INTERVALS = "paired", "intervals"
Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class Comparison:
    """What two folders have in common, and what not."""

    changes: pd.DataFrame
    """A row for each common cell and side: KEY, images, before, after, difference, test, better, worse, p, p_holm, beyond."""
    other_seeds: list[str]
    """Cells with seeds that one side lacks: they count on neither side."""
    only_before: list[str]
    only_after: list[str]
    broken: list[str]
    """Cells that finished before and failed after."""
    settings: dict[str, int]
    """What decides numbers and differs (configuration, data, code, versions), and in how many common cells."""
    unreadable: list[Unreadable]
    """Of both folders; nothing is compared with these."""

    @property
    def exceeds(self) -> bool:
        """Whether any change is beyond chance, or a cell has broken."""
        return bool(self.changes["beyond"].any()) or bool(self.broken)


def compare(before: Path, after: Path) -> Comparison:
    """Compare the runs of two results folders, cell by cell, over the seeds that both have, where they have any in common.

    Where both have the same test images and common seeds with their `scores.csv`, the exact paired test over images
    (`protocol.paired.sign_test`) decides, at 5 % after Holm's correction over all cells and sides; elsewhere a change is beyond
    chance if the two 95 % intervals (Wilson) do not overlap.

    Raises:
        UserError: a folder cannot be understood, or they have no cell in common.
    """
    first, second = (_Side.read(folder) for folder in (before, after))
    failed = _failed_since(first, second)
    other_seeds = _to_common_seeds(first, second, failed)
    common = sorted(first.rows.keys() & second.rows.keys())
    if not common:
        unread = "".join(f" {found.reason}" for found in [*first.unreadable, *second.unreadable])
        raise UserError(
            f"{before} and {after} have no finished cell in common (same dataset, budget, method and category).{unread}"
        )
    rows = [row for key in common for row in _cell(key, first, second)]
    changes = pd.DataFrame(rows, columns=[*KEY, "images", "before", "after", "difference", *_TESTED])
    paired = changes["test"] == PAIRED
    changes["p_holm"] = np.nan
    if paired.any():
        changes.loc[paired, "p_holm"] = holm(changes.loc[paired, "p"].tolist())
        changes.loc[paired, "beyond"] = changes.loc[paired, "p_holm"] < LEVEL
    changes["beyond"] = changes["beyond"].astype(bool)
    only_before = sorted(key for key in first.rows.keys() - second.rows.keys() if key not in failed)
    return Comparison(
        changes,
        other_seeds,
        [_name(key) for key in only_before],
        [_name(key) for key in sorted(second.rows.keys() - first.rows.keys())],
        [_with_seeds(key, seeds) for key, seeds in sorted(failed.items())],
        _settings(common, first, second),
        [*first.unreadable, *second.unreadable],
    )


def _failed_since(first: "_Side", second: "_Side") -> dict[Key, set[int]]:
    """Seeds that finished before and failed after."""
    found = {}
    for key in first.rows.keys() & second.runs.keys():
        before = {record.seed for record in first.runs[key] if record.result is not None}
        if failed := before & {record.seed for record in second.runs[key] if record.result is None}:
            found[key] = failed
    return found


def _to_common_seeds(first: "_Side", second: "_Side", failed: dict[Key, set[int]]) -> list[str]:
    """Leave out the finished seeds that the other side lacks; in words, but for those that failed there."""
    left_out = []
    for key in sorted(first.rows.keys() & second.rows.keys()):
        old, new = ({r.seed for r in side.runs[key] if r.result is not None} for side in (first, second))
        if old & new and old != new:
            for side, folder in ((first, "before"), (second, "after")):
                lacking = (old if folder == "before" else new) - (old & new)
                if folder == "before":
                    lacking -= failed.get(key, set())
                if lacking:
                    left_out.append(f"{_with_seeds(key, lacking)} ({folder})")
                side.keep(key, old & new)
    return left_out


def _with_seeds(key: Key, seeds: Iterable[int]) -> str:
    return f"{_name(key)} seed {', '.join(map(str, sorted(seeds)))}"


_TESTED = ["test", "better", "worse", "p", "beyond"]


@dataclass(frozen=True)
class _Side:
    """One results folder."""

    store: RunStore
    rows: dict[Key, dict[str, Any]]
    runs: dict[Key, list[Record]]
    """Finished and failed ones."""
    unreadable: list[Unreadable]

    @classmethod
    def read(cls, folder: Path) -> "_Side":
        contents = read_contents(folder)
        records = contents.records
        rows = leaderboard(records)
        if rows.empty:
            contents.complain()
            raise UserError(f"No finished run in {folder / 'runs'}.")
        runs = {key: list(group) for key, group in groupby(sorted(records, key=_key), _key)}
        return cls(RunStore(folder), {_row_key(row): row for row in rows_of(rows)}, runs, contents.unreadable)

    def keep(self, key: Key, seeds: set[int]) -> None:
        """Leave out a cell's other finished seeds."""
        self.runs[key] = [record for record in self.runs[key] if record.result is None or record.seed in seeds]
        (self.rows[key],) = rows_of(leaderboard(self.runs[key]))

    def finished(self, key: Key) -> dict[int, Record]:
        """Records by seed, those whose scores are there."""
        return {
            record.seed: record
            for record in self.runs[key]
            if record.result is not None and (self.store.where(record) / SCORES).is_file()
        }


def _key(record: Record) -> Key:
    return record.dataset, record.budget, record.method, record.category


def _row_key(row: dict[str, Any]) -> Key:
    return row["dataset"], row["budget"], row["method"], row["category"]


def _name(key: Key) -> str:
    dataset, budget, method, category = key
    return f"{method} / {category} ({dataset}, budget {budget})"


def _cell(key: Key, first: _Side, second: _Side) -> Iterator[dict[str, Any]]:
    """Good and defective images of one cell."""
    old, new = first.rows[key], second.rows[key]
    shared = _same_images(key, first, second)
    for side, images in SIDES.items():
        before, after = old[f"{side}_accuracy"], new[f"{side}_accuracy"]
        if pd.isna(before) or pd.isna(after):
            continue
        row = {**dict(zip(KEY, key, strict=True)), "images": images, "before": before, "after": after}
        tested = _by_intervals(old, new, side) if shared is None else _by_images(*shared, images == "defective")
        yield row | {"difference": after - before} | tested


def _settings(common: Sequence[Key], first: _Side, second: _Side) -> dict[str, int]:
    """Differing settings by their dotted names, those of most cells first."""
    counts: Counter[str] = Counter()
    for key in common:
        new = {record.seed: record.identity for record in second.runs[key]}
        pairs = [(record.identity, new[record.seed]) for record in first.runs[key] if record.seed in new]
        counts.update({change for before, after in pairs for change in differences(before, after)})
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _same_images(key: Key, first: _Side, second: _Side) -> tuple[Sequence[Decisions], Sequence[Decisions]] | None:
    """Decisions of the common seeds in both folders; None unless all are of the same test images."""
    old, new = first.finished(key), second.finished(key)
    seeds = sorted(old.keys() & new.keys())
    if not seeds or old[seeds[0]].test_data != new[seeds[0]].test_data:
        return None
    before = [decisions(first.store.where(old[seed]), old[seed]) for seed in seeds]
    after = [decisions(second.store.where(new[seed]), new[seed]) for seed in seeds]
    same = all(np.array_equal(before[0].images_N, other.images_N) for other in [*before, *after])
    return (before, after) if same else None


def _by_images(before: Sequence[Decisions], after: Sequence[Decisions], defective: bool) -> dict[str, Any]:
    chosen_N = before[0].defective_N == defective
    result = sign_test(_right(before)[:, chosen_N], _right(after)[:, chosen_N])
    return {"test": PAIRED, "better": result.better, "worse": result.worse, "p": result.p, "beyond": False}


def _right(seeds: Sequence[Decisions]) -> NDArray[np.bool_]:
    return np.stack([seed.right_N for seed in seeds])


def _by_intervals(old: dict[str, Any], new: dict[str, Any], side: str) -> dict[str, Any]:
    apart = old[f"{side}_high"] < new[f"{side}_low"] or new[f"{side}_high"] < old[f"{side}_low"]
    return {"test": INTERVALS, "better": None, "worse": None, "p": None, "beyond": apart}


def show(comparison: Comparison, console: Console) -> None:
    """Print the cells that changed and, in words, the rest."""
    changes = comparison.changes
    changed = changes[
        (changes["difference"].abs() > 1e-12) | changes["beyond"] | (changes[["better", "worse"]].sum(axis=1) > 0)
    ]
    if len(changed):
        console.print(_table(changed))
    cells, paired = len(changes[KEY].drop_duplicates()), int((changes["test"] == PAIRED).sum())
    counts = f"{number_of(cells, 'cell')} in common, {len(changed)} of {number_of(len(changes), 'share')} changed"
    console.print(
        f"{counts}, {int(changes['beyond'].sum())} beyond chance "
        f"({paired} tested image by image, {len(changes) - paired} by intervals)."
    )
    for words, names in (
        ("Finished before, failed after", comparison.broken),
        ("Left out, as the other side lacks these seeds", comparison.other_seeds),
        ("Only before", comparison.only_before),
        ("Only after", comparison.only_after),
    ):
        if names:
            console.print(f"{words}: {', '.join(names)}.", markup=False)
    if comparison.settings:
        shown = [f"{change} ({number_of(count, 'cell')})" for change, count in comparison.settings.items()]
        more = f"; and {len(shown) - MOST_SETTINGS} more" if len(shown) > MOST_SETTINGS else ""
        console.print(f"Settings that differ: {'; '.join(shown[:MOST_SETTINGS])}{more}.", markup=False)


def _table(changes: pd.DataFrame) -> Table:
    shown = Table()
    for name in (
        "method",
        "category",
        "images",
        "before",
        "after",
        "difference",
        "better, worse images",
        "p (Holm)",
        "",
    ):
        shown.add_column(name, justify="left" if name in {"method", "category", "images", ""} else "right")
    several = len(changes[["dataset", "budget"]].drop_duplicates()) > 1
    for row in rows_of(changes):
        place = f" ({row['dataset']}, {row['budget']})" if several else ""
        counts = "-" if row["test"] == INTERVALS else f"{int(row['better'])}, {int(row['worse'])}"
        p = "intervals" if row["test"] == INTERVALS else f"{row['p_holm']:.3g}"
        shown.add_row(
            row["method"] + place,
            row["category"],
            row["images"],
            f"{row['before']:.3f}",
            f"{row['after']:.3f}",
            signed(row["difference"]),
            counts,
            p,
            "beyond chance" if row["beyond"] else "",
        )
    return shown
