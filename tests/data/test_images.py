"""Every kind of file that users have, decoded to the same 8-bit pixels."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.common.errors import UserError
from benchmarks.data.images import decode, size_of
from tests.conftest import noise

GRAY, RGB = noise(0, 12, 16, 1), noise(1, 12, 16, 3)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "tiff"])
@pytest.mark.parametrize("pixels", [GRAY, RGB], ids=["gray", "rgb"])
def test_lossless_formats_come_back_as_they_are(tmp_path: Path, suffix: str, pixels: np.ndarray) -> None:
    path = tmp_path / f"image.{suffix}"
    Image.fromarray(pixels).save(path)
    assert np.array_equal(decode(path).squeeze(), pixels)
    assert size_of(path) == (12, 16)


def test_jpeg(tmp_path: Path) -> None:
    smooth = np.tile(np.linspace(0, 255, 16, dtype=np.uint8), (12, 1))
    Image.fromarray(smooth).save(tmp_path / "image.jpg", quality=95)
    assert np.abs(decode(tmp_path / "image.jpg")[..., 0].astype(int) - smooth).max() < 12


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_16_bit_gray_is_scaled_by_its_full_range(tmp_path: Path, suffix: str) -> None:
    deep = np.array([[0, 257, 65535, 32768]], dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / f"deep.{suffix}")
    assert decode(tmp_path / f"deep.{suffix}").ravel().tolist() == [0, 1, 255, 128]


def test_palette_rgba_and_bilevel(tmp_path: Path) -> None:
    rgba = np.dstack([RGB, np.full((12, 16), 40, np.uint8)])
    Image.fromarray(rgba).save(tmp_path / "rgba.png")
    assert np.array_equal(decode(tmp_path / "rgba.png"), RGB)  # alpha is dropped, not blended
    few_colours = RGB // 128 * 128
    Image.fromarray(few_colours).convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "palette.png")
    assert np.array_equal(decode(tmp_path / "palette.png"), few_colours)
    Image.fromarray(GRAY > 127).save(tmp_path / "bilevel.png")
    assert np.array_equal(decode(tmp_path / "bilevel.png")[..., 0], np.where(GRAY > 127, 255, 0))


def test_colour_is_converted_on_request(tmp_path: Path) -> None:
    Image.fromarray(GRAY).save(tmp_path / "gray.png")
    Image.fromarray(RGB).save(tmp_path / "rgb.png")
    assert np.array_equal(decode(tmp_path / "gray.png", "rgb"), np.repeat(GRAY[..., None], 3, axis=2))
    luma = RGB @ [0.299, 0.587, 0.114]  # ITU-R 601
    assert np.abs(decode(tmp_path / "rgb.png", "gray")[..., 0] - luma).max() <= 1


def test_resizing_changes_neither_mean_nor_channels(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "rgb.png")
    resized = decode(tmp_path / "rgb.png", px=8)
    assert resized.shape == (8, 8, 3)
    assert resized.mean() == pytest.approx(RGB.mean(), abs=4)


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_exif_orientation_is_applied(tmp_path: Path, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    path = tmp_path / f"turned.{suffix}"
    Image.fromarray(GRAY).save(path, exif=exif)
    assert decode(path).shape[:2] == size_of(path) == (16, 12)


@pytest.mark.parametrize("damage", ["truncated", "not an image", "empty", "float"])
def test_unreadable_files_are_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "broken.tiff"
    Image.fromarray(noise(0, 64, 64)).save(path)
    if damage == "float":
        Image.fromarray(np.zeros((4, 4), np.float32)).save(path)
    else:
        path.write_bytes({"truncated": path.read_bytes()[:600], "not an image": b"hello", "empty": b""}[damage])
    with pytest.raises(UserError, match=r"Cannot read .*broken\.tiff as an image"):
        decode(path)
