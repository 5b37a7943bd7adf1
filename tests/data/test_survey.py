"""Each kind of trouble in a folder: an error where a number would be wrong, a warning where something is left out, a note else."""

import os
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.common.errors import UserError
from benchmarks.data.images import MEGAPIXELS, decode, header, size_of
from benchmarks.data.index import Level
from benchmarks.data.layouts import read_category
from benchmarks.data.survey import survey
from tests.conftest import noise, save

Tree = Callable[..., Path]
SCRATCH = Path("parts", "ground_truth", "scratch")


def said(root: Path, level: Level, **settings: float) -> list[str]:
    return survey(read_category(root, "parts"), **settings).texts(level)  # type: ignore[arg-type]


def test_a_folder_in_order_has_no_findings(tree: Tree) -> None:
    assert survey(read_category(tree(), "parts")).findings == ()


def as_mask(content: np.ndarray) -> Callable[[Path], None]:
    return lambda path: Image.fromarray(content).save(path)


MARK = np.zeros((24, 24), np.uint8)
MARK[2:6, 3:9] = 1
RED = np.dstack([MARK * 255, MARK * 0, MARK * 0])
DARK_MASKS: dict[str, tuple[np.ndarray, str]] = {
    "0/1": (MARK, "highest gray value 1, L, 8 bits; a defect begins at 128"),
    "red": (RED, "highest gray value 76, RGB, 8 bits; a defect begins at 128"),
    "16 bits": (MARK.astype(np.uint16) * 255, "highest gray value 255, I;16, 16 bits; a defect begins at 32768"),
}


@pytest.mark.parametrize("kind", DARK_MASKS)
def test_a_mask_that_would_be_taken_as_empty_is_an_error(tree: Tree, kind: str) -> None:
    content, words = DARK_MASKS[kind]
    root = tree()
    as_mask(content)(root / SCRATCH / "001_mask.png")
    (error,) = said(root, "error")
    assert words in error and error.startswith("1 mask(s)") and "001_mask.png" in error


def test_empty_inverted_and_soft_masks_are_notes(tree: Tree) -> None:
    root = tree()
    as_mask(MARK * 0)(root / SCRATCH / "000_mask.png")
    as_mask((1 - MARK) * 255)(root / SCRATCH / "001_mask.png")
    as_mask(np.maximum(MARK * 200, np.roll(MARK, 9) * 90))(root / SCRATCH / "002_mask.png")
    empty, inverted, soft = said(root, "note")
    assert (
        "1 mask(s) are empty" in empty
        and "more than half" in inverted
        and "are not 8-bit gray with 0 and 255 alone" in soft
    )
    assert said(root, "error") == []


def test_a_mask_of_another_size_is_an_error_before_anything_is_decoded(tree: Tree, decoded_files: list[str]) -> None:
    root = tree()
    save(root / SCRATCH / "001_mask.png", np.full((24, 20), 255, np.uint8))
    (error,) = said(root, "error")
    assert "001_mask.png has 20 x 24 pixels, its image 001.png 24 x 24" in error
    assert not any("/test/" in path for path in decoded_files)


def test_two_masks_for_one_image_and_masks_for_some_kinds_only(tree: Tree) -> None:
    root = tree()
    save(root / SCRATCH / "001.png", MARK * 255)
    (error,) = said(root, "error")
    assert "two masks" in error and "001_mask.png" in error
    (root / SCRATCH / "001.png").unlink()
    save(root / "parts" / "test" / "hole" / "000.png", noise(7))
    (warning,) = said(root, "warning")
    assert warning.startswith("no pixel metrics: scratch have masks, hole have none")


def test_floating_point_pixels_are_an_error_before_training(tree: Tree) -> None:
    root = tree()
    save(root / "parts" / "test" / "good" / "f.tiff", np.zeros((24, 24), np.float32))
    (error,) = said(root, "error")
    assert "f.tiff" in error and "8 or 16 bits" in error


def test_images_stored_with_losses_are_named(tree: Tree) -> None:
    root = tree()
    for index in range(2):
        save(root / "parts" / "test" / "good" / f"1{index}.webp", noise(index))
    (note,) = (text for text in said(root, "note") if "WebP" in text)
    assert note.startswith("2 image(s)") and "10.webp" in note and "tell them apart" in note


def test_images_that_differ_in_their_suffix_alone_keep_a_map_each(tree: Tree) -> None:
    from benchmarks.data.map_files import map_path

    root = tree()
    save(root / "parts" / "test" / "good" / "000.bmp", noise(9))
    category = read_category(root, "parts")
    maps = [str(map_path(image)) for image in category.test]
    assert len(set(maps)) == len(maps) and "test/good/000.bmp.tiff" in maps
    assert "2 image(s) have the name of another" in said(root, "note")[0]
    save(root / "parts" / "test" / "scratch" / "000.bmp", noise(8))
    assert any("would fit several images" in text for text in said(root, "error"))


