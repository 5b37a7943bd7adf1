"""Every layout that is read, by small trees: which images are good, tested, masked; and what is said of them."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

from benchmarks.common.errors import UserError
from benchmarks.data.index import Category
from benchmarks.data.layouts import categories_in, category_names, read_category, read_folder
from benchmarks.data.map_files import map_path
from benchmarks.data.mvtec_ad import verify
from benchmarks.data.names import Layout
from tests.conftest import compose, noise, save


def fill(folder: Path, count: int, suffix: str = ".png", masks: Path | None = None, mask_suffix: str = "_mask") -> None:
    for index in range(count):
        path = folder / f"{index:03}{suffix}"
        save(path, noise(abs(hash(str(path))) % 2**32))
        if masks is not None:
            mask = np.zeros((24, 24), np.uint8)
            mask[2:6, 3:9] = 255
            save(masks / f"{index:03}{mask_suffix}.png", mask)


def counts(category: Category) -> tuple[int, int, dict[str, int]]:
    """Training images, good test images, defective test images by kind."""
    kinds: dict[str, int] = {}
    for image in category.test:
        kinds[image.defect_type] = kinds.get(image.defect_type, 0) + 1
    return len(category.train), kinds.pop("good", 0), kinds


def texts(category: Category, level: str) -> list[str]:
    return [finding.text for finding in category.findings if finding.level == level]


GOOD_AND_BAD = [
    ("OK", "NG"),
    ("good", "bad"),
    ("normal", "anomalous"),
    ("pass", "fail"),
    ("io", "nio"),
    ("ok_front", "def_front"),
]


@pytest.mark.parametrize(("good", "bad"), GOOD_AND_BAD)
def test_good_beside_bad(tmp_path: Path, good: str, bad: str) -> None:
    fill(tmp_path / good, 10)
    fill(tmp_path / bad, 4, masks=tmp_path / "masks" / bad, mask_suffix="")
    category, summary = read_folder(tmp_path)
    assert counts(category) == (8, 2, {bad: 4}) and category.has_masks
    assert category.split == "2 of 10 good images drawn for testing (share 0.2, seed 0)"
    assert (summary.good, summary.bad, summary.kinds, summary.masks) == (10, 4, (bad,), 4)
    assert "10 good, 4 bad in 1 kind, 4 masks, 24 x 24 colour" in str(summary)
    assert {str(map_path(image)).split("/")[0] for image in category.train} == {"validation"}
    assert {str(map_path(image)).rpartition("/")[0] for image in category.test} == {"test/good", f"test/{bad}"}


def test_the_drawn_split_is_the_datasets_and_can_be_chosen(tmp_path: Path) -> None:
    fill(tmp_path / "good", 20)
    first, again = (read_folder(tmp_path)[0].test for _ in range(2))
    assert first == again and len(first) == 4
    other = read_folder(tmp_path, Layout(test_share=0.5, test_seed=1))[0]
    assert len(other.test) == 10 and {image.name for image in first} - {image.name for image in other.test}


def test_kinds_of_defects_below_bad_and_beside_good(tmp_path: Path) -> None:
    fill(tmp_path / "a" / "good", 5)
    for kind in ("scratch", "Loch groß"):
        fill(tmp_path / "a" / "bad" / kind, 2)
        fill(tmp_path / "b" / kind, 2)
    fill(tmp_path / "b" / "good", 5)
    for name in "ab":
        assert counts(read_category(tmp_path, name)) == (4, 1, {"scratch": 2, "Loch groß": 2})
    assert category_names(tmp_path) == ["a", "b"]


def test_one_flat_folder_is_all_good(tmp_path: Path) -> None:
    fill(tmp_path / "123", 10, ".jpg")
    category, summary = read_folder(tmp_path / "123")
    assert counts(category) == (8, 2, {}) and category.name == "123"
    assert any("no defective test image" in text for text in summary.survey.texts("warning"))


def test_train_beside_defects_draws_good_test_images(tmp_path: Path) -> None:
    fill(tmp_path / "train", 10)
    fill(tmp_path / "hole", 3)
    assert counts(read_folder(tmp_path)[0]) == (8, 2, {"hole": 3})


def test_bad_images_for_training_are_tested_only_where_there_are_no_others(tmp_path: Path) -> None:
    fill(tmp_path / "train" / "ok", 5)
    fill(tmp_path / "train" / "ng", 2)
    fill(tmp_path / "test" / "ok", 2)
    assert counts(read_folder(tmp_path)[0]) == (5, 2, {"ng": 2})
    fill(tmp_path / "test" / "ng", 1)
    category = read_folder(tmp_path)[0]
    assert counts(category) == (5, 2, {"ng": 1})
    assert texts(category, "warning")[0].startswith("2 image(s) are defective, but lie among those for training")


@pytest.mark.parametrize("name", ["Good", "OK", "normal"])
def test_good_by_another_name_counts_as_good_and_is_said(tree: Callable[..., Path], name: str) -> None:
    root = tree()
    (root / "parts" / "test" / "good").rename(root / "parts" / "test" / name)
    category = read_category(root, "parts")
    assert counts(category) == (10, 3, {"scratch": 3}) and category.has_masks
    assert f"the 3 image(s) in test/{name} are read as good" in texts(category, "note")[0]
    strict = read_category(root, "parts", Layout(good=["good"]))
    assert counts(strict) == (10, 0, {name: 3, "scratch": 3})


def test_a_folder_that_cannot_be_told_says_how_to_name_the_good_ones(tmp_path: Path) -> None:
    fill(tmp_path / "a", 3)
    with pytest.raises(UserError, match=r"found a\..*data\.layout\.good=\[NAME\]"):
        read_folder(tmp_path)
    assert counts(read_folder(tmp_path, Layout(good=["a"]))[0]) == (2, 1, {})


def test_hidden_folders_and_those_to_ignore_are_passed_over(tree: Callable[..., Path]) -> None:
    root = tree()
    fill(root / "parts" / "test" / ".ipynb_checkpoints", 2)
    fill(root / "parts" / "test" / "drafts", 2)
    assert counts(read_category(root, "parts", Layout(ignore=["drafts"]))) == (10, 3, {"scratch": 3})


def test_a_category_as_the_root_is_answered_with_the_right_command(tree: Callable[..., Path]) -> None:
    root = tree()
    with pytest.raises(UserError, match=rf"is itself a category.*data\.root={root} category=parts"):
        read_category(root / "parts", "parts")
    for ask in (verify, categories_in):
        with pytest.raises(UserError, match="is itself a category"):  # not two: train and test
            ask(root / "parts")


def table(path: Path, rows: Iterable[str], separator: str = ",") -> Path:
    path.write_text("\n".join(row.replace(",", separator) for row in rows) + "\n", encoding="utf-8-sig")
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_of_images(tmp_path: Path, separator: str) -> None:
    fill(tmp_path / "images", 8, masks=tmp_path / "masks", mask_suffix="")
    rows = [f"images/{i:03}.png,ok,train," for i in range(4)] + ["images/004.png,ok,test,"]
    rows += [f"images/{i:03}.png,hole,test,masks/{i:03}.png" for i in (5, 6)]
    table(tmp_path / "parts.csv", ["Path,Label,Split,Mask", *rows], separator)
    category = read_folder(tmp_path)[0]
    assert counts(category) == (4, 1, {"hole": 2}) and category.has_masks
    assert counts(read_folder(tmp_path / "parts.csv")[0]) == counts(category)


def test_a_table_without_split_draws_one_and_zero_is_good(tmp_path: Path) -> None:
    fill(tmp_path, 7)
    table(tmp_path / "parts.csv", ["path,label", *(f"{i:03}.png,{int(i > 4)}" for i in range(7))])
    assert counts(read_folder(tmp_path)[0]) == (4, 1, {"bad": 2})


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["000.png,ok", "nowhere.png,ok"], r"line 3: .*nowhere\.png is not there"),
        (["000.png,"], "line 2: no label"),
        (["000.png,ok,more"], "line 2: 3 values, the header has 2"),
        (["000.png,hole"], "no good image"),
        (["000.png,ok"], r"has 1 good image\(s\) and no defective one"),
    ],
)
def test_faults_of_a_table_name_their_line(tmp_path: Path, rows: list[str], message: str) -> None:
    fill(tmp_path, 1)
    with pytest.raises(UserError, match=message):
        read_folder(table(tmp_path / "t.csv", ["path,label", *rows]))


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_a_table_that_is_not_utf_8_is_not_passed_over(tmp_path: Path, encoding: str, ending: str) -> None:
    """Its bad images would be good ones to fit to."""
    fill(tmp_path, 7)
    path = tmp_path / "parts.csv"
    rows = ["Path;Label;Größe", *(f"{i:03}.png;{'ok' if i < 5 else 'Loch groß'};1" for i in range(7))]
    path.write_bytes(ending.join(rows).encode(encoding))
    with pytest.raises(UserError, match=r"parts\.csv is not UTF-8 .*save it as UTF-8"):
        read_folder(tmp_path)
    path.write_bytes(ending.join(rows).encode())
    assert counts(read_folder(tmp_path)[0]) == (4, 1, {"Loch groß": 2})


def test_other_tables_beside_images_are_left_alone(tmp_path: Path) -> None:
    fill(tmp_path, 7)
    for name, content in (("a", b""), ("b", b"\xff\xfe"), ("c", "Datei;Größe".encode("cp1252")), ("d", b"path,x\n")):
        (tmp_path / f"{name}.csv").write_bytes(content)
    assert counts(read_folder(tmp_path)[0]) == (6, 1, {})


def test_two_tables_of_one_folder_are_refused(tmp_path: Path) -> None:
    fill(tmp_path, 7)
    for name in ("labels.csv", "labels_old.csv"):
        table(tmp_path / name, ["path,label", *(f"{i:03}.png,{int(i > 4)}" for i in range(7))])
    with pytest.raises(
        UserError, match=r"holds 2 tables .*labels\.csv and labels_old\.csv.*rename .*labels_old\.csv\.old"
    ):
        read_folder(tmp_path)
    (tmp_path / "labels_old.csv").rename(tmp_path / "labels_old.csv.old")
    assert counts(read_folder(tmp_path)[0]) == (4, 1, {"bad": 2})


def test_masks_of_some_images_of_a_kind_in_a_table(tmp_path: Path) -> None:
    fill(tmp_path / "images", 8, masks=tmp_path / "masks", mask_suffix="")
    rows = [f"images/{i:03}.png,ok,train," for i in range(5)]
    rows += ["images/005.png,hole,test,masks/005.png", "images/006.png,hole,test,", "images/007.png,dent,test,"]
    table(tmp_path / "parts.csv", ["path,label,split,mask", *rows])
    category = read_folder(tmp_path)[0]
    (error,) = texts(category, "error")
    assert "006.png has no mask, but other images of 'hole' have one (1 without)" in error
    assert any("hole have masks, dent have none" in text for text in texts(category, "warning"))


@pytest.mark.parametrize(("good", "share"), [(1, 0.2), (2, 0.2), (40, 0.01)])
@pytest.mark.parametrize("listed", [False, True])
def test_good_images_too_few_to_draw_one_for_testing(tmp_path: Path, good: int, share: float, listed: bool) -> None:
    fill(tmp_path, good)
    if listed:
        table(tmp_path / "t.csv", ["path,label", *(f"{i:03}.png,ok" for i in range(good))])
    words = rf"has {good} good image\(s\) and no defective one, and data\.layout\.test_share={share} draws none"
    with pytest.raises(UserError, match=words + r".*: add good images, or raise data\.layout\.test_share"):
        read_folder(tmp_path, Layout(test_share=share))


def layout_of_dataset(name: str) -> Layout:
    settings: Any = OmegaConf.to_container(compose(f"data={name}", "data.root=x", "category=x").data.layout)
    return Layout(**settings)


def test_mpdd_is_one_yaml(tmp_path: Path) -> None:
    part = tmp_path / "bracket_black"
    fill(part / "train" / "good", 4)
    fill(part / "test" / "good", 2)
    fill(part / "test" / "hole", 2, masks=part / "ground_truth" / "hole")
    category = read_category(tmp_path, "bracket_black", layout_of_dataset("mpdd"))
    assert counts(category) == (4, 2, {"hole": 2}) and category.has_masks


def test_btad_is_one_yaml(tmp_path: Path) -> None:
    part = tmp_path / "01"
    fill(part / "train" / "ok", 4, ".bmp")
    fill(part / "test" / "ok", 2, ".bmp")
    fill(part / "test" / "ko", 2, ".bmp", masks=part / "ground_truth" / "ko", mask_suffix="")
    category = read_category(tmp_path, "01", layout_of_dataset("btad"))
    assert counts(category) == (4, 2, {"ko": 2}) and category.has_masks


def test_visa_is_one_yaml(tmp_path: Path) -> None:
    fill(tmp_path / "candle" / "Data" / "Images" / "Normal", 5, ".JPG")
    masks = tmp_path / "candle" / "Data" / "Masks" / "Anomaly"
    fill(tmp_path / "candle" / "Data" / "Images" / "Anomaly", 2, ".JPG", masks=masks, mask_suffix="")
    good = [f"candle,{'train' if i < 4 else 'test'},normal,candle/Data/Images/Normal/{i:03}.JPG," for i in range(5)]
    bad = [
        f"candle,test,anomaly,candle/Data/Images/Anomaly/{i:03}.JPG,candle/Data/Masks/Anomaly/{i:03}.png"
        for i in range(2)
    ]
    (tmp_path / "split_csv").mkdir()
    table(tmp_path / "split_csv" / "1cls.csv", ["object,split,label,image,mask", *good, *bad])
    layout = layout_of_dataset("visa")
    assert category_names(tmp_path, layout) == ["candle"]
    category = read_category(tmp_path, "candle", layout)
    assert counts(category) == (4, 1, {"anomaly": 2}) and category.has_masks


@pytest.mark.parametrize(
    ("name", "kind"), [("bottle", "object"), ("grid", "texture"), ("screw", "object"), ("transistor", "object")]
)
def test_real_categories_look_like_what_they_are(mvtec_ad: Path, name: str, kind: str) -> None:
    from benchmarks.data.summary import kind_of

    if not (mvtec_ad / name).is_dir():
        pytest.skip(f"{name} is not here")
    assert kind_of(read_category(mvtec_ad, name).train)[0] == kind
