"""`results/published`: the tables follow from the records, and what the pages quote stands in the tables."""

import json
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.report.build import build
from benchmarks.store.identity import PROJECT
from benchmarks.store.record import EXTERNAL
from benchmarks.store.runs import RunStore
from benchmarks.study.bound import bounds
from benchmarks.study.build import build as study
from benchmarks.study.grid import read_grids

PUBLISHED = PROJECT / "results" / "published"
PAGES = sorted((PROJECT / "results").glob("*.md"))
REPORTED = sorted(path.parent for path in PUBLISHED.glob("*/report"))
STORES = sorted({path.parent for path in PUBLISHED.glob("**/runs")})


def test_something_is_published() -> None:
    assert {store.name for store in REPORTED} == {
        "bottle",
        "carpet_tiles",
        "grid",
        "magnetic_tile",
        "screw",
        "transistor",
    }


@pytest.mark.parametrize("store", REPORTED, ids=lambda store: store.name)
def test_report_makes_the_same_files_byte_for_byte(store: Path, tmp_path: Path) -> None:
    made = build(store, tmp_path).files
    assert {file.name for file in made} == {file.name for file in (store / "report").iterdir()}
    for file in made:
        assert file.read_bytes() == (store / "report" / file.name).read_bytes(), file.name


@pytest.mark.parametrize("store", REPORTED, ids=lambda store: store.name)
def test_area_study_makes_the_same_files_byte_for_byte(store: Path, tmp_path: Path) -> None:
    study(store, tmp_path)
    for file in (store / "study").iterdir():
        assert file.read_bytes() == (tmp_path / file.name).read_bytes(), file.name


@pytest.mark.parametrize("store", STORES, ids=lambda store: str(store.relative_to(PUBLISHED)))
def test_records_say_where_they_come_from(store: Path) -> None:
    for record in RunStore(store).records():
        assert record.result is not None and record.revision and not record.revision.endswith("dirty")
        assert record.identity["config"] and record.identity["versions"]
        assert record.identity["train_data"] or record.budget == EXTERNAL  # what made maps given to us was fitted to
        scores = pd.read_csv(RunStore(store).folder(record.cell) / "scores.csv")
        test = scores[scores["split"] == "test"]
        found = test[f"score_{record.result.minimum_area}"] > record.result.threshold  # as the record decided
        assert (found & test["defective"]).sum() == record.result.defective.correct
        assert (~found & ~test["defective"]).sum() == record.result.good.correct


@pytest.mark.parametrize("category", ["bottle", "grid", "screw", "transistor"])
def test_the_summary_quotes_what_no_threshold_exceeds(category: str) -> None:
    text = (PROJECT / "results" / "README.md").read_text(encoding="utf-8")
    cells = pd.read_csv(PUBLISHED / category / "study" / "cells.csv").dropna(subset=["any_threshold_anomalous"])
    assert len(cells)
    for cell in cells.to_dict("records"):
        assert f" {cell['any_threshold_anomalous']:.2f} ({cell['paper_anomalous']:.2f}) |" in text, cell["method"]


def test_the_summary_quotes_how_weak_a_test_reaching_a_pair_is() -> None:
    text = (PROJECT / "results" / "README.md").read_text(encoding="utf-8")
    cells = pd.concat(pd.read_csv(path) for path in PUBLISHED.glob("*/study/cells.csv"))
    cells = cells[cells["reachable"].notna()]
    own = f"{int(cells['reachable'].sum())} of {len(cells)}"
    reached, others = (cells[name].fillna("").str.split().str.len().sum() for name in ("others_reached", "others"))
    assert f"{reached} of {others} cases" in text and f"({own})" in text


@pytest.mark.parametrize("name", ["curve/64k", "ablations/ssim_as_printed_32000"])
def test_bottles_page_quotes_the_bound_of_longer_training_and_of_other_constants(name: str) -> None:
    store = RunStore(PUBLISHED / name)
    found = bounds(read_grids(PUBLISHED / name, [record for record in store.records() if record.method == "ae_ssim"]))
    assert [f"{bound['any_threshold_anomalous']:.2f}" for bound in found.values()] == ["0.81"]


def test_numbers_only() -> None:
    suffixes = {file.suffix for file in PUBLISHED.rglob("*") if file.is_file()}
    assert suffixes == {".csv", ".json", ".md", ".tex", ".yaml"}


def test_the_pages_quote_every_run() -> None:
    """Each run stands on a page with its counts: `19/20, 33/63`."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    for path in sorted(PUBLISHED.glob("**/run.json")):
        result = json.loads(path.read_text(encoding="utf-8"))["result"]
        good, bad = result["good"], result["defective"]
        counts = f"{good['correct']}/{good['total']}, {bad['correct']}/{bad['total']}"
        assert counts in text, path
