"""The index of a category, and what it says of trees that are not in order."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.common.errors import UserError
from benchmarks.data.layouts import category_names, read_category
from benchmarks.data.survey import survey


def test_files_come_in_order_with_their_masks(tree: Callable[..., Path]) -> None:
    category = read_category(tree(train=4), "parts")
    assert [image.name for image in category.train] == [f"train/good/{i:03}.png" for i in range(4)]
    names = [image.name for image in category.test]
    assert names == [f"test/{kind}/{i:03}.png" for kind in ("good", "scratch") for i in range(3)]
    assert all((image.mask is not None) == image.is_defective for image in category.test)
    assert category.has_masks


def test_masks_are_optional(tree: Callable[..., Path]) -> None:
    assert not read_category(tree(masks=False), "parts").has_masks


def test_hidden_and_foreign_files_are_passed_over(tree: Callable[..., Path]) -> None:
    root = tree(train=2)
    for name in ("._000.png", "Thumbs.db", "notes.txt"):
        (root / "parts" / "train" / "good" / name).write_text("not an image")
    assert len(read_category(root, "parts").train) == 2
    assert category_names(root) == ["parts"]


def test_a_misspelt_category_is_answered_with_the_nearest(tree: Callable[..., Path]) -> None:
    with pytest.raises(UserError, match=r"No category 'prats' in .*Did you mean parts\?"):
        read_category(tree(), "prats")


def test_missing_root_says_how_to_set_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"No folder .*data\.root=DIR"):
        read_category(tmp_path / "nowhere", "bottle")


@pytest.mark.parametrize(("lost", "message"), [("train/good", "holds no image"), ("test", "holds no image")])
def test_empty_folders_are_named(tree: Callable[..., Path], lost: str, message: str) -> None:
    root = tree(masks=False)
    for file in (root / "parts" / lost).rglob("*.png"):
        file.unlink()
    with pytest.raises(UserError, match=f"{lost} {message}"):
        read_category(root, "parts")


def test_a_mask_without_its_image_is_named(tree: Callable[..., Path]) -> None:
    root = tree()
    (root / "parts" / "test" / "scratch" / "001.png").unlink()
    with pytest.raises(UserError, match=r"001_mask\.png is the mask of no image"):
        survey(read_category(root, "parts")).refuse()


def test_an_image_without_its_mask_is_named(tree: Callable[..., Path]) -> None:
    root = tree()
    (root / "parts" / "ground_truth" / "scratch" / "001_mask.png").unlink()
    with pytest.raises(UserError, match=r"scratch/001\.png has no mask, but other images"):
        survey(read_category(root, "parts")).refuse()


def test_real_bottle_has_the_papers_counts(mvtec_ad: Path) -> None:
    bottle = read_category(mvtec_ad, "bottle")
    defective = sum(image.is_defective for image in bottle.test)
    assert (len(bottle.train), len(bottle.test) - defective, defective) == (209, 20, 63)
