"""Verification of a dataset folder: the real bottle, products of a user's own, and trees that are not in order."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks.common.errors import UserError
from benchmarks.common.table1 import CategoryFacts, table1
from benchmarks.data import mvtec_ad
from benchmarks.data.layouts import categories_in
from benchmarks.data.mvtec_ad import CategoryReport, report_table, verify
from tests.conftest import PROJECT, noise, save

OWN_PRODUCTS = PROJECT.parent / "shared" / "data"


def check(root: Path, name: str = "parts") -> CategoryReport:
    (report,) = verify(root, [name])
    return report


def own_product(name: str) -> CategoryReport:
    if not (OWN_PRODUCTS / name).is_dir():
        pytest.skip(f"needs the folder {OWN_PRODUCTS / name}")
    return check(OWN_PRODUCTS, name)


def shown(*reports: CategoryReport) -> str:
    console = Console(width=100, file=io.StringIO(), record=True)
    console.print(report_table(reports))
    return console.export_text()


@pytest.fixture
def parts_in_table1(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the small tree `parts` of these tests be a category of the paper."""
    facts = CategoryFacts(10, 3, 3, defect_types=1, defect_regions=3, side_px=24, grayscale=False)
    monkeypatch.setattr(mvtec_ad, "table1", lambda: {"parts": facts})


def test_table1_sums_up_to_the_papers_totals() -> None:
    facts = table1().values()
    assert len(facts) == 15
    assert sum(f.train_good for f in facts) == 3629
    assert sum(f.test_good for f in facts) == 467
    assert sum(f.test_defective for f in facts) == 1258
    assert sum(f.defect_regions for f in facts) == 1888
    assert [name for name, f in table1().items() if f.grayscale] == ["grid", "screw", "zipper"]


def test_real_bottle_is_as_table1_has_it(mvtec_ad: Path) -> None:
    report = check(mvtec_ad, "bottle")
    assert (report.status, report.problems, report.notes) == ("ok", [], [])
    assert report.found == CategoryFacts(209, 20, 63, 3, 68, 900, False)


def test_own_product_of_many_sizes_with_gray_and_empty_masks() -> None:
    report = own_product("magnetic_tile")
    assert (report.status, report.problems, report.expected) == ("own", [], None)
    assert report.found is not None
    assert (report.found.train_good, report.found.test_good, report.found.test_defective) == (762, 190, 392)
    assert (report.found.side_px, report.found.grayscale) == (0, True)  # 706 sizes in train alone
    *empty, light = report.notes
    assert ["uneven" in note and "is empty" in note for note in empty] == [True] * 4
    assert "190 good test images are brighter" in light and "148 against 97" in light


def test_own_texture_is_in_order() -> None:
    report = own_product("carpet_tiles")
    assert (report.status, report.problems, report.notes) == ("own", [], [])


@pytest.mark.parametrize(("gray", "word"), [(200, "brighter"), (20, "darker"), (None, "")])
def test_good_parts_of_another_light_are_told(tree: Callable[..., Path], gray: int | None, word: str) -> None:
    root = tree(good=6)
    for path in (root / "parts" / "test" / "good").iterdir() if gray else ():
        save(path, np.full((24, 24, 3), gray, np.uint8))
    notes = check(root, "parts").notes
    assert len(notes) == bool(word) and all(f"are {word} than" in note for note in notes)


def test_regions_are_8_connected_from_half_white_up(tree: Callable[..., Path]) -> None:
    root = tree(bad=1)
    mask = np.zeros((24, 24), np.uint8)
    mask[2, 2] = mask[3, 3] = 255  # touch at a corner: one region
    mask[10, 10], mask[20, 20] = 128, 127  # the first is a region, the second is none
    save(root / "parts" / "ground_truth" / "scratch" / "000_mask.png", mask)
    found = check(root).found
    assert found is not None
    assert found.defect_regions == 2


