"""Ranks of the stored runs: who has one, who is told apart, what to run; the star; the picture; the answer."""

import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks.report.build import build
from benchmarks.report.page import write_page
from benchmarks.report.paper_figures import write_figures
from benchmarks.report.ranks import picture, ranks, table
from benchmarks.store.record import EXTERNAL
from benchmarks.store.runs import RunStore
from tests.report.stores import write_store
from tests.report.test_plots import cells


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("ranked"), seeds=[0, 1], categories=["bottle", "carpet", "cable"])


def test_each_method_is_ranked_by_all_its_seeds(tmp_path: Path) -> None:
    results = write_store(tmp_path, seeds=[0, 1, 2], categories=["bottle"])
    for seed in (1, 2):
        shutil.rmtree(tmp_path / "runs" / "anogan" / "bottle" / f"seed={seed}")
    stored = cells(results)
    found = ranks(stored)
    for method, mean in zip(found.methods, table(found)["mean"], strict=True):
        cell = stored[method, "bottle"]
        assert mean == pytest.approx((cell.accuracy("good") + cell.accuracy("defective")) / 2)  # type: ignore[operator]


def test_methods_that_lack_a_cell_have_no_rank(results: Path) -> None:
    found = ranks(cells(results))
    assert set(found.methods) == {"ae_ssim", "ae_l2", "anogan", "cnn_feature_dictionary"}
    assert "defectbench run -m method=variation_model category=carpet" in found.commands
    without = ranks(cells(results), not_applicable={("variation_model", "carpet")})
    assert (
        not any("variation_model" in command for command in without.commands) and "variation_model" in without.missing
    )
    rows = table(found)
    assert rows["mean"].is_monotonic_decreasing and (rows["low"] <= rows["mean"]).all()
    balanced = [found.found.mean_M[m] for m in range(len(found.methods))]  # type: ignore[union-attr]
    for method, mean in zip(found.methods, balanced, strict=True):
        own = [cell for (name, _), cell in cells(results).items() if name == method]
        shares = [(cell.accuracy("good") + cell.accuracy("defective")) / 2 for cell in own]  # type: ignore[operator]
        assert mean == pytest.approx(sum(shares) / len(shares))


def test_what_to_run_is_quoted_and_says_its_benchmark(results: Path) -> None:
    found = {key: cell for key, cell in cells(results).items() if key[0] == "ae_l2" or key[1] == "carpet"}

    def asked(**changes: Any) -> list[str]:
        renamed = {
            (method, category.replace("bottle", "metal nut, new")): replace(
                cell, runs=tuple(replace(run, record=replace(run.record, **changes)) for run in cell.runs)
            )
            for (method, category), cell in found.items()
        }
        return ranks(renamed, not_applicable={("anogan", "cable")}).commands

    (command, *_) = [text for text in asked(overrides=("benchmark=mnist",)) if "anogan" in text]
    words = shlex.split(command)
    assert words[:5] == ["defectbench", "run", "-m", "benchmark=mnist", "method=anogan"]
    assert words[5:] == ["category='metal nut, new'"]
    assert asked(budget=EXTERNAL) == []


def test_the_star_goes_to_none_that_is_not_told_apart(results: Path) -> None:
    found = ranks(cells(results))
    for category, method in found.best.items():
        alone = ranks({key: cell for key, cell in cells(results).items() if key[1] == category})
        assert alone.methods[0] == method and alone.told_apart(0, 0) is not True and alone.told_apart(0, 1)


def test_the_picture_is_drawn_and_written(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ElementTree.fromstring(picture(ranks(cells(results))))
    monkeypatch.setattr("benchmarks.report.paper_figures.PLOTS", ())
    report = build(results, tmp_path)
    names = [path.name for path in write_figures(report, RunStore(results), tmp_path)]
    assert names == ["ranks.png", "ranks.pdf"]
    page, csv = write_page(report, RunStore(results), tmp_path)
    assert csv.name == "ranks_mvtec_ad_short.csv"
    text = page.read_text(encoding="utf-8")
    assert "as they lack some: texture_inspection" in text
