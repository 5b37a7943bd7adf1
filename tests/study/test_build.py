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


def fill(results: Path) -> None:
    for seed in (0, 1):
        store(results, scores(seed), seed=seed)
    store(results, scores(5), method="ae_ssim", budget="smoke")
    store(results, scores(7), method="mine", category="<own>", dataset="folder", facts={"weights": "random"})


def test_everything_is_written_and_described(tmp_path: Path) -> None:
    fill(tmp_path)
    built = build(tmp_path, tmp_path / "out")
    assert {file.name for file in built.files} == {*TABLES, "area_study.md", "area_study.html"}
    for name, columns in TABLES.items():
        assert list(pd.read_csv(tmp_path / "out" / name).columns) == list(columns)
    summary = (tmp_path / "out" / "area_study.md").read_text()
    headings = re.findall(r"^## (.*)$", summary, re.MULTILINE)
    assert headings == [
        "Dataset folder, budget short", "Dataset mvtec_ad, budget short", "Dataset mvtec_ad, budget smoke",
    ]  # fmt: skip
    assert "numbers mean nothing: mine" in summary


def test_the_page_is_self_contained_labelled_and_reproducible(tmp_path: Path) -> None:
    fill(tmp_path)
    pages = [build(tmp_path, tmp_path / name).files[-1].read_bytes() for name in ("a", "b")]
    assert pages[0] == pages[1]
    page = pages[0].decode()
    assert "<own>" not in page and "&lt;own&gt;" in page
    assert not re.search(r'(?:src|href)="(?!#|[a-z_]+\.csv")', page)
    figures = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(figures) == 9  # three for each of three cells
    for svg in figures:
        root = ET.fromstring(svg)
        assert root.get("role") == "img" and len(root.get("aria-label") or "") > 40 and root.get("viewBox")


def test_the_command_line(tmp_path: Path) -> None:
    fill(tmp_path)
    done = CliRunner().invoke(main, ["study", "area", "--results", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "good / defective" in done.output and str(tmp_path / "study" / "area" / "area_study.html") in done.output
    nothing = CliRunner().invoke(main, ["study", "area", "--results", str(tmp_path / "empty")])
    assert nothing.exit_code == 1 and "No finished run" in nothing.output and "Traceback" not in nothing.output


def test_seeds_of_two_settings_are_refused(tmp_path: Path) -> None:
    store(tmp_path, scores(0))
    store(tmp_path, scores(1), seed=1, test_data="other")
    with pytest.raises(UserError, match="cannot stand in one row: test_data"):
        build(tmp_path, tmp_path / "out")
