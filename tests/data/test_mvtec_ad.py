"""Verification of a dataset folder: the real bottle, products of a user's own, and trees that are not in order."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks.data import mvtec_ad
from benchmarks.data.mvtec_ad import CategoryFacts, CategoryReport, report_table, table1, verify
from benchmarks.errors import UserError
from tests.conftest import PROJECT, noise, save

OWN_PRODUCTS = PROJECT.parent / "shared" / "data"


def check(root: Path, name: str = "parts") -> CategoryReport:
    (report,) = verify(root, [name], progress=False)
    return report


def own_product(name: str) -> CategoryReport:
    if not (OWN_PRODUCTS / name).is_dir():
        pytest.skip(f"needs the folder {OWN_PRODUCTS / name}")
    return check(OWN_PRODUCTS, name)


def shown(*reports: CategoryReport) -> str:
    console = Console(width=100, record=True, quiet=True)
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
    assert [sum(f.train_good for f in facts), sum(f.test_good for f in facts), sum(f.test_defective for f in facts)] == [3629, 467, 1258]  # fmt: skip
    assert sum(f.defect_regions or 0 for f in facts) == 1888
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
    assert (report.found.side_px, report.found.grayscale) == (None, True)
    sizes, empty, grays = report.notes
    assert "different sizes" in sizes
    assert empty.count("test/uneven/") == 4
    assert "128" in grays


def test_own_texture_is_in_order() -> None:
    report = own_product("carpet_tiles")
    assert (report.status, report.problems, report.notes) == ("own", [], [])


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
    assert count.startswith("images in train/good: 9 found, 10 in Table 1.")
    assert colour.startswith("colour of the image files: mixed found, colour in Table 1.")
    assert "9/10*" in shown(report) and "mixed/colour*" in shown(report)


@pytest.mark.usefixtures("parts_in_table1")
def test_masks_are_a_must_for_the_papers_categories_only(
    tree: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tree(masks=False)
    (problem,) = check(root).problems
    assert "no masks for scratch" in problem
    monkeypatch.setattr(mvtec_ad, "table1", dict)
    report = check(root)
    assert (report.status, report.notes) == ("own", [problem])


def test_all_unreadable_files_are_named(tree: Callable[..., Path]) -> None:
    root = tree(px=64)
    broken = [root / "parts" / name for name in ("train/good/003.png", "test/good/001.png", "test/scratch/000.png")]
    for path in broken:
        path.write_bytes(path.read_bytes()[:3000])
    report = check(root)
    assert report.status == "differs"
    assert [f"Cannot read {path}" in text for path, text in zip(broken, report.problems, strict=True)] == [True] * 3


def test_missing_and_misfitting_masks_are_named(tree: Callable[..., Path]) -> None:
    root = tree()
    mask = root / "parts" / "ground_truth" / "scratch" / "001_mask.png"
    save(mask, np.zeros((24, 20), np.uint8))
    (problem,) = check(root).problems
    assert problem.startswith(f"{mask} has 20 x 24 pixels, its image 001.png 24 x 24.")
    mask.unlink()
    report = check(root)
    assert (report.status, report.found) == ("differs", None)
    assert "scratch/001.png has no mask" in report.problems[0]


def test_masks_of_a_type_without_images_are_named(tree: Callable[..., Path]) -> None:
    root = tree()
    save(root / "parts" / "ground_truth" / "dent" / "000_mask.png", noise(0, channels=1))
    (problem,) = check(root).problems
    assert f"{root / 'parts' / 'ground_truth' / 'dent'} has no images" in problem


def test_one_bad_category_does_not_stop_the_others(tree: Callable[..., Path]) -> None:
    tree("nuts")
    root = tree("parts", good=0, bad=0)
    reports = verify(root, ["parts", "prats", "nuts", "bottle"], progress=False)
    assert [report.status for report in reports] == ["differs", "missing", "own", "missing"]
    for report, text in zip(reports, ["holds no image", "Did you mean parts", "", "data download"], strict=True):
        assert text in "".join(report.problems)


def test_without_names_the_fifteen_come_first_then_the_users_own(tree: Callable[..., Path]) -> None:
    reports = verify(tree(), progress=False)
    assert [report.name for report in reports] == [*table1(), "parts"]
    lines = shown(*reports).splitlines()
    assert max(map(len, lines)) <= 100
    assert any("metal_nut" in line and "-/220*" in line for line in lines)


def test_missing_root_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"No folder .*--root DIR"):
        verify(tmp_path / "nowhere")
