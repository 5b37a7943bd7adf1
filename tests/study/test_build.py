"""The study as files: tables, page, summary, and what the command says to bad input."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from benchmarks.cli import main
from benchmarks.common.errors import UserError
from benchmarks.study.build import build
from benchmarks.study.page import TABLES
from tests.study.stored import scores, store


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder that the command wrote, and what it said."""
    results = tmp_path_factory.mktemp("study")
    for seed in (0, 1):
        store(results, scores(seed), seed=seed)
    store(results, scores(5), method="ae_ssim", budget="smoke")
    store(results, scores(7), method="mine", category="<own>", dataset="folder", facts={"weights": "random"})
    done = CliRunner().invoke(main, ["study", "area", "--results", str(results)])
    assert done.exit_code == 0, done.output
    return results / "study" / "area", done.output


def test_everything_is_written_and_described(written: tuple[Path, str]) -> None:
    folder, said = written
    assert {file.name for file in folder.iterdir()} == {*TABLES, "area_study.md", "area_study.html"}
    for name, columns in TABLES.items():
        assert list(pd.read_csv(folder / name).columns) == list(columns)
    summary = (folder / "area_study.md").read_text()
    headings = re.findall(r"^## (.*)$", summary, re.MULTILINE)
    assert headings == [
        "Dataset folder, budget short", "Dataset mvtec_ad, budget short", "Dataset mvtec_ad, budget smoke",
    ]  # fmt: skip
    assert "numbers mean nothing: mine" in summary
    assert "\nDataset mvtec_ad, budget short\n" in said
    assert "good / defective" in said and str(folder / "area_study.html") in said


def test_the_page_is_self_contained_and_labelled(written: tuple[Path, str]) -> None:
    page = (written[0] / "area_study.html").read_text()
    assert "<own>" not in page and "&lt;own&gt;" in page
    assert not re.search(r'(?:src|href)="(?!#|[a-z_]+\.csv")', page)
    figures = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(figures) == 9  # three for each of three cells
    for svg in figures:
        root = ET.fromstring(svg)
        assert root.get("role") == "img" and len(root.get("aria-label") or "") > 40 and root.get("viewBox")


def test_the_page_is_reproducible(tmp_path: Path) -> None:
    store(tmp_path, scores(0))
    pages = [build(tmp_path, tmp_path / name).files[-1].read_bytes() for name in ("a", "b")]
    assert pages[0] == pages[1]


def test_a_folder_without_runs_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    nothing = CliRunner().invoke(main, ["study", "area", "--results", str(tmp_path / "empty")])
    assert nothing.exit_code == 1 and "No finished run" in nothing.output and "Traceback" not in nothing.output


@pytest.mark.parametrize("command", ["study area", "study thresholds", "study stand-in", "list runs", "report"])
def test_a_folder_that_is_not_there_is_named(tmp_path: Path, command: str) -> None:
    absent = CliRunner().invoke(main, [*command.split(), "--results", str(tmp_path / "absent")])
    assert absent.exit_code == 1 and f"There is no folder {tmp_path / 'absent'}" in absent.output


def test_seeds_of_two_settings_are_refused(tmp_path: Path) -> None:
    store(tmp_path, scores(0))
    store(tmp_path, scores(1), seed=1, test_data="other")
    with pytest.raises(UserError, match="cannot stand in one row: test_data"):
        build(tmp_path, tmp_path / "out")
