"""`report.html`: its content by an HTML parser, its bytes, its colours, its pictures, and its behaviour in headless Chromium."""

import base64
import io
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from click.testing import CliRunner
from PIL import Image

from benchmarks.cli import main
from benchmarks.common.errors import UserError
from benchmarks.data.map_files import StoredMap, write_map
from benchmarks.report.build import build
from benchmarks.report.cells import Run, cells_of
from benchmarks.report.formats import signed
from benchmarks.report.html import TEMPLATES
from benchmarks.report.page import write_page
from benchmarks.report.pictures import TRUTH, choices, images_of, pictures
from benchmarks.store.leaderboard import leaderboard
from benchmarks.store.runs import RunStore
from tests.conftest import save
from tests.report.stores import decide_by_own_score, write_store

VOID = {"meta", "img", "br", "input", "link", "use"}
CATEGORIES = ["carpet", "bottle", "screw"]
METHODS = ["ae_l2", "anogan", "texture_inspection"]


class Tree(HTMLParser):
    """All elements with their attributes and text, those of the cells' details as well, and whether tags are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[dict[str, Any]] = []
        self._open: list[dict[str, Any]] = []
        self.feed(re.sub(r'<script type="text/html"(.*?)</script>', r"<template\1</template>", text, flags=re.DOTALL))
        assert not self._open, f"not closed: {[element['tag'] for element in self._open]}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        path = [element["tag"] for element in self._open]
        self.elements.append({"tag": tag, "text": "", "path": path, **{f"@{key}": value for key, value in attrs}})
        if tag not in VOID:
            self._open.append(self.elements[-1])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop()["tag"] == tag

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element["text"] += data

    def all(self, tag: str, **attributes: str) -> list[dict[str, Any]]:
        wanted = {f"@{key.rstrip('_').replace('_', '-')}": value for key, value in attributes.items()}
        return [e for e in self.elements if e["tag"] == tag and all(e.get(k) == v for k, v in wanted.items())]


def page(results: Path, out: Path, **options: Any) -> str:
    (path,) = write_page(build(results, out), RunStore(results), out, **options)
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    write_store(folder, methods=METHODS, categories=CATEGORIES)
    write_store(
        folder, methods=["variation_model"], categories=["pill"], seeds=[0], dataset="synthetic", budget="smoke"
    )
    return folder


@pytest.fixture(scope="module")
def text(results: Path) -> str:
    return page(results, results / "report")


@pytest.fixture(scope="module")
def tree(text: str) -> Tree:
    return Tree(text)


def test_the_page_needs_nothing_else(text: str, tree: Tree) -> None:
    assert not re.findall(r"https?:|//[a-z]+\.", text)
    for element in tree.elements:
        for attribute in ("@src", "@href", "@xlink:href"):
            assert element.get(attribute, "#").startswith(("#", "data:"))
        assert element["tag"] not in {"link", "iframe", "object", "form"}
    (policy,) = tree.all("meta", http_equiv="Content-Security-Policy")
    assert policy["@content"].startswith("default-src 'none'")


def test_the_same_store_gives_the_same_bytes(results: Path, text: str, tmp_path: Path) -> None:
    assert page(results, tmp_path) == text


def test_the_table_shows_the_leaderboards_numbers(results: Path, tree: Tree) -> None:
    rows = leaderboard(RunStore(results).records())
    shown = {button["@data-cell"]: button for button in reversed(tree.all("button", class_="open"))}  # Table 2 is first
    for row in rows.to_dict("records"):
        button = shown[f"{row['dataset']}/{row['budget']}/{row['method']}/{row['category']}"]
        for side in ("normal", "anomalous"):
            assert f"{row[f'{side}_accuracy']:.2f}" in button["text"]
            assert f"[{row[f'{side}_low']:.2f}, {row[f'{side}_high']:.2f}]" in button["text"]
            if row["dataset"] == "mvtec_ad":
                mark = signed(row[f"difference_{side}"])
                assert ("≈" if row[f"paper_{side}_inside"] else "") + mark in button["text"]
                assert f"paper {row[f'paper_{side}']:.2f}, difference" in button["@aria-label"]
            else:
                assert "paper" not in button["@aria-label"]


def test_absent_cells_say_why_in_words(tree: Tree) -> None:
    failed = tree.all("td", class_="failed")
    assert len(failed) == 3 and all("failed" in cell["text"] for cell in failed)  # in Tables 2, 3 and F
    for button in tree.all("button", data_cell="mvtec_ad/short/anogan/screw"):
        assert button["@aria-label"] == "AnoGAN on screw: failed"
    assert {cell["text"].strip() for cell in tree.all("td", class_="not_applicable")} == {"does not apply"}
    assert len(tree.all("td", class_="not_applicable")) == 6  # texture inspection on bottle and screw, in all tables
    no_number = tree.all("td", class_="no_number")
    assert len(no_number) == 2 and all("no number" in cell["text"] for cell in no_number)  # anogan ran without masks


def test_a_cell_that_was_not_run_differs_from_one_that_does_not_apply(results: Path, tmp_path: Path) -> None:
    shutil.copytree(results / "runs", tmp_path / "runs")
    shutil.rmtree(tmp_path / "runs" / "ae_l2" / "bottle")
    tree = Tree(page(tmp_path, tmp_path))
    assert [cell["text"].strip() for cell in tree.all("td", class_="missing")] == ["not run"] * 3  # Tables 2, 3 and F


def test_tables_are_made_for_keyboard_and_screen_reader(tree: Tree) -> None:
    sortable = [table for table in tree.all("table") if "sortable" in table.get("@class", "")]
    assert len(sortable) == 8  # Tables 2, 3 and F and all numbers, for each of two datasets
    assert len(tree.all("caption")) == 9  # and the methods in pairs
    assert all(heading.get("@scope") in {"col", "row"} for heading in tree.all("th"))
    headings = [heading for heading in tree.all("th", scope="col") if "template" not in heading["path"]]
    buttons = [
        button for button in tree.all("button") if button["path"][-2:] == ["tr", "th"] and "thead" in button["path"]
    ]
    assert len(headings) == len(buttons) + 7 > 50  # all but those of the methods in pairs
    for button in tree.all("button"):
        assert button.get("@aria-label") or button["text"].strip()
    for region in tree.all("div", role="region"):
        assert region["@tabindex"] == "0" and (region.get("@aria-label") or region.get("@aria-labelledby"))
    assert len(tree.all("h1")) == 1 and tree.all("html", lang="en")
    ids = [element["@id"] for element in tree.elements if "@id" in element and "template" not in element["path"]]
    assert len(ids) == len(set(ids))


def test_details_hold_plots_words_and_provenance(tree: Tree) -> None:
    (details,) = tree.all("template", data_cell="mvtec_ad/short/ae_l2/bottle")
    for words in ("AUROC", "threshold", "69bc8622f3a1c0de", "torch 2.14.0", "minimum_area: 0.001", "licences"):
        assert words in details["text"]
    assert "defectbench run method=ae_l2 category=bottle seed=0" in details["text"]
    figures = [figure for figure in tree.all("figure") if "template" in figure["path"]]
    assert len(figures) == 5 * 7  # seven cells with scores
    assert all(len(caption["text"]) > 50 for caption in tree.all("figcaption"))
    (failed,) = tree.all("template", data_cell="mvtec_ad/short/anogan/screw")
    assert "seed 0 failed" in failed["text"] and "loss is NaN in epoch 3" in failed["text"]
    assert not tree.all("img")


def test_errors_are_text_not_markup(results: Path, tmp_path: Path) -> None:
    shutil.copytree(results / "runs", tmp_path / "runs")
    folder = tmp_path / "runs" / "anogan" / "screw" / "seed=0"
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(record | {"error": "<script>alert(1)</script> & more"}))
    text = page(tmp_path, tmp_path)
    assert "<script>alert" not in text and "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in text


def test_a_seed_that_failed_is_marked(results: Path, tmp_path: Path) -> None:
    shutil.copytree(results / "runs", tmp_path / "runs")
    store = RunStore(tmp_path)
    records = store.records()
    bottle = [record for record in records if record.method == "ae_l2" and record.category == "bottle"]
    failed = replace(bottle[1], status="failed", result=None, error="out of memory")
    (store.folder(failed.cell) / "run.json").write_text(failed.to_json())
    button = Tree(page(tmp_path, tmp_path)).all("button", data_cell="mvtec_ad/short/ae_l2/bottle", class_="open")[0]
    assert "1 of 2 seeds failed" in button["text"] and "1 of 2 seeds failed" in button["@aria-label"]


def test_a_warning_of_the_method_is_shown_in_the_cell(results: Path, tmp_path: Path) -> None:
    shutil.copytree(results / "runs", tmp_path / "runs")
    store = RunStore(tmp_path)
    record = next(r for r in store.records() if r.method == "ae_l2" and r.category == "bottle" and r.seed == 1)
    assert record.result is not None
    warned = replace(record, result=replace(record.result, facts={"warning": "collapsed: it does not vary"}))
    (store.folder(warned.cell) / "run.json").write_text(warned.to_json())
    button = Tree(page(tmp_path, tmp_path)).all("button", data_cell="mvtec_ad/short/ae_l2/bottle", class_="open")[0]
    assert "seed 1: collapsed: it does not vary" in button["text"] and "it does not vary" in button["@aria-label"]


def test_methods_on_random_weights_are_marked(tmp_path: Path) -> None:
    write_store(tmp_path, methods=["cnn_feature_dictionary"], categories=["bottle"], seeds=[0])
    assert "(random weights)" in Tree(page(tmp_path, tmp_path)).all("thead")[0]["text"]


def test_random_weights_are_neither_the_answer_nor_compared_with_the_paper(tmp_path: Path) -> None:
    write_store(tmp_path, methods=["cnn_feature_dictionary"], categories=["bottle"], seeds=[0])
    alone = page(tmp_path, tmp_path)
    assert 'class="lead"' not in alone and "% interval in" not in alone
    write_store(tmp_path, methods=["ae_l2"], categories=["bottle"], seeds=[0])
    (lead,) = Tree(beside := page(tmp_path, tmp_path)).all("p", class_="lead")
    assert "best is ae_l2" in lead["text"] and "cnn_feature_dictionary" not in lead["text"]
    assert re.search(r"value lies within our 95 % interval in \d of 2 numbers", beside)


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """WCAG 2.2's contrast ratio."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_has_contrast(theme: int) -> None:
    css = (TEMPLATES / "page.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#\w{6})", blocks[theme]))
    pairs = [("ink", back) for back in colours if back.startswith(("above", "below", "page", "surface", "track"))]
    pairs += [(front, back) for front in ("muted", "accent", "error") for back in ("page", "surface")]
    pairs += [("good", "surface"), ("defective", "surface"), ("error", "error-back"), ("ink", "error-back")]
    for front, back in pairs:
        assert contrast(colours[front], colours[back]) >= 4.5, (front, back)


