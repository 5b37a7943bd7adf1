"""Folders a step or two deeper than usual: what is good, a mask or a kind of its own is judged by its name at every depth."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.common.errors import UserError
from benchmarks.data.layouts import read_folder
from benchmarks.data.map_files import map_path
from benchmarks.data.names import Layout
from benchmarks.data.survey import survey
from tests.data.test_layouts import counts, fill, texts

Counts = tuple[int, int, dict[str, int]]


def val(root: Path) -> None:
    fill(root / "train" / "OK", 6)
    fill(root / "val" / "OK", 4)
    fill(root / "val" / "NG", 3)


def days(root: Path) -> None:
    fill(root / "train" / "OK", 6)
    for day in ("day1", "day2"):
        fill(root / "test" / day / "OK", 4)
        fill(root / "test" / day / "NG", 3)


def images_and_masks(root: Path) -> None:
    fill(root / "good", 10)
    fill(root / "bad" / "images", 4, masks=root / "bad" / "masks")


def images_and_masks_of_two_kinds(root: Path) -> None:
    fill(root / "good" / "images", 10, masks=root / "good" / "masks")
    for kind in ("hole", "scratch"):
        fill(root / kind / "images", 4, masks=root / kind / "masks", mask_suffix="")


def masks_of_all_kinds_below_bad(root: Path) -> None:
    fill(root / "good", 10)
    fill(root / "bad" / "hole", 4, masks=root / "bad" / "masks", mask_suffix="")


def masks_in_test(root: Path) -> None:
    fill(root / "train" / "good", 6, masks=root / "train" / "masks")
    fill(root / "test" / "good", 2)
    fill(root / "test" / "bad", 4, masks=root / "test" / "masks")


def masks_in_the_folder_of_their_images(root: Path) -> None:
    fill(root / "good", 10)
    fill(root / "bad", 4, masks=root / "bad" / "masks")


def masks_beside(suffix: str) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        fill(root / "good", 10)
        fill(root / "bad", 4, masks=root / "bad", mask_suffix=suffix)

    return make


def below_images(root: Path) -> None:
    fill(root / "images" / "OK", 10)
    fill(root / "images" / "NG", 4)


READ: dict[str, tuple[Callable[[Path], None], Counts, bool]] = {
    "train and val": (val, (8, 2, {"NG": 3}), False),
    "days of testing": (days, (6, 8, {"NG": 6}), False),
    "bad/images and bad/masks": (images_and_masks, (8, 2, {"bad": 4}), True),
    "images and masks of two kinds": (images_and_masks_of_two_kinds, (8, 2, {"hole": 4, "scratch": 4}), True),
    "bad/masks of bad/hole": (masks_of_all_kinds_below_bad, (8, 2, {"hole": 4}), True),
    "test/masks": (masks_in_test, (6, 2, {"bad": 4}), True),
    "masks below their images": (masks_in_the_folder_of_their_images, (8, 2, {"bad": 4}), True),
    "_gt beside": (masks_beside("_gt"), (8, 2, {"bad": 4}), True),
    "-Label beside": (masks_beside("-Label"), (8, 2, {"bad": 4}), True),
    "images/OK and images/NG": (below_images, (8, 2, {"NG": 4}), False),
}


@pytest.mark.parametrize("kind", READ)
def test_what_is_read(tmp_path: Path, kind: str) -> None:
    """Nothing is left out, no two images share a map, and no mask is left over."""
    make, expected, masked = READ[kind]
    make(tmp_path)
    category = read_folder(tmp_path)[0]
    assert counts(category) == expected and category.has_masks == masked
    assert texts(category, "warning") == [] and survey(category).texts("error") == []
    assert len({map_path(image) for image in (*category.train, *category.test)}) == sum(expected[:2]) + sum(
        expected[2].values()
    )


def test_the_days_of_one_name_are_told_apart_by_their_folder(tmp_path: Path) -> None:
    days(tmp_path)
    places = {image.place for image in read_folder(tmp_path)[0].test}
    assert {"test/NG/day1/000", "test/NG/day2/000", "test/good/day1/OK/000", "test/good/day2/OK/000"} <= places


def test_good_by_the_word_of_the_user_at_any_depth(tmp_path: Path) -> None:
    fill(tmp_path / "images" / "Gut", 10)
    fill(tmp_path / "images" / "Schlecht", 4)
    with pytest.raises(UserError, match=r"found images\..*data\.layout\.good=\[NAME\]"):
        read_folder(tmp_path)
    assert counts(read_folder(tmp_path, Layout(good=["Gut"]))[0]) == (8, 2, {"Schlecht": 4})
    assert counts(read_folder(tmp_path, Layout(good=["Gut"], ignore=["Schlecht"]))[0]) == (8, 2, {})


def test_what_good_by_its_first_word_holds_is_not_taken_on_trust(tmp_path: Path) -> None:
    fill(tmp_path / "ok_line" / "OK", 10)
    fill(tmp_path / "ok_line" / "NG", 4)
    with pytest.raises(UserError, match=r"holds OK beside NG.*good=\[ok_line\] if all.*else data\.layout\.good=\[OK\]"):
        read_folder(tmp_path)
    assert counts(read_folder(tmp_path, Layout(good=["OK"]))[0]) == (8, 2, {"NG": 4})
    assert counts(read_folder(tmp_path, Layout(good=["ok_line"]))[0]) == (11, 3, {})


def test_masks_beside_good_images_are_never_fitted_to(tmp_path: Path) -> None:
    fill(tmp_path / "train" / "good", 6, masks=tmp_path / "train" / "good")
    fill(tmp_path / "test" / "good", 2, masks=tmp_path / "test" / "good")
    category = read_folder(tmp_path)[0]
    assert counts(category) == (6, 2, {})
    assert [text.partition(" (")[0] for text in texts(category, "warning")] == [
        "2 image(s) beside good images are masks by their names and are left out",
        "6 image(s) beside good images are masks by their names and are left out",
    ]


def test_several_categories_are_not_read_as_one(tmp_path: Path) -> None:
    for name in ("nuts", "bolts"):
        fill(tmp_path / name / "OK", 5)
        fill(tmp_path / name / "NG", 2)
    with pytest.raises(UserError, match=r"holds 2 categories \(bolts, nuts\): give one of them"):
        read_folder(tmp_path)
    fill(tmp_path / "train" / "good", 5)
    for name in ("nuts", "bolts"):
        (tmp_path / "test").mkdir(exist_ok=True)
        (tmp_path / name).rename(tmp_path / "test" / name)
    assert counts(read_folder(tmp_path)[0]) == (5, 10, {"NG": 4})
