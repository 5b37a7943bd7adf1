"""Tables 2 and 3 in the paper's layout, from records, in every format."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from benchmarks.common.errors import UserError
from benchmarks.common.project import project_file
from benchmarks.protocol.decision import Share
from benchmarks.report.build import build
from benchmarks.report.formats import latex, markdown, tex
from benchmarks.report.layouts import TABLE2, TABLE3, table_f
from benchmarks.report.page_tables import matrix
from benchmarks.report.ranks import ranks
from benchmarks.report.screen import show
from benchmarks.report.table_parts import Entry, PaperTable, Value, tidy
from benchmarks.report.tables import Absences, paper_table
from benchmarks.store.leaderboard import leaderboard
from benchmarks.store.paper import image_counts
from benchmarks.store.record import Record
from benchmarks.store.runs import RunStore
from tests.report.stores import write_store
from tests.store.test_runs import RECORD, RESULT, put


def cell(method: str, category: str, kind: str, good: int = 19, bad: int = 30, **changes: object) -> Record:
    """A run on the paper's test set, of which `good` and `bad` in 20 and 60 are right."""
    goods, bads = image_counts()[category]
    shares = Share.of(good * goods // 20, goods), Share.of(bad * bads // 60, bads)
    result = replace(RESULT, good=shares[0], defective=shares[1], has_masks=category != "bottle")
    # a test set for each category
    return replace(RECORD, method=method, category=category, kind=kind, result=result, test_data=category, **changes)


def records() -> list[Record]:
    return [
        cell("variation_model", "bottle", "object"),
        cell("ae_l2", "bottle", "object"),
        cell("ae_l2", "wood", "texture"),
        cell("ae_l2", "carpet", "texture", good=10),
        cell("mine", "carpet", "texture"),
    ]


def table(found: list[Record], absences: Absences | None = None, layout: object = TABLE2) -> PaperTable:
    return paper_table(layout, leaderboard(found), absences)  # type: ignore[arg-type]


def entry(shown: PaperTable, category: str, method: str) -> Entry:
    line = next(line for line in shown.lines if line.category == category)
    return line.entries[[heading.method for heading in shown.headings].index(method)]


def upper(shown: PaperTable, category: str, method: str) -> Value:
    value = entry(shown, category, method).values[0]
    assert value is not None
    return value


def test_layout_is_the_papers() -> None:
    shown = table(records())
    assert [heading.method for heading in shown.headings] == ["ae_l2", "variation_model", "mine"]
    assert [heading.title for heading in shown.headings] == ["AE (L2)", "Variation Model", "mine"]
    assert [line.category for line in shown.lines] == ["carpet", "wood", "bottle"]


def test_ours_stands_beside_the_papers() -> None:
    shown = table(records())
    value = upper(shown, "bottle", "ae_l2")
    assert (value.ours, value.paper, value.difference) == pytest.approx((0.95, 0.70, 0.25))
    assert (value.low, value.high) == pytest.approx(Share.of(19, 20).interval)
    assert upper(shown, "carpet", "mine").paper is None  # the paper has no such method
    mean = shown.means[0].values[0]
    assert mean is not None and shown.means[0].categories == "3"
    assert mean.ours == pytest.approx((0.5 + 18 / 19 + 0.95) / 3) and mean.paper == pytest.approx((0.57 + 1 + 0.70) / 3)


def test_best_is_the_highest_mean_of_the_two_rows() -> None:
    found = [
        cell("ae_l2", "bottle", "object", good=20, bad=0),
        cell("ae_ssim", "bottle", "object", good=12, bad=40),
        cell("anogan", "bottle", "object", good=12, bad=40),
        cell("mine", "wood", "texture"),
    ]
    shown = table(found)
    assert [entry(shown, "bottle", name).best for name in ("ae_l2", "ae_ssim", "anogan")] == [False, True, True]
    assert not entry(shown, "wood", "mine").best  # alone, it is not the best of anything


def test_random_weights_are_marked_and_never_best() -> None:
    random = replace(RESULT, facts={"weights": "random"}, good=Share.of(20, 20), defective=Share.of(63, 63))
    shown = table(
        [
            replace(cell("mine", "bottle", "object"), result=random),
            *records()[:2],
            cell("ae_ssim", "bottle", "object", bad=1),
        ]
    )
    assert [heading.mark for heading in shown.headings if heading.method == "mine"] == [" (random weights)"]
    assert not entry(shown, "bottle", "mine").best and entry(shown, "bottle", "ae_l2").best
    for text in (markdown(shown), latex(shown)):
        assert "(random weights)" in text and "mean nothing" in text


def test_absent_cells_differ_by_their_reason() -> None:
    absences = Absences(
        failed={("mine", "wood"), ("mine", "tile")},
        kinds={"tile": "texture"},
        inputs={"mine": {"texture"}, "ae_l2": {"texture", "object"}},
        categories={"variation_model": {"bottle"}},
    )
    shown = table(records(), absences)
    assert entry(shown, "wood", "mine").status == entry(shown, "tile", "mine").status == "failed"
    assert entry(shown, "bottle", "mine").status == "not_applicable"  # it takes textures only
    assert (
        entry(shown, "wood", "variation_model").status == "not_applicable"
    )  # a dash in the paper, and not its category
    assert entry(shown, "tile", "ae_l2").status == "missing"
    for text in (markdown(shown), latex(shown)):
        assert "failed" in text and "not run" in text


def test_nothing_but_the_data_says_whether_a_method_applies_elsewhere() -> None:
    found = [replace(record, dataset="synthetic") for record in records()]
    assert entry(table(found), "wood", "variation_model").status == "missing"
    absences = Absences(inputs={"variation_model": {"object"}})
    assert entry(table(found, absences), "wood", "variation_model").status == "not_applicable"


def test_samples_without_maps_have_a_table_too() -> None:
    result = replace(RESULT, minimum_area=None, minimum_area_px=None, map_size=None, has_masks=False, pixel=None)
    found = replace(cell("mine", "bottle", "object"), result=result, dataset="digits", kind="digits")  # type: ignore[arg-type]
    shown = table([found])
    assert "area" not in shown.caption and "masks" not in shown.caption and upper(shown, "bottle", "mine").ours == 0.95


def test_table3_has_the_pixel_metrics_and_the_papers() -> None:
    without = replace(cell("mine", "bottle", "object"), result=replace(RESULT, pixel=None))
    shown = table([*records(), without], layout=TABLE3)
    overlap, auroc = entry(shown, "bottle", "ae_l2").values
    assert overlap is not None and (overlap.ours, overlap.paper) == (0.5, 0.22)
    assert auroc is not None and (auroc.ours, auroc.paper) == (0.9, 0.86)
    assert entry(shown, "bottle", "mine") == Entry("done", (None, None))
    assert "no number" in markdown(shown)


def test_caption_of_table3_says_why_a_run_of_several_folds_has_no_overlap() -> None:
    pixel = replace(RESULT.pixel, region_overlap=None, iou=None)  # type: ignore[type-var]  # there is one
    crossed = replace(cell("mine", "wood", "texture"), result=replace(RESULT, pixel=pixel))
    said = "no overlap where folds decide together"
    assert f"{said}, as no threshold is that of their mean map: mine / wood" in table([crossed], layout=TABLE3).caption
    assert said not in table([crossed]).caption and said not in table(records(), layout=TABLE3).caption


def test_caption_names_the_thresholds_that_are_not_the_papers() -> None:
    quantile, crossed = (
        replace(cell(method, "wood", "texture"), result=replace(RESULT, facts=facts))
        for method, facts in (
            ("mine", {"threshold_rule": "quantile:0.5"}),
            ("other", {"threshold_rule": "maximum", "held_out": "cross:5"}),
        )
    )
    said = "threshold not by the paper's rule: maximum over 5 folds (other), quantile:0.5 (mine)"
    assert said in table([quantile, crossed, *records()]).caption
    assert "threshold not" not in table(records()).caption


def test_caption_says_what_the_numbers_are() -> None:
    caption = table(records()).caption
    for part in (
        "mvtec_ad",
        "budget short",
        "1 seed,",
        "0.1 % of the image",
        "95 %",
        "paper",
        "without masks",
        "bottle",
    ):
        assert part in caption
    synthetic = table([replace(record, dataset="synthetic") for record in records()])
    assert "synthetic: not MVTec AD" in synthetic.caption and not synthetic.compared


def test_caption_owns_up_to_what_differs() -> None:
    found = records()
    found[0] = replace(found[0], result=replace(RESULT, minimum_area=0.005))
    found[1] = replace(
        found[1], identity=found[1].identity | {"config": {"method": {"train": {"epochs": 3, "samples": 10}}}}
    )
    small = replace(RESULT, good=Share.of(3, 5), defective=Share.of(3, 5))
    found[4] = replace(found[4], result=small, category="grid")
    failed = replace(found[1], seed=1, status="failed", result=None, error="no memory")
    caption = table([*found, failed]).caption
    for part in (
        "0.1 % or 0.5 % of the image",
        "30 (ae_l2)",
        "not the paper's: grid",
        "seeds that failed (ae_l2 / bottle: 1)",
    ):
        assert part in caption


def test_two_budgets_never_share_a_table() -> None:
    with pytest.raises(ValueError, match="one dataset and one budget"):
        table([RECORD, replace(RECORD, budget="smoke")])


@pytest.mark.parametrize(
    ("beside", "text"),
    [
        ("interval", "**0.95** [0.76, 0.99] (0.70, +0.25)"),
        ("counts", "**0.95** [18, 20 of 20] (0.70, +0.25)"),
        ("std", "**0.95** ±0.05 (0.70, +0.25)"),
        ("none", "**0.95** (0.70, +0.25)"),
    ],
)
def test_what_stands_beside_a_number_is_chosen(beside: str, text: str) -> None:
    seeds = [
        cell("ae_l2", "bottle", "object", good=good, seed=seed, identity=RECORD.identity | {"config": {"seed": seed}})
        for seed, good in enumerate((18, 20))
    ]
    rows = leaderboard([*seeds, cell("anogan", "bottle", "object", good=1)])
    assert text in markdown(paper_table(TABLE2, rows, show=beside))  # type: ignore[arg-type]


@pytest.mark.parametrize("compact", [False, True])
def test_latex_has_as_many_cells_in_each_row_as_columns(compact: bool) -> None:
    """Compiling is `nox -s latex`; this is what goes wrong first."""
    shown = table(records(), Absences(failed={("mine", "wood")}))
    text = re.sub(r"\\shortstack\{.*?\}\}", "}", latex(shown, compact))
    body = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
    columns = 2 + (1 if compact else 3) * len(shown.headings)
    rows = [
        row
        for row in re.sub(r"\\(cmidrule\(lr\)\{.*?\}|midrule|toprule|addlinespace)", "", body).split(r"\\")
        if row.strip()
    ]
    for row in rows:
        spans = [int(span) - 1 for span in re.findall(r"\\multicolumn\{(\d)\}", row)]
        assert len(re.findall(r"(?<!\\)&", row)) + 1 + sum(spans) == columns, row
    assert len(rows) == (1 if compact else 2) + 2 * len(shown.lines) + 3
    assert ("& 0.70 &" in body) is not compact  # the paper's value


def test_latex_escapes_what_it_must() -> None:
    assert (
        tex("a_b & 95 % {x} \\ ~^ ±")
        == r"a\_b \& 95 \% \{x\} \textbackslash{} \textasciitilde{}\textasciicircum{} $\pm$"
    )
    assert tex("é部") == "é[U+90E8]"
    assert tex("部é") == "{}[U+90E8]é"  # a bracket behind the end of a row would be its argument


def test_a_mean_says_over_how_many_categories_each_of_its_values_is() -> None:
    without_good = cell("ae_l2", "wood", "texture")
    assert without_good.result is not None
    without_good = replace(without_good, result=replace(without_good.result, good=None))
    shown = table([cell("ae_l2", "bottle", "object"), without_good])
    assert shown.means[0].categories == "1, 2"
    row = matrix(shown, {}, ranks({})).rows[0]
    assert row.cells[0].numbers[0] is None and list(row.cells[0].orders) == ["row1", "mean"]


def test_names_can_break_neither_markdown_nor_a_spreadsheet(tmp_path: Path) -> None:
    text = markdown(table([*records(), cell("<b>a|b\nc", "carpet", "texture")]))
    assert "&lt;b>a\\|b c" in text and "<b>" not in text
    others = tmp_path / "others.csv"
    others.write_text("method,category,image_auroc,source\n=1+1,bottle,0.9,@me\n")
    put(RunStore(tmp_path), RECORD)
    build(tmp_path, tmp_path / "out", published=[others])
    cells = pd.read_csv(tmp_path / "out" / "leaderboard.csv")
    assert cells["method"].iloc[-1] == "'=1+1" and cells["source"].iloc[-1] == "'@me"


def test_a_number_beside_a_published_one_is_explained_and_not_in_the_compact_table(tmp_path: Path) -> None:
    put(RunStore(tmp_path), RECORD)
    others = tmp_path / "others.csv"
    others.write_text(
        "method,category,normal_accuracy,anomalous_accuracy,source,reference_for\nTheirs,bottle,0.9,0.8,Doe,ae_l2\n"
    )
    written = build(tmp_path, tmp_path / "out", published=[others]).files
    texts = {path.name: path.read_text() for path in written if path.name.startswith("table2")}
    (whole,) = [text for name, text in texts.items() if name.endswith(".md")]
    (compact,) = [text for name, text in texts.items() if "compact" in name]
    assert "behind a published number ours minus it" in whole and re.search(r"0\.90 \([+−±]", whole)
    assert "ours minus it" not in compact and "0.90 (" not in compact


def test_table_f_has_means_over_textures_and_objects(tmp_path: Path) -> None:
    write_store(tmp_path, seeds=[0, 1], methods=["ae_l2", "ae_ssim"], categories=["bottle", "carpet", "cable"])
    rows = leaderboard(RunStore(tmp_path).records())
    shown = paper_table(table_f(["image_auroc", "image_average_precision"]), rows)
    assert [title for title, _ in shown.averages] == ["textures", "objects", "mean"]
    by_kind = rows[rows["method"] == "ae_l2"].groupby("kind")["image_auroc"].mean()
    column = [heading.method for heading in shown.headings].index("ae_l2")
    for (title, means), kind in zip(shown.parts, ("texture", "object"), strict=True):
        assert title == f"{kind}s" and means[column].values[0].ours == pytest.approx(by_kind[kind])  # type: ignore[union-attr]
    value = entry(shown, "bottle", "ae_l2").values[0]
    row = rows[(rows["method"] == "ae_l2") & (rows["category"] == "bottle")].iloc[0]
    assert value is not None and value.std == pytest.approx(row["image_auroc_std"])
    assert f"{row['image_auroc']:.3f}** ±" in markdown(shown) or f"{row['image_auroc']:.3f} ±" in markdown(shown)
    with pytest.raises(UserError, match=r"there is no metric 'auroc'\. Did you mean"):
        table_f(["auroc"])


def test_a_single_seed_has_no_spread(tmp_path: Path) -> None:
    write_store(tmp_path, seeds=[0], methods=["ae_l2"], categories=["bottle"])
    assert "±" not in markdown(paper_table(table_f(), leaderboard(RunStore(tmp_path).records())))


def test_a_reference_without_the_tables_numbers_has_no_column_there(tmp_path: Path) -> None:
    write_store(tmp_path, seeds=[0], methods=["ae_l2"], categories=["bottle"])
    others = tmp_path / "others.csv"
    others.write_text("method,reference_for,category,image_auroc,source\nTheirs,ae_l2,bottle,0.5,Doe 2020\n")
    report = build(tmp_path, tmp_path / "out", published=[others])
    assert "Theirs" not in (tmp_path / "out" / "table2_mvtec_ad_short.md").read_text()
    ours = report.leaderboard["image_auroc"].iloc[0]
    assert f"0.500 ({ours - 0.5:+.3f})" in (tmp_path / "out" / "tablef_mvtec_ad_short.md").read_text()


def test_the_csv_holds_every_cell_as_numbers() -> None:
    rows = tidy(table(records(), Absences(failed={("mine", "wood")}))).set_index(["category", "row", "method"])
    assert len(rows) == 3 * 2 * 3
    assert rows.loc[("bottle", "good", "ae_l2"), "difference"] == pytest.approx(0.25)
    assert rows.loc[("wood", "defective", "mine"), "status"] == "failed"


def test_report_writes_and_shows_everything(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    for record in [*records(), cell("ae_l2", "pill", "object", status="failed", budget="smoke")]:
        put(store, replace(record, result=None, error="no memory") if record.status == "failed" else record)
    report = build(tmp_path, tmp_path / "out")
    names = {file.name for file in report.files}
    suffixes = (".csv", ".md", ".tex", "_compact.tex")
    tables = {f"table{n}_mvtec_ad_short{suffix}" for n in (2, 3, "f") for suffix in suffixes}
    assert names == {"leaderboard.csv", "pairs_mvtec_ad_short.csv"} | tables
    assert len(pd.read_csv(tmp_path / "out" / "leaderboard.csv")) == 5
    assert "fewer than 6 common categories" in (tmp_path / "out" / "table2_mvtec_ad_short.md").read_text()
    console = Console(width=160, record=True)
    show(report, console)
    text = console.export_text()
    assert "0.95 [0.76, 0.99] (0.70, +0.25)" in text and str(tmp_path / "out" / "leaderboard.csv") in text
    narrow = Console(width=70, record=True)
    show(report, narrow)
    text = narrow.export_text()
    assert "0.95 (0.70)" in text and "[0.76, 0.99]" not in text


def test_the_same_store_gives_the_same_bytes(tmp_path: Path) -> None:
    """Whatever the order in which folders were made."""
    write_store(tmp_path / "a", seeds=[0, 1])
    for folder in sorted((tmp_path / "a" / "runs").glob("*/*/*"), reverse=True):
        shutil.copytree(folder, tmp_path / "b" / "runs" / folder.relative_to(tmp_path / "a" / "runs"))
    (tmp_path / "others.csv").write_text(
        "method,category,normal_accuracy,anomalous_accuracy,source\nTheirs,bottle,0.9,0.8,Doe 2020\n"
    )
    for name in ("a", "b"):
        build(tmp_path / name, tmp_path / f"out_{name}", interval="bootstrap", published=[tmp_path / "others.csv"])
    first, second = ({p.name: p.read_bytes() for p in (tmp_path / f"out_{name}").iterdir()} for name in ("a", "b"))
    assert first == second and len(first) == 14


def test_published_numbers_are_marked_in_every_format(tmp_path: Path) -> None:
    write_store(tmp_path, seeds=[0], categories=["bottle"])
    others = tmp_path / "others.csv"
    others.write_text("method,category,normal_accuracy,anomalous_accuracy,source\nTheirs,bottle,1,1,Doe 2020\n")
    report = build(tmp_path, tmp_path / "out", published=[others])
    for suffix, heading in ((".md", "Theirs (published)"), (".tex", r"Theirs\\(published)")):
        text = (tmp_path / "out" / f"table2_mvtec_ad_short{suffix}").read_text()
        assert heading in text and "Doe 2020" in text
    rows = pd.read_csv(tmp_path / "out" / "table2_mvtec_ad_short.csv")
    assert rows.loc[rows["source"] == "Doe 2020", ["ours", "best"]].to_numpy().tolist() == [[1.0, False]] * 2
    console = Console(width=200, record=True)
    show(report, console)
    assert "Theirs (published)" in console.export_text()


def test_two_datasets_are_two_tables(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    put(store, records()[0])
    put(store, replace(records()[1], dataset="synthetic"))
    report = build(tmp_path, tmp_path / "out")
    assert [section.tables[0].dataset for section in report.sections] == ["mvtec_ad", "synthetic"]


def test_maps_of_other_programs_stand_beside_ours_where_the_images_are_the_same(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    theirs = cell("theirs", "bottle", "object", budget="external", device="external")
    elsewhere = cell("theirs", "wood", "texture", budget="external", device="external")
    for record in (*records(), theirs, replace(elsewhere, test_data="other images")):
        put(store, record)
    first, second = build(tmp_path, tmp_path / "out").sections
    assert (first.tables[0].budget, second.tables[0].budget) == ("external", "short")
    assert [heading.mark for heading in second.tables[0].headings][-1] == " (maps of another program)"
    assert upper(second.tables[0], "bottle", "theirs").text == "0.95"
    assert entry(second.tables[0], "wood", "theirs").status == "missing"
    assert [line.category for line in first.tables[0].lines] == ["wood"]
    assert "theirs (maps of another program)" in (tmp_path / "out" / "table2_mvtec_ad_short.md").read_text()


def test_a_file_of_ones_own_goes_before_the_projects_references(tmp_path: Path) -> None:
    put(RunStore(tmp_path), cell("padim", "bottle", "object"))
    known = pd.read_csv(project_file("results", "references", "mvtec_ad.csv"))
    known = known[known["reference_for"] == "padim"]
    mine = tmp_path / "mine.csv"
    known.head(1).assign(category="bottle", image_auroc=0.123).to_csv(mine, index=False)
    found = build(tmp_path, tmp_path / "out", published=[mine], references=True).leaderboard
    assert set(found["method"]) == {"padim", *known["method"]} and set(found["category"]) == {"bottle"}
    assert (found["image_auroc"] == 0.123).sum() == 1
    with pytest.raises(UserError, match=r"on bottle is in two of .*mine\.csv"):
        build(tmp_path, tmp_path / "out", published=[mine, mine])


def test_a_folder_that_is_not_a_store_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"No finished run in .*defectbench run"):
        build(tmp_path, tmp_path / "out")
    with pytest.raises(UserError, match="There is no folder"):
        build(tmp_path / "absent", tmp_path / "out")
    put(RunStore(tmp_path), RECORD)
    with pytest.raises(UserError, match=f"Did you mean {re.escape(str(tmp_path))}"):
        build(tmp_path / "runs", tmp_path / "out")


def test_a_foreign_record_stops_the_report(tmp_path: Path) -> None:
    folder = put(RunStore(tmp_path), RECORD)
    (folder / "run.json").write_text("{}")
    with pytest.raises(UserError, match=r"run\.json is not a run's record"):
        build(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_numbers_that_cannot_be_stop_the_report(tmp_path: Path) -> None:
    path = put(RunStore(tmp_path), RECORD) / "run.json"
    record = json.loads(path.read_text())
    record["result"]["fit_seconds"] = -1.0
    path.write_text(json.dumps(record))
    with pytest.raises(UserError, match=r"fit_seconds is -1.0, outside its range"):
        build(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