PX = 48


@pytest.fixture
def with_maps(tmp_path: Path) -> tuple[Path, Path]:
    """A store with maps, and the dataset that they belong to."""
    results, data = (
        write_store(tmp_path / "r", methods=["ae_l2"], categories=["bottle"], seeds=[0]),
        tmp_path / "data",
    )
    save(data / "bottle" / "train" / "good" / "000.png", np.zeros((PX, PX), np.uint8))
    folder = results / "runs" / "ae_l2" / "bottle" / "seed=0"
    scores = pd.read_csv(folder / "scores.csv")
    test = scores[scores["split"] == "test"]
    for name, score in zip(test["path"], test["score_0.001"], strict=True):
        image = Path(name)
        save(data / "bottle" / image, np.full((PX, PX, 3), 90, np.uint8))
        map_HW = np.full((PX, PX), 0.01, np.float32)
        map_HW[10:20, 10:20] = score
        path = (folder / "maps" / "ae_l2" / "bottle" / image).with_suffix(".tiff")
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, map_HW)
        if image.parts[1] != "good":
            mask = np.zeros((PX, PX), np.uint8)
            mask[12:24, 12:24] = 255
            save(data / "bottle" / "ground_truth" / image.parts[1] / f"{image.stem}_mask.png", mask)
    return results, data


