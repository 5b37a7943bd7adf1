"""Headers read quickly are those that Pillow reads: against `images.header`, over formats, modes, options and damage."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from benchmarks.common.errors import UserError
from benchmarks.data import headers
from benchmarks.data.headers import quick_header
from benchmarks.data.images import MEGAPIXELS, Header, header
from tests.conftest import noise

GRAY, COLOUR = Image.fromarray(noise(0, 20, 30, 1)), Image.fromarray(noise(0, 20, 30))
DEEP = Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30) * 100)
TEXT, EXIF = PngImagePlugin.PngInfo(), Image.Exif()
TEXT.add_text("exif", "no EXIF")
EXIF[0x0112] = 6
PLAIN = {
    "gray.png": (GRAY, {}),
    "colour.png": (COLOUR, {"dpi": (300, 300)}),
    "palette.png": (COLOUR.convert("P"), {}),
    "alpha.png": (COLOUR.convert("RGBA"), {"compress_level": 9}),
    "gray.jpg": (GRAY, {"quality": 30}),
    "colour.jpg": (COLOUR, {"comment": "a comment", "dpi": (72, 72)}),
    "progressive.jpg": (COLOUR, {"progressive": True, "restart_marker_rows": 1}),
    "gray.tif": (GRAY, {}),
    "deep.tif": (DEEP, {"description": "of a camera"}),
    "colour.tif": (COLOUR, {"compression": "tiff_lzw", "dpi": (300, 300)}),
    "packed.tif": (COLOUR, {"compression": "packbits"}),
    "deflated.tif": (GRAY, {"compression": "tiff_adobe_deflate", "big_tiff": False}),
}
OTHERS = {
    "bits.png": (GRAY.convert("1"), {}),
    "deep.png": (DEEP, {}),
    "two.png": (GRAY.convert("LA"), {}),
    "text.png": (GRAY, {"pnginfo": TEXT}),
    "turned.png": (GRAY, {"exif": EXIF}),
    "animated.png": (GRAY, {"save_all": True, "append_images": [GRAY.rotate(90)]}),
    "turned.jpg": (COLOUR, {"exif": EXIF}),
    "profile.jpg": (COLOUR, {"icc_profile": b"x" * 70_000}),
    "inks.jpg": (COLOUR.convert("CMYK"), {}),
    "turned.tif": (COLOUR, {"tiffinfo": {0x0112: 6}}),
    "bits.tif": (GRAY.convert("1"), {"compression": "group4"}),
    "big.tif": (GRAY, {"big_tiff": True}),
    "alpha.tif": (COLOUR.convert("RGBA"), {}),
    "float.tif": (GRAY.convert("F"), {}),
    "photo.tif": (COLOUR, {"compression": "jpeg"}),
    "a.bmp": (COLOUR, {}),
    "a.webp": (COLOUR, {}),
    "a.pgm": (GRAY, {}),
}


def saved(folder: Path, name: str) -> Path:
    image, options = (PLAIN | OTHERS)[name]
    image.save(folder / name, **options)
    return folder / name


def told(read: Callable[[Path], Header], path: Path) -> dict[str, Any] | str:
    """What a reader says, but for the checksum of the end, of which each has its own, and what one of them alone tells."""
    try:
        found = vars(read(path))
    except UserError as error:
        return str(error)
    return {name: found[name] for name in found if name != "several"} | {"end": found["end"][0]}


@pytest.mark.parametrize("name", [*PLAIN, *OTHERS])
def test_what_is_read_quickly_is_what_pillow_reads(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path, name)
    asked: list[Path] = []
    monkeypatch.setattr(headers, "header", lambda path: (asked.append(path), header(path))[1])
    assert told(quick_header, path) == told(header, path)
    assert bool(asked) == (name in OTHERS)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_damage_is_told_as_pillow_tells_it(tmp_path: Path) -> None:
    """Each byte of a header in turn, and files cut anywhere: whatever is read quickly, Pillow reads as well."""
    for name in ("gray.png", "colour.jpg", "colour.tif"):
        path, rng = saved(tmp_path, name), np.random.default_rng(0)
        content, damaged = path.read_bytes(), tmp_path / f"damaged-{name}"
        for place in rng.choice(min(len(content), 700), 60, replace=False):
            damaged.write_bytes(
                content[:place] + bytes([content[place] ^ int(rng.integers(1, 256))]) + content[place + 1 :]
            )
            _alike(damaged)
        for length in rng.choice(len(content), 20, replace=False):
            damaged.write_bytes(content[:length])
            _alike(damaged)


def _alike(path: Path) -> None:
    quick, slow = told(quick_header, path), told(header, path)
    if isinstance(quick, dict) and isinstance(slow, dict):
        quick["whole"] = slow["whole"]  # of TIFF it knows better
    assert quick == slow


@pytest.mark.parametrize("name", ["gray.tif", "turned.tif", "gray.png", "gray.jpg"])
def test_a_cut_file_is_not_whole(tmp_path: Path, name: str) -> None:
    path = saved(tmp_path, name)
    assert quick_header(path).whole
    path.write_bytes(path.read_bytes()[:-50])
    assert not quick_header(path).whole


def test_the_ends_of_small_files_differ(tmp_path: Path) -> None:
    """A CRC-32 over data that end with their own CRC-32, as PNG chunks do, is the same for all of one length."""
    ends = set()
    for seed in range(20):
        path = tmp_path / f"{seed}.png"
        Image.fromarray(noise(seed, 8, 8, 1)).save(path, compress_level=0)
        ends.add(quick_header(path).end)
    assert len({length for length, _ in ends}) == 1 and len(ends) == 20


def test_a_limit_of_ones_own_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path, "gray.png")
    monkeypatch.setenv(MEGAPIXELS, "0.0001")
    with pytest.raises(UserError, match="the limit is"):
        quick_header(path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(UserError, match="named pipe"):
        quick_header(tmp_path / "pipe.png")