@pytest.mark.usefixtures("parts_in_table1")
def test_each_difference_from_table1_is_named_and_marked(tree: Callable[..., Path]) -> None:
    root = tree()
    assert check(root).status == "ok"
    (root / "parts" / "train" / "good" / "004.png").unlink()
    save(root / "parts" / "test" / "good" / "000.png", noise(0, channels=1))
    report = check(root)
    assert report.status == "differs"
    count, colour = report.problems
    assert count.startswith("train_good is 9, in Table 1 10:")
    assert colour.startswith("grayscale is None, in Table 1 False:")
    assert "9 not 10" in shown(report)


@pytest.mark.usefixtures("parts_in_table1")
def test_the_papers_categories_must_have_masks(tree: Callable[..., Path]) -> None:
    (problem,) = check(tree(masks=False)).problems
    assert problem.startswith("defect_regions is 0, in Table 1 3:")


def test_masks_are_optional_for_own_categories(tree: Callable[..., Path]) -> None:
    assert check(tree(masks=False)).status == "own"


def test_all_unreadable_files_are_named(tree: Callable[..., Path]) -> None:
    root = tree(px=64)
    broken = [root / "parts" / name for name in ("train/good/003.png", "test/good/001.png", "test/scratch/000.png")]
    for path in broken:
        path.write_bytes(path.read_bytes()[:3000])
    report = check(root)
    assert report.status == "differs"
    assert report.problems == [f"3 file(s) end too early ({broken[0]}): copy them again, or remove them."]
    for path in broken:
        path.write_text(f"no image {path}")
    (problem,) = check(root).problems
    assert f"Cannot read {broken[0]}" in problem
    assert "And 2 more" in problem


def test_missing_and_misfitting_masks_are_named(tree: Callable[..., Path]) -> None:
    root = tree()
    mask = root / "parts" / "ground_truth" / "scratch" / "001_mask.png"
    save(mask, np.zeros((24, 20), np.uint8))
    (problem,) = check(root).problems
    assert problem.startswith(f"{mask} has 20 x 24 pixels, its image 001.png 24 x 24: draw the mask")
    mask.unlink()
    report = check(root)
    assert report.status == "differs"
    assert "scratch/001.png has no mask" in report.problems[0]


def test_one_bad_category_does_not_stop_the_others(tree: Callable[..., Path]) -> None:
    tree("nuts")
    root = tree("parts", train=0)
    (root / "parts" / "train").mkdir()
    reports = verify(root, ["parts", "prats", "nuts", "bottle"])
    assert [report.status for report in reports] == ["differs", "differs", "own", "differs"]
    assert "holds no image" in reports[0].problems[0]
    assert "Did you mean parts?" in reports[1].problems[0]


def test_a_category_of_two_good_images_does_not_hide_the_others(tree: Callable[..., Path]) -> None:
    root = tree("nuts")
    for index in range(2):
        save(root / "parts" / "good" / f"{index}.png", noise(index))
    assert [(report.name, report.status) for report in verify(root)] == [("nuts", "own"), ("parts", "differs")]
    assert "has 2 good image(s) and no defective one" in check(root, "parts").problems[0]
    (_, nuts), (_, parts) = categories_in(root)
    assert nuts.startswith("10 train") and parts.startswith("cannot be read") and "2 good image(s)" in parts


def test_a_category_of_two_tables_does_not_hide_the_others(tree: Callable[..., Path]) -> None:
    root = tree("nuts")
    save(root / "parts" / "0.png", noise(0))
    for name in ("labels.csv", "labels_old.csv"):
        (root / "parts" / name).write_text("path,label\n0.png,ok\n")
    assert [(report.name, report.status) for report in verify(root)] == [("nuts", "own"), ("parts", "differs")]


def test_without_names_own_categories_are_checked_alone(tree: Callable[..., Path]) -> None:
    assert [report.name for report in verify(tree())] == ["parts"]


def test_with_one_of_the_fifteen_all_of_them_are_reported(tree: Callable[..., Path]) -> None:
    tree("bottle")
    reports = verify(tree())
    assert [report.name for report in reports] == [*table1(), "parts"]
    assert [report.name for report in reports if report.status != "missing"] == ["bottle", "parts"]
    lines = shown(*reports).splitlines()
    assert max(map(len, lines)) <= 100
    assert any("bottle" in line and "differs" in line and "3 not 63" in line for line in lines)


def test_a_folder_without_categories_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no category.*--root"):
        verify(tmp_path / "nowhere")