def run_of(results: Path) -> Run:
    """The only run of AE (L2) on bottle."""
    store = RunStore(results)
    records = store.records()
    (run,) = cells_of(records, leaderboard(records), store)["ae_l2", "bottle"].runs
    return run


def test_pictures_are_embedded_on_request_only(with_maps: tuple[Path, Path], tmp_path: Path) -> None:
    results, data = with_maps
    assert "data:image" not in page(results, tmp_path)
    images = Tree(page(results, tmp_path, images=True, dataset_root=data)).all("img")
    assert len(images) == 4
    for image in images:
        assert re.search(r"test/.*: score .*, threshold .*, so it is (flagged|passed)", image["@alt"])
        header, _, content = image["@src"].partition(",")
        assert header == "data:image/webp;base64"
        assert Image.open(io.BytesIO(base64.b64decode(content))).size == (240 + 6 + 240, 240)


def test_the_most_confident_images_are_chosen(with_maps: tuple[Path, Path]) -> None:
    run = run_of(with_maps[0])
    scores, defective = run.test_scores
    names = pd.read_csv(run.folder / "scores.csv").query("split == 'test'")["path"].to_numpy()
    limit = run.result.threshold
    for choice in choices(run, images_of(run, with_maps[1])):
        of_side = defective == (choice.side == "defective")
        right = (scores > limit) == defective
        margins = np.abs(scores - limit)
        candidates = of_side & (right == choice.correct)
        assert choice.name == names[candidates][np.argmax(margins[candidates])]


