"""`results/published`: the tables follow from the records, and what the pages quote stands in the tables."""

import json
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.report.build import build
from benchmarks.store.identity import PROJECT
from benchmarks.store.runs import RunStore
from benchmarks.study.build import build as study

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
        assert record.identity["config"] and record.identity["versions"] and record.identity["train_data"]
        scores = pd.read_csv(RunStore(store).folder(record.cell) / "scores.csv")
        test = scores[scores["split"] == "test"]
        found = test[f"score_{record.result.minimum_area}"] > record.result.threshold  # as the record decided
        assert (found & test["defective"]).sum() == record.result.defective.correct
        assert (~found & ~test["defective"]).sum() == record.result.good.correct


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
