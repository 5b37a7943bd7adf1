"""Folders as they come from cameras, labelling tools, other systems and other people: what is said of each, and what is read."""

import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.common.errors import UserError
from benchmarks.data.index import Category
from benchmarks.data.layouts import read_category
from benchmarks.data.survey import survey
from tests.conftest import noise, save

Tree = Callable[..., Path]
NFC, NFD = (unicodedata.normalize(form, "müll") for form in ("NFC", "NFD"))
IMAGE = Image.fromarray(noise(900, 64, 64))
MARK = np.zeros((24, 24), np.uint8)
MARK[2:6, 3:9] = 255


def add(path: Path, **options: Any) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    IMAGE.save(path, **options)
    return path.read_bytes()


def cut(name: str, **options: Any) -> Callable[[Path], None]:
    def spoil(parts: Path) -> None:
        path = parts / "test" / "good" / name
        path.write_bytes(add(path, **options)[:-300])

    return spoil


def followed(name: str, more: bytes) -> Callable[[Path], None]:
    def spoil(parts: Path) -> None:
        path = parts / "test" / "good" / name
        path.write_bytes(add(path) + more)

    return spoil


def several(name: str) -> Callable[[Path], None]:
    def spoil(parts: Path) -> None:
        add(parts / "train" / "good" / name, save_all=True, append_images=[Image.fromarray(noise(901, 64, 64))])

    return spoil


def masks(*channels: np.ndarray) -> Callable[[Path], None]:
    def spoil(parts: Path) -> None:
        for path in parts.glob("ground_truth/*/*"):
            Image.fromarray(np.dstack(channels) if len(channels) > 1 else channels[0]).save(path)

    return spoil


def mask_named(pattern: str) -> Callable[[Path], None]:
    def spoil(parts: Path) -> None:
        for path in parts.glob("ground_truth/*/*"):
            path.rename(path.with_name(pattern.format(path.name[:3])))

    return spoil


def table(*lines: str, head: str = "path,label") -> Callable[[Path], None]:
    return lambda parts: (parts / "images.csv").write_text("\n".join([head, *lines])) and None


def folder_of_good(name: str) -> Callable[[Path], None]:
    return lambda parts: save(parts / "test" / name / "000.png", noise(902)) and None


WHITE, BLACK = np.full_like(MARK, 255), np.zeros_like(MARK)
KINDS: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "a cut BMP": (cut("9.bmp"), "error", "1 file(s) end too early"),
    "a cut TIFF": (cut("9.tif"), "error", "1 file(s) end too early"),
    "a cut PPM": (cut("9.ppm"), "error", "1 file(s) end too early"),
    "a cut JPEG 2000": (cut("9.jp2"), "error", "1 file(s) end too early"),
    "a cut WebP": (cut("9.webp", lossless=True), "error", "Cannot read"),
    "a cut JPEG with a thumbnail's end": (
        lambda parts: cut("9.jpg", exif=b"Exif\0\0" + b"\xff\xd9" * 9)(parts), "error", "1 file(s) end too early",
    ),
    "an empty file": (lambda parts: (parts / "test/good/9.jpg").write_bytes(b"") and None, "error", "Cannot read"),
    "a TIFF of pages": (several("9.tif"), "warning", "1 file(s) hold several images"),
    "an animated WebP": (several("9.webp"), "warning", "1 file(s) hold several images"),
    "an animated PNG": (several("9.png"), "warning", "1 file(s) hold several images"),
    "masks in alpha, white": (masks(WHITE, WHITE, WHITE, MARK), "error", "3 mask(s) are drawn in their transparency"),
    "masks in alpha, black": (masks(BLACK, BLACK, BLACK, MARK), "error", "3 mask(s) are drawn in their transparency"),
    "all masks inverted": (masks(255 - MARK), "warning", "3 mask(s) mark more than half"),
    "masks named otherwise": (mask_named("mask_{}.png"), "error", "are called as their image, or that with _mask"),
    "a link to itself": (
        lambda parts: (parts / "test" / "again").symlink_to(parts), "raised", "is a link to a folder that it lies in",
    ),
    "a table of some images": (
        table(*(f"train/good/00{n}.png,good" for n in range(5))), "warning", "14 image(s) are not listed in images.csv",
    ),
    "a table of two columns of labels": (
        table("train/good/000.png,ok,1", head="path,Label,kind"), "raised",
        "images.csv, line 1: Label and kind both mean label: rename one.",
    ),
    "a table of training images alone": (
        table("train/good/000.png,ok,train", head="path,label,split"), "raised",
        "lists no image of 'parts' for testing: say test in the column split",
    ),
    "a table of nothing": (table(), "raised", "lists no image of 'parts'. Fill it, or remove it"),
    "a table with a file twice": (
        table(*["train/good/000.png,ok"] * 2, "test/scratch/000.png,bad"), "error", "2 image(s) are there twice",
    ),
    "a defect called good": (folder_of_good("good_but_bent"), "warning", "test/good_but_bent are read as good"),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_said(tree: Tree, kind: str) -> None:
    spoil, level, words = KINDS[kind]
    root = tree()
    spoil(root / "parts")
    try:
        found = survey(read_category(root, "parts")).findings
    except UserError as error:
        assert level == "raised" and words in str(error)
    else:
        assert any(finding.level == level and words in finding.text for finding in found), found