def test_the_true_defect_is_outlined_from_outside(with_maps: tuple[Path, Path]) -> None:
    run = run_of(with_maps[0])
    for picture in pictures(run, with_maps[1]):
        plain = np.asarray(picture.pixels)[:, :240]
        cyan = (plain == TRUTH).all(axis=2)
        assert cyan.any() == (picture.choice.side == "defective")
        if cyan.any():  # the mask covers pixels 12 to 23 of 48, 60 to 119 of 240
            assert cyan[58:60, 58:122].all() and not cyan[60:120, 60:120].any() and not cyan[:58].any()


def test_regions_that_decide_are_outlined(with_maps: tuple[Path, Path]) -> None:
    run = run_of(with_maps[0])
    for picture in pictures(run, with_maps[1]):
        heat = np.asarray(picture.pixels)[:, 246:]
        assert (heat == 255).all(axis=2).any() == (picture.choice.score > run.result.threshold)


def test_the_mean_map_of_several_folds_is_not_cut_at_a_threshold_that_is_not_its_own(
    with_maps: tuple[Path, Path],
) -> None:
    results, data = with_maps
    record = run_of(results).record
    assert record.result is not None
    crossed = replace(record.result, facts=record.result.facts | {"held_out": "cross:5"})
    (run_of(results).folder / "run.json").write_text(replace(record, result=crossed).to_json())
    for picture in pictures(run_of(results), data):
        assert not (np.asarray(picture.pixels)[:, 246:] == 255).all(axis=2).any()
        assert picture.words.endswith("No white line: its folds decided together, and this is their mean map.")


