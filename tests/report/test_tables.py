"""Table 2 in the paper's layout, from records."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from benchmarks.report.table2 import table2
from rich.console import Console

from benchmarks.errors import UserError
from benchmarks.protocol.decision import Share
from benchmarks.report.build import build, show
from benchmarks.store.leaderboard import leaderboard
from benchmarks.store.record import Record
from benchmarks.store.runs import RunStore
from tests.store.test_runs import RECORD, RESULT, put


def cell(method: str, category: str, kind: str, good: int = 19, **changes: object) -> Record:
    result = replace(RESULT, good=Share.of(good, 20), has_masks=category != "bottle")
    return replace(RECORD, method=method, category=category, kind=kind, result=result, **changes)


def records() -> list[Record]:
    return [
        cell("variation_model", "bottle", "object"),
        cell("ae_l2", "bottle", "object"),
        cell("ae_l2", "wood", "texture"),
        cell("ae_l2", "carpet", "texture", good=10),
        cell("mine", "carpet", "texture"),
    ]


def test_layout_is_the_papers() -> None:
    table = table2(leaderboard(records()))
    assert list(table.cells.columns) == ["ae_l2", "variation_model", "mine"]
    assert [index[1:] for index in table.cells.index] == [
        ("carpet", "good"), ("carpet", "defective"), ("wood", "good"), ("wood", "defective"),
        ("bottle", "good"), ("bottle", "defective"), ("mean", "good"), ("mean", "defective"),
    ]  # fmt: skip


def test_ours_stands_beside_the_papers_with_its_interval() -> None:
    cells = table2(leaderboard(records())).cells
    assert cells.loc[("object", "bottle", "good"), "ae_l2"] == "0.95 [0.76, 0.99] (0.70)"
    assert cells.loc[("texture", "carpet", "good"), "mine"] == "0.95 [0.76, 0.99]"  # the paper has no such method
    assert cells.loc[("", "mean", "good"), "ae_l2"] == "0.80 (0.76)"  # mean of 0.57, 1.00, 0.70
    assert cells.loc[("", "mean", "good"), "mine"] == "0.95"


def test_absent_cells_differ_by_their_reason() -> None:
    cells = table2(leaderboard(records()), failed={("mine", "wood")}).cells
    assert cells.loc[("texture", "wood", "good"), "variation_model"] == "-"  # a dash in the paper
    assert cells.loc[("texture", "wood", "good"), "mine"] == "failed"
    missing = table2(leaderboard([*records()[1:], cell("variation_model", "pill", "object")])).cells
    assert missing.loc[("object", "bottle", "good"), "variation_model"] == ""


def test_caption_says_what_the_numbers_are() -> None:
    caption = table2(leaderboard(records())).caption
    for part in ("mvtec_ad", "budget short", "0.10% of the image", "95 %", "paper", "without masks", "bottle"):
        assert part in caption
    synthetic = table2(leaderboard([replace(record, dataset="synthetic") for record in records()]))
    assert "synthetic: not MVTec AD" in synthetic.caption
    assert synthetic.cells.loc[("object", "bottle", "good"), "ae_l2"] == "0.95 [0.76, 0.99]"


def test_random_weights_are_marked() -> None:
    marked = [replace(record, result=replace(record.result, facts={"weights": "random"})) for record in records()[2:3]]
    unmarked = [replace(record, result=replace(record.result, facts={})) for record in records()[:1]]
    columns = list(table2(leaderboard(marked + unmarked)).cells.columns)
    assert columns == ["ae_l2 (random weights)", "variation_model"]


def test_two_budgets_never_share_a_table() -> None:
    with pytest.raises(ValueError, match="one dataset and one budget"):
        table2(leaderboard([RECORD, replace(RECORD, budget="smoke")]))


def test_report_writes_and_shows_everything(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    for record in [*records(), cell("ae_l2", "pill", "object", status="failed", budget="smoke")]:
        put(store, replace(record, result=None, error="no memory") if record.status == "failed" else record)
    report = build(tmp_path, tmp_path / "out")
    names = {file.name for file in report.files}
    assert names == {"leaderboard.csv", "table2_mvtec_ad_short.csv", "table2_mvtec_ad_short.md"}
    assert len(pd.read_csv(tmp_path / "out" / "leaderboard.csv")) == 5
    assert "| bottle" in (tmp_path / "out" / "table2_mvtec_ad_short.md").read_text()
    console = Console(width=160, record=True)
    show(report, console)
    text = console.export_text()
    assert "0.95 [0.76, 0.99] (0.70)" in text and str(tmp_path / "out" / "leaderboard.csv") in text


def test_an_empty_store_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"No finished run in .*defectbench run"):
        build(tmp_path, tmp_path / "out")


def test_a_foreign_record_stops_the_report(tmp_path: Path) -> None:
    folder = put(RunStore(tmp_path), RECORD)
    (folder / "run.json").write_text("{}")
    with pytest.raises(UserError, match=r"run\.json is not a run's record"):
        build(tmp_path, tmp_path / "out")