def test_what_is_not_read_is_counted_with_its_first(tree: Tree) -> None:
    root = tree()
    good = root / "parts" / "train" / "good"
    for name in ("b.heic", "a.heic", "Thumbs.db", "notes.txt", ".hidden.gif"):
        (good / name).write_text("x")
    save(root / "parts" / "test" / "scratch" / "more" / "000.png", noise(1))
    warnings = said(root, "warning")
    assert any(f"2 .heic file(s) left out ({good / 'a.heic'})" in text and "Convert them" in text for text in warnings)
    assert any(text.startswith("1 image(s) in folders below a kind are left out") for text in warnings)
    assert [text for text in said(root, "note") if ".txt" in text]


def test_images_that_are_not_read_beside_those_that_are(tmp_path: Path) -> None:
    """A readme or a licence is at home there, and nothing is said of it."""
    for index in range(10):
        save(tmp_path / "parts" / f"{index}.png", noise(index))
    for name in ("a.heic", "b.heic", "readme.txt", "licence.md", "measured.csv"):
        (tmp_path / "parts" / name).write_text("x")
    found = read_category(tmp_path, "parts").findings
    assert [finding.level for finding in found] == ["warning"]
    assert found[0].text.startswith(f"2 .heic file(s) left out ({tmp_path / 'parts' / 'a.heic'})")


def test_names_in_another_unicode_form_find_their_masks(tree: Tree) -> None:
    root = tree()
    (root / "parts" / "test" / "scratch" / "001.png").rename(
        root / "parts" / "test" / "scratch" / (unicodedata.normalize("NFD", "größe") + ".png")
    )
    (root / SCRATCH / "001_mask.png").rename(root / SCRATCH / (unicodedata.normalize("NFC", "größe") + "_mask.png"))
    assert read_category(root, "parts").has_masks and said(root, "error") == []


def test_a_file_name_that_is_not_utf_8_is_read_and_written_out(tree: Tree) -> None:
    root = tree()
    path = root / "parts" / "test" / "good" / "000.png"
    path.rename(path.with_name(os.fsdecode(b"r\xe9f.png")))
    assert [text for text in said(root, "note") if r"r\xe9f.png" in text] and said(root, "error") == []
    names = [image.name for image in read_category(root, "parts").test]
    assert r"test/good/r\xe9f.png" in names and "".join(names).encode()
    path.parent.rename(path.parent.with_name(os.fsdecode(b"sch\xf6n")))
    with pytest.raises(UserError, match=r"sch\\xf6n is not UTF-8"):
        read_category(root, "parts")


@pytest.mark.parametrize(
    "make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), lambda path: path.symlink_to("no")]
)
def test_pipes_devices_and_dead_links_are_refused_at_once(tree: Tree, make: Callable[[Path], None]) -> None:
    root = tree()
    path = root / "parts" / "train" / "good" / "zzz.png"
    make(path)
    with pytest.raises(UserError, match=r"zzz\.png is (a named pipe or a device|a link to nothing)"):
        read_category(root, "parts")
    with pytest.raises(UserError, match=r"zzz\.png is"):
        size_of(path)


def test_turned_images_and_their_masks(tree: Tree) -> None:
    root = tree()
    image = root / "parts" / "test" / "scratch" / "001.png"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise(5, 24, 30)).save(image, exif=exif)
    mask = root / SCRATCH / "001_mask.png"
    save(mask, np.full((24, 30), 255, np.uint8))
    (error,) = said(root, "error")
    assert "drawn on an image as stored" in error and "001_mask.png" in error
    save(mask, np.full((30, 24), 255, np.uint8))
    assert said(root, "error") == [] and said(root, "warning") == []
    Image.fromarray(noise(5)).save(image, exif=exif)
    save(mask, np.full((24, 24), 255, np.uint8))
    assert "cannot be told from their size" in said(root, "warning")[0]


@pytest.mark.parametrize(("compression", "suffix"), [(None, "tif"), ("tiff_lzw", "tif"), (None, "png"), (None, "webp")])
def test_every_orientation_decodes_alike(tmp_path: Path, compression: str | None, suffix: str) -> None:
    pixels = noise(3, 20, 33, 1)
    for orientation in range(1, 9):
        path, plain = tmp_path / f"{orientation}.{suffix}", tmp_path / f"{orientation}.bmp"
        exif = Image.Exif()
        exif[0x0112] = orientation
        how: dict[str, Any] = {"tiffinfo": {274: orientation}} if suffix == "tif" else {"exif": exif}
        how |= {"compression": compression} if compression else {}
        how |= {"lossless": True} if suffix == "webp" else {}
        Image.fromarray(pixels).save(path, **how)
        turns = {1: 0, 6: 3, 3: 2, 8: 1}
        found = decode(path, "gray")[..., 0]
        assert found.shape == size_of(path) == ((33, 20) if orientation > 4 else (20, 33))
        if orientation in turns:
            save(plain, np.rot90(pixels, turns[orientation]).copy())
            np.testing.assert_array_equal(found, decode(plain, "gray")[..., 0])


