"""A folder of bad parts beside a category (`data.bad`, `choose --bad`): each image is counted once, as bad, and has a map."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.common.errors import UserError
from benchmarks.data.index import Category
from benchmarks.data.layouts import read_folder, with_bad_parts
from benchmarks.data.map_files import map_path
from benchmarks.data.names import Layout
from benchmarks.data.survey import survey
from tests.data.test_layouts import counts, fill, texts


@pytest.fixture
def more(tmp_path: Path) -> Path:
    return tmp_path / "more"


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    fill(tmp_path / "parts" / "good", 10)
    return tmp_path / "parts"


def read(parts: Path, more: Path) -> Category:
    """Together, with a name and a map for each image."""
    category = with_bad_parts(read_folder(parts)[0], more)
    assert len({image.name for image in category.test}) == len({map_path(image) for image in category.test})
    assert len({image.name for image in category.test}) == len(category.test)
    assert survey(category).texts("error") == []
    return category


def test_images_are_bad_and_those_in_folders_of_that_kind(parts: Path, more: Path) -> None:
    fill(more, 2)
    fill(more / "hole", 3)
    category = read(parts, more)
    assert counts(category) == (8, 2, {"bad": 2, "hole": 3}) and category.findings == read_folder(parts)[0].findings
    assert [image.name for image in category.test[2:4]] == ["test/bad/000.png", "test/bad/001.png"]


@pytest.mark.parametrize("place", ["bad", "test/bad"])
@pytest.mark.parametrize("kind", ["", "bad"])
def test_one_name_in_both_folders(tmp_path: Path, more: Path, place: str, kind: str) -> None:
    fill(tmp_path / "parts" / "train" / "good", 6)
    fill(tmp_path / "parts" / place, 3)
    fill(more / kind, 2)
    assert counts(read(tmp_path / "parts", more))[2] == {"bad": 5}


def test_images_beside_a_folder_called_bad_are_kept(parts: Path, more: Path) -> None:
    fill(more, 2)
    fill(more / "bad", 3)
    assert counts(read(parts, more))[2] == {"bad": 5}


def test_images_of_one_name_but_for_the_suffix(parts: Path, more: Path) -> None:
    fill(more, 1)
    fill(more, 1, ".bmp")
    assert any("have the name of another but for the suffix" in text for text in texts(read(parts, more), "note"))


@pytest.mark.parametrize("name", ["good", "OK", "OK/day1"])
def test_a_folder_of_good_parts_is_refused(parts: Path, more: Path, name: str) -> None:
    fill(more / name, 2)
    fill(more / "hole", 2)
    with pytest.raises(UserError, match=rf"{name} is good by its name.*move its images to the good ones"):
        with_bad_parts(read_folder(parts)[0], more)
    assert counts(read(parts, more / "hole"))[2] == {"bad": 2}


@pytest.mark.parametrize("masks", ["masks", "hole/masks", "hole"])
def test_masks_are_passed_over_and_said(parts: Path, more: Path, masks: str) -> None:
    fill(more / "hole", 2, masks=more / masks)
    category = read(parts, more)
    assert counts(category)[2] == {"hole": 2}
    assert texts(category, "warning")[0].startswith("2 image(s) are masks, which are read with the category's own")


def test_deeper_images_and_other_formats_are_said(parts: Path, more: Path) -> None:
    fill(more / "hole", 2)
    fill(more / "hole" / "later", 3)
    (more / "a.heic").write_text("x")
    category = read(parts, more)
    assert counts(category)[2] == {"hole": 2}
    below, heic = texts(category, "warning")
    assert below.startswith("3 image(s) in folders below a kind") and "1 .heic file(s) left out" in heic


def test_folders_that_hold_folders_are_read_through(parts: Path, more: Path) -> None:
    fill(more / "NG" / "hole", 2)
    fill(more / "images", 3)
    assert counts(read(parts, more))[2] == {"hole": 2, "bad": 3}


def test_bad_parts_that_the_category_has_already_count_once(parts: Path) -> None:
    fill(parts / "NG", 3)
    assert counts(read(parts, parts / "NG"))[2] == {"NG": 3}


def test_bad_parts_without_masks_end_the_pixel_metrics_and_say_so(tree: Callable[..., Path], more: Path) -> None:
    fill(more, 2)
    category = read(tree() / "parts", more)
    assert not category.has_masks and texts(category, "warning")[0].startswith("no pixel metrics: the images in")


def test_what_the_layout_calls_good_holds_for_bad_parts_too(parts: Path, more: Path) -> None:
    fill(more / "pass 2", 2)
    category = read_folder(parts, Layout(good=("good",)))[0]
    assert counts(with_bad_parts(category, more, Layout(good=("good",))))[2] == {"pass 2": 2}
    with pytest.raises(UserError, match="pass 2"):
        with_bad_parts(category, more)