def test_a_score_of_the_methods_own_is_told_with_its_threshold_and_the_map_keeps_its_own(
    with_maps: tuple[Path, Path],
) -> None:
    results, data = with_maps
    before = pictures(run_of(results), data)
    decide_by_own_score(results, lambda score_N: score_N / (1 + score_N))  # the same decisions
    run = run_of(results)
    after = pictures(run, data)
    limit = run.result.deciding_threshold
    assert len(after) == len(before) == 4 and limit < 1
    for one, other in zip(before, after, strict=True):
        assert one.pixels.tobytes() == other.pixels.tobytes()
        decision = "flagged" if (other.choice.side == "defective") == other.choice.correct else "passed"
        assert f"score {other.choice.score:.4g}, threshold {limit:.4g}, so it is {decision}" in other.words


def test_seeds_are_told_by_the_score_that_decided(tmp_path: Path) -> None:
    results = write_store(tmp_path, methods=["ae_l2"], categories=["bottle"], seeds=[0])
    decide_by_own_score(results, np.negative)
    result = run_of(results).result
    assert result.own is not None and result.own.image is not None
    cells = [cell["text"] for cell in Tree(page(results, tmp_path)).all("td", class_="number")]
    assert (f"{result.own.image.auroc:.3f}", f"{result.own.threshold:.4g}") in pairwise(cells)


def kept(results: Path, **data: Any) -> Run:
    """The run, as if its configuration had held that `data`."""
    path = run_of(results).folder / "config.yaml"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"data": data}))
    return run_of(results)


def renamed(results: Path, old: str, new: str) -> None:
    path = run_of(results).folder / "scores.csv"
    path.write_text(path.read_text().replace(old, new))


def test_images_are_found_by_the_layout_of_the_run(with_maps: tuple[Path, Path], tmp_path: Path) -> None:
    results, data = with_maps
    for part in ("train", "test"):
        (data / "bottle" / part / "good").rename(data / "bottle" / part / "A")
    renamed(results, "test/good/", "test/A/")
    run = kept(results, root=str(data), layout={"good": ["A"]})
    assert len(pictures(run, None)) == 4
    data.rename(tmp_path / "elsewhere")
    assert len(pictures(run, tmp_path / "elsewhere")) == 4, "the root alone is replaced"


def test_bad_parts_that_lie_elsewhere_are_found(with_maps: tuple[Path, Path], tmp_path: Path) -> None:
    results, data = with_maps
    (data / "bottle" / "test").rename(tmp_path / "bad")
    (data / "bottle" / "test").mkdir()
    (tmp_path / "bad" / "good").rename(data / "bottle" / "test" / "good")
    run = kept(results, root=str(data), bad=str(tmp_path / "bad"), layout={})
    assert {picture.choice.side for picture in pictures(run, None)} == {"good", "defective"}


def test_images_that_a_table_lists_need_no_folder_of_their_category(with_maps: tuple[Path, Path]) -> None:
    results, data = with_maps
    (data / "bottle").rename(data / "all")
    files = [path.relative_to(data) for path in (data / "all").glob("t*/*/*.png")]
    lines = [f"bottle,{file.as_posix()},{file.parts[2]},{file.parts[1]}" for file in files]
    (data / "list.csv").write_text("\n".join(["object,path,label,split", *lines]))
    renamed(results, "test/", "all/test/")
    run = kept(results, root=str(data), layout={"table": "list.csv"})
    maps = run.folder / "maps" / "ae_l2" / "bottle"
    for kind in [*(maps / "test").iterdir()]:  # a map lies where its image is listed, below its part and kind
        kind.rename(maps / "kind")
        (kind / "all" / "test").mkdir(parents=True)
        (maps / "kind").rename(kind / "all" / "test" / kind.name)
    assert len(pictures(run, None)) == 4