def test_camera_values_of_12_bits_need_a_word(tree: Tree) -> None:
    root = tree()
    for path in (root / "parts" / "train" / "good").iterdir():
        Image.fromarray(noise(1, channels=1).astype(np.uint16) * 16).save(path)
    (error,) = said(root, "error")
    assert "10 training image(s) have 16 bits, but their values end at" in error and "input.bits=12" in error
    assert said(root, "error", bits=12) == []
    full = decode(path, "gray", bits=12)
    np.testing.assert_array_equal(full[..., 0], (noise(1, channels=1).astype(int) * 16 * 255 + 2047) // 4095)
    with pytest.raises(UserError, match=r"input\.bits=10 allows 1023"):
        decode(path, "gray", bits=10)


def test_one_image_in_two_parts(tree: Tree) -> None:
    root = tree()
    train = (root / "parts" / "train" / "good" / "003.png").read_bytes()
    (root / "parts" / "test" / "good" / "000.png").write_bytes(train)
    (warning,) = said(root, "warning")
    assert warning.startswith("1 test image(s) are training images, too") and "test/good/000.png" in warning
    (root / "parts" / "test" / "scratch" / "000.png").write_bytes(train)
    (error,) = said(root, "error")
    assert error.startswith("1 image(s) lie among the good and among the defective")


def test_one_file_that_a_table_lists_in_both_parts(tree: Tree) -> None:
    root = tree()
    rows = [f"train/good/00{n}.png,ok,train" for n in range(5)] + [f"train/good/00{n}.png,ok,test" for n in (3, 4)]
    (root / "parts" / "t.csv").write_text("\n".join(["path,label,split", *rows]))
    warnings = [text for text in said(root, "warning") if "are training images, too" in text]
    assert len(warnings) == 1 and warnings[0].startswith("2 test image(s)") and "003.png" in warnings[0]


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_cut_and_unreadable_files_are_errors_before_training(tree: Tree, suffix: str) -> None:
    root = tree()
    whole = save(root / "parts" / "test" / "good" / f"9.{suffix}", noise(1, 200, 200))
    whole.write_bytes(whole.read_bytes()[:-3000])
    (root / "parts" / "train" / "good" / "000.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    unreadable, cut = said(root, "error")
    assert "000.png" in unreadable and "it is none of PNG, JPEG" in unreadable
    assert cut.startswith("1 file(s) end too early")


@pytest.mark.parametrize(
    ("train", "good", "bad", "words"),
    [(2, 3, 3, "2 good training image(s)"), (10, 0, 3, "no good"), (10, 3, 0, "no defective")],
)
def test_too_few_images_are_said(tree: Tree, train: int, good: int, bad: int, words: str) -> None:
    root = tree(train=train, good=good, bad=bad)
    (root / "parts" / "test").mkdir(exist_ok=True)
    assert any(words in text for text in said(root, "error") + said(root, "warning"))


def test_few_held_out_images_are_noted(tree: Tree) -> None:
    assert "comes from 1 held-out image:" in said(tree(), "note", held_out_share=0.1)[0]


def test_all_errors_are_told_at_once(tree: Tree) -> None:
    root = tree()
    as_mask(MARK)(root / SCRATCH / "000_mask.png")
    save(root / SCRATCH / "001_mask.png", np.zeros((9, 9), np.uint8))
    with pytest.raises(UserError, match=r"(?s)\(1\) .*\(2\) "):
        survey(read_category(root, "parts")).refuse()


def test_the_limit_of_megapixels_can_be_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "big.png"
    Image.new("1", (2000, 1500)).save(path)
    assert size_of(path) == (1500, 2000)
    monkeypatch.setenv(MEGAPIXELS, "2")
    with pytest.raises(UserError, match=rf"2000 x 1500 pixels, 3 megapixels; the limit is 2.*{MEGAPIXELS}=4"):
        header(path)


@pytest.mark.parametrize("said", ["many", "0", "-3", "nan", ""])
def test_a_limit_of_megapixels_that_is_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    save(tmp_path / "a.png", noise(3, 8, 8, 1))
    monkeypatch.setenv(MEGAPIXELS, said)
    with pytest.raises(UserError, match=rf"^The variable {MEGAPIXELS} is '{said}': set it to a number"):
        header(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a.webp", "a.jp2", "a.pgm", "a.ppm", "a.jfif", "a.tiff", "a.bmp"])
def test_formats_that_are_read(tmp_path: Path, name: str) -> None:
    pixels = noise(2, 20, 30, 1 if name == "a.pgm" else 3)
    Image.fromarray(pixels).save(tmp_path / name, **({"format": "JPEG"} if name == "a.jfif" else {}))
    found = header(tmp_path / name)
    assert (found.size, found.whole, found.grayscale) == ((20, 30), True, name == "a.pgm")
    assert decode(tmp_path / name).shape == (20, 30, pixels.shape[2] if pixels.ndim == 3 else 1)


def test_headers_are_read_at_thousands_a_second(tree: Tree) -> None:
    """30,000 files in 6 s; measured in processor time, as the machine may be busy."""
    category = read_category(tree(train=400, good=100, bad=100), "parts")
    start = time.process_time()
    survey(category)
    assert time.process_time() - start < 700 * 6 / 30_000 * 3  # threefold leeway for slow machines