def _in_another_form(parts: Path) -> None:
    save(parts / "test" / NFD / "000.png", noise(301))
    save(parts / "ground_truth" / NFC / "000_mask.png", MARK)


def _ending_in_capitals(parts: Path) -> None:
    for path in list((parts / "train" / "good").iterdir())[:5]:
        path.rename(path.with_suffix(".PNG"))


def _of_a_mac(parts: Path) -> None:
    (parts / "train" / "good" / "._000.png").write_bytes(b"x")
    (parts / "test" / "scratch" / "Thumbs.db").write_bytes(b"x")
    (parts / "__MACOSX").mkdir()


def _behind_a_link(parts: Path) -> None:
    (parts / "train" / "good").rename(parts.parent.parent / "elsewhere")
    (parts / "train" / "good").symlink_to(parts.parent.parent / "elsewhere")


def _named_for_a_shell(parts: Path) -> None:
    for seed, name in enumerate(("-rf", "=1+1", "a\nb\tc", "[red] #1, 2", " 0 ")):
        save(parts / "test" / "=cmd, [x]" / f"{name}.png", noise(400 + seed))
        save(parts / "ground_truth" / "=cmd, [x]" / f"{name}_mask.png", MARK)


@pytest.mark.parametrize(
    ("change", "train", "bad"),
    [
        (_in_another_form, 10, 4),
        (_ending_in_capitals, 10, 3),
        (_of_a_mac, 10, 3),
        (_behind_a_link, 10, 3),
        (_named_for_a_shell, 10, 8),
        (mask_named("{}.mask.png"), 10, 3),
        (masks(MARK > 0), 10, 3),
        (followed("9.jpg", b"\0" * 9000), 10, 3),
        (followed("9.png", b"SEFT" * 3000), 10, 3),
    ],
)
def test_what_is_read_whole(tree: Tree, change: Callable[[Path], None], train: int, bad: int) -> None:
    """With all masks, and nothing left out."""
    root = tree()
    change(root / "parts")
    category = read_category(root, "parts")
    assert survey(category).texts("error") == survey(category).texts("warning") == []
    assert (len(category.train), sum(image.is_defective for image in category.test)) == (train, bad)
    assert category.has_masks


def test_a_category_is_found_in_another_unicode_form(tree: Tree) -> None:
    root = tree(name=NFD)
    assert len(read_category(root, NFC).train) == 10


def test_each_image_has_a_map_of_its_own(tree: Tree) -> None:
    """Two folders of good images, with the same names in both."""
    root = tree()
    shutil.copytree(root / "parts" / "test" / "good", root / "parts" / "test" / "OK")
    shutil.copytree(root / "parts" / "test" / "good", root / "parts" / "test" / "normal")

    def places(category: Category) -> list[str]:
        return [image.place for image in category.test if not image.is_defective]

    category = read_category(root, "parts")
    assert len(set(places(category))) == 9
    assert {"test/good/000", "test/good/OK/000", "test/good/normal/000"} <= set(places(category))