def test_pictures_show_images_as_the_run_took_them(with_maps: tuple[Path, Path]) -> None:
    """12 of 16 bits, and padded to a square: what the map has beside the image is no part of it."""
    results, data = with_maps
    record = run_of(results).record
    config = record.identity["config"] | {"input": {"px": PX, "fit": "pad", "bits": 12}}
    changed = replace(record, identity=record.identity | {"config": config})
    (run_of(results).folder / "run.json").write_text(changed.to_json())
    shutil.rmtree(data / "bottle" / "ground_truth")
    run = run_of(results)
    for name, image in images_of(run, data).items():
        save(image.path, np.full((PX // 2, PX), 2048, np.uint16))
        path = run.folder / "maps" / "ae_l2" / "bottle" / Path(name).with_suffix(".tiff")
        padded_HW = tifffile.imread(path)  # it is above the threshold in rows 10 to 19, the image begins at row 12
        write_map(path, StoredMap(padded_HW[PX // 4 : -PX // 4], padded_HW))
    flagged = next(one for one in pictures(run, data) if one.choice.score > run.result.threshold)
    pixels = np.asarray(flagged.pixels)
    assert pixels.shape == (120, 240 + 6 + 240, 3) and (pixels[:, :240] == 128).all()
    rows, _ = np.nonzero((pixels[:, 246:] == 255).all(axis=2))
    assert rows.min() == 0 and rows.max() == 5 * (20 - 12)


def test_foreign_images_are_refused(with_maps: tuple[Path, Path], tmp_path: Path) -> None:
    results, data = with_maps
    with pytest.raises(UserError, match=r"does not hold them.*--data-root"):
        page(results, tmp_path, images=True, dataset_root=tmp_path)
    with pytest.raises(UserError, match=r"config\.yaml does not say where the images are"):
        page(results, tmp_path, images=True)
    for path in (data / "bottle" / "test").rglob("*.png"):
        save(path, np.zeros((PX, PX + 1), np.uint8))
    with pytest.raises(UserError, match=r"has 48 x 48 pixels, its image 49 x 48"):
        page(results, tmp_path, images=True, dataset_root=data)


def test_cells_without_maps_say_so(results: Path, tmp_path: Path) -> None:
    assert "save_maps=true" in Tree(page(results, tmp_path, images=True)).all("template")[0]["text"]


def test_the_command_writes_page_and_figures(tmp_path: Path) -> None:
    write_store(tmp_path, methods=["ae_l2"], categories=["bottle"], seeds=[0])
    shutil.rmtree(tmp_path / "runs" / "ae_l2" / "bottle" / "seed=0" / "logs")
    done = CliRunner().invoke(main, ["report", "--results", str(tmp_path), "--figures"])
    assert done.exit_code == 0 and f"wrote {tmp_path / 'report' / 'report.html'}" in done.output
    names = {path.name for path in (tmp_path / "report" / "figures" / "mvtec_ad_short").iterdir()}
    kinds = ("scores", "over_area", "roc", "precision_recall")
    assert names == {f"ae_l2_bottle_{kind}{suffix}" for kind in kinds for suffix in (".png", ".pdf")}
    refused = CliRunner().invoke(main, ["report", "--results", str(tmp_path), "--data-root", str(tmp_path)])
    assert refused.exit_code == 2 and "--images" in refused.output


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra `browser`")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("needs Chromium on the PATH")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium: Any, results: Path, text: str) -> Iterator[Any]:
    """The page in a browser without network; anything on the console fails the test."""
    complaints: list[str] = []
    tab = chromium.new_page(viewport={"width": 1440, "height": 900}, offline=True)
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto((results / "report" / "report.html").as_uri())
    yield tab
    assert complaints == []
    tab.close()


def test_sorting_in_a_browser(opened: Any) -> None:
    table = opened.locator("table.matrix").first
    names = table.locator("tbody .name")
    assert names.all_inner_texts() == ["carpet", "bottle", "screw"]
    heading = table.locator("thead button", has_text="AE (L2)")
    heading.focus()
    opened.keyboard.press("Enter")
    values = [float(cell.get_attribute("data-mean")) for cell in table.locator("tbody td:nth-child(2)").all()]
    assert values == sorted(values, reverse=True) and names.all_inner_texts() != ["carpet", "bottle", "screw"]
    assert table.locator("th[aria-sort]").all_inner_texts() == ["AE (L2)"]
    assert table.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"
    assert opened.locator("#live").inner_text() == "Sorted by AE (L2), descending."
    opened.keyboard.press("Enter")
    assert table.locator("th[aria-sort]").get_attribute("aria-sort") == "ascending"
    opened.get_by_label("Sort methods by").first.select_option("row1")
    values = [float(cell.get_attribute("data-row1")) for cell in table.locator("tbody td:nth-child(2)").all()]
    assert values == sorted(values)
    table.locator("thead button", has_text="AnoGAN").click()
    assert names.all_inner_texts()[-1] == "screw"  # failed: last, whichever way
    table.locator("thead button", has_text="AnoGAN").click()
    assert names.all_inner_texts()[-1] == "screw"
    table.locator("thead button", has_text="category").click()
    assert names.all_inner_texts() == ["carpet", "bottle", "screw"]


def test_every_column_of_all_numbers_sorts(opened: Any) -> None:
    opened.get_by_text("All numbers", exact=True).first.click()
    table = opened.locator("table.flat.sortable").first
    for place, button in enumerate(table.locator("thead button").all()):
        button.click()
        heading = table.locator("thead th").nth(place)
        assert heading.get_attribute("aria-sort") in {"ascending", "descending"}
        cells = table.locator(f"tbody tr > :nth-child({place + 1})").all()
        values = [value for cell in cells if (value := cell.get_attribute("data-v")) is not None]
        try:
            keys: list[Any] = [float(value) for value in values]
        except ValueError:
            keys = values
        assert keys == sorted(keys, reverse=heading.get_attribute("aria-sort") == "descending")


def test_a_cell_opens_and_closes_by_keyboard(opened: Any) -> None:
    button = opened.locator('.matrix button.open[data-cell="mvtec_ad/short/ae_l2/bottle"]').first
    button.focus()
    opened.keyboard.press("Enter")
    dialog = opened.get_by_role("dialog", name="AE (L2) on bottle")
    assert dialog.is_visible() and dialog.locator("figure svg").count() == 5
    assert opened.evaluate("document.activeElement.closest('dialog') !== null")
    ids = opened.evaluate("[...document.querySelectorAll('[id]')].map((element) => element.id)")
    assert len(ids) == len(set(ids))
    opened.get_by_role("button", name="next cell").click()
    assert opened.locator("#details-title").inner_text() == "AnoGAN on bottle"
    opened.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert opened.evaluate("document.activeElement.dataset.cell") == "mvtec_ad/short/ae_l2/bottle"


def test_details_are_text_until_they_are_opened(opened: Any, text: str) -> None:
    """So that a browser makes no elements of hundreds of cells; with 16 kB each, 355 cells and their tables are below 8 MB."""
    assert opened.locator("figure").count() == 0
    details = re.findall(r'<script type="text/html".*?</script>', text, flags=re.DOTALL)
    assert len(details) == 8 and max(map(len, details)) < 16_000
    opened.locator("button.open").first.click()
    assert opened.locator("figure").count() == 5


def test_an_address_opens_its_cell(opened: Any) -> None:
    opened.goto(opened.url + "#cell=mvtec_ad%2Fshort%2Fanogan%2Fscrew")
    opened.reload()
    assert opened.get_by_role("dialog").is_visible()
    assert "loss is NaN" in opened.locator("#details-body").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_scrolls_inside_the_table_only(opened: Any, scheme: str) -> None:
    opened.set_viewport_size({"width": 390, "height": 844})
    opened.emulate_media(color_scheme=scheme)
    width = "document.documentElement.scrollWidth"
    assert opened.evaluate(width) == 390
    region = opened.get_by_role("region").first
    region.evaluate("(element) => element.scrollTo(400, 0)")
    first = opened.locator(".matrix tbody th").first
    assert first.bounding_box()["x"] == pytest.approx(region.bounding_box()["x"], abs=2)  # it stays
    opened.locator(".matrix button.open").first.click()
    assert opened.evaluate("document.getElementById('details').scrollWidth") <= 390
    assert opened.evaluate(width) == 390
