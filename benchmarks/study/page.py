"""The study as one self-contained page: figures and tables. Equal stores give equal bytes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader

from benchmarks.protocol.estimators import ESTIMATORS
from benchmarks.store.columns import rows_of
from benchmarks.study import area, curves, figures
from benchmarks.study.grid import ONE_PIXEL
from benchmarks.study.summary import CAPTION, Findings, pair_in_words, percent

TEMPLATE = "area_study.html.jinja"
TABLES = {
    "curves.csv": curves.COLUMNS,
    "held_out_images.csv": curves.SUBSET_COLUMNS,
    "cells.csv": area.CELL_COLUMNS,
    "categories.csv": area.CATEGORY_COLUMNS,
    "ranks.csv": area.RANK_COLUMNS,
}


@dataclass(frozen=True)
class Category:
    """What the page shows of one category."""

    findings: Findings
    methods: list[str]
    figures: list[tuple[str, str]]
    """SVG and caption."""
    by_area: pd.DataFrame
    by_estimator: pd.DataFrame


@dataclass(frozen=True)
class Section:
    """One dataset and budget: they never share a table."""

    overview: Findings
    categories: list[Category]


def page(sections: list[Section]) -> str:
    """The page's HTML."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return (
        environment.get_template(TEMPLATE).render(
            sections=sections, caption=CAPTION, colour=figures.colour, tables=TABLES
        )
        + "\n"
    )


def category(study: area.AreaStudy, findings: Findings, cells: list[dict[str, Any]]) -> Category:
    """Figures and tables of one category's cells, the methods in the paper's order."""
    lines = [(cell["method"], study.mean_curve(cell)) for cell in cells]
    on_grid = [(name, curve[curve["area"] > ONE_PIXEL]) for name, curve in lines]
    fewer = [(cell["method"], study.mean_subsets(cell)) for cell in cells]
    name = findings.heading
    shown = []
    two_sided = [(method, curve) for method, curve in on_grid if curve["balanced_accuracy"].notna().any()]
    if two_sided:
        caption = "Each point is one area, lines join neighbouring ones. Diamond: the declared area."
        crosses = any(curve["paper_normal"].notna().any() for _, curve in two_sided)
        caption += " Cross: the paper's pair." if crosses else ""
        label = f"{name}: share of good images that pass against share of defective images found, for every area"
        shown.append((figures.plane(two_sided, f"{label}. {_ends(two_sided)}"), caption))
        label = f"{name}: balanced accuracy over the minimum defect area"
        caption = "Balanced accuracy over the area; the dotted line is the declared one."
        shown.append((figures.balance(two_sided, f"{label}. {_ends(two_sided)}"), caption))
    label = f"{name}: accuracy expected with fewer held-out images, at the declared area"
    caption = (
        "Fewer held-out images, the fitted method unchanged: a lower threshold. Solid: good images, dashed: defective."
    )
    shown.append((figures.held_out(fewer, label), caption))
    return Category(findings, [cell["method"] for cell in cells], shown, _by_area(on_grid), _by_estimator(study, cells))


def _ends(lines: figures.Named) -> str:
    return " ".join(
        f"{method}: from {pair_in_words(rows[0])} at {percent(rows[0]['area'])} to {pair_in_words(rows[-1])} "
        f"at {percent(rows[-1]['area'])}."
        for method, rows in ((method, rows_of(curve)) for method, curve in lines)
    )


def _by_area(lines: figures.Named) -> pd.DataFrame:
    columns = {method: {percent(row["area"]): _short(row) for row in rows_of(curve)} for method, curve in lines}
    areas = sorted({area for _, curve in lines for area in curve["area"]})
    return pd.DataFrame(columns).reindex([percent(area) for area in areas]).fillna("").rename_axis("area")


def _by_estimator(study: area.AreaStudy, cells: list[dict[str, Any]]) -> pd.DataFrame:
    columns = {}
    for cell in cells:
        points = {name: study.mean_curve(cell, name) for name in ESTIMATORS}
        columns[cell["method"]] = {name: _short(rows_of(curve[curve["declared"]])[0]) for name, curve in points.items()}
    return pd.DataFrame(columns).rename_axis("estimator")


def _short(point: dict[str, Any]) -> str:
    """`0.97 / 0.51`, and a mark where the paper's pair is reached."""
    both = " / ".join(
        f"{point[f'{side}_accuracy']:.2f}" if pd.notna(point[f"{side}_accuracy"]) else "-" for side in curves.SIDES
    )
    return f"{both} ✓" if point["inside"] is True else both
