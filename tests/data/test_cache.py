"""The pixel cache: keyed by content, whole or absent, safe under two processes, and faster than nothing."""

import hashlib
import multiprocessing
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.common.errors import UserError
from benchmarks.data import cache
from benchmarks.data import fingerprint as fingerprints
from benchmarks.data.cache import Decoding, load_images
from benchmarks.data.fingerprint import fingerprint, hash_of
from benchmarks.data.layouts import read_category, read_folder
from benchmarks.data.names import Layout
from tests.conftest import noise, save


def load(root: Path, cache_dir: Path | None, px: int | None = 16) -> np.ndarray:
    train = read_category(root, "parts").train
    return load_images(train, Decoding.for_category(train, px, "rgb", "bilinear"), cache_dir)


def test_cached_pixels_equal_decoded_ones(tree: Callable[..., Path], tmp_path: Path) -> None:
    root = tree()
    fresh = load(root, None)
    assert fresh.shape == (10, 16, 16, 3) and fresh.dtype == np.uint8
    for _ in range(2):
        assert np.array_equal(load(root, tmp_path / "cache"), fresh)
    assert len(list((tmp_path / "cache" / "pixels").iterdir())) == 1


def test_second_load_decodes_nothing(
    tree: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tree()
    load(root, tmp_path / "cache")
    monkeypatch.setattr(cache, "_decoded", lambda *_: pytest.fail("decoded again"))
    assert isinstance(load(root, tmp_path / "cache"), np.memmap)


def test_without_a_cache_images_are_held_once(tree: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    images, size = read_category(tree(train=32), "parts").train, 2**18
    decoding = Decoding.for_category(images, 512, "gray", "bilinear")
    monkeypatch.setattr(cache, "_decoded", lambda *_: (np.full((512, 512, 1), k, np.uint8) for k in range(32)))
    tracemalloc.start()
    try:
        pixels = load_images(images, decoding, None)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (pixels[:, 0, 0, 0] == np.arange(32)).all() and peak < 1.2 * 32 * size


def test_content_decides_not_place_or_date(tree: Callable[..., Path], tmp_path: Path) -> None:
    root = tree()
    before = load(root, tmp_path / "cache").copy()
    first = root / "parts" / "train" / "good" / "000.png"
    os.utime(first, (1, 1))
    load(root, tmp_path / "cache")
    assert len(list((tmp_path / "cache" / "pixels").iterdir())) == 1
    save(first, noise(999))
    after = load(root, tmp_path / "cache")
    assert not np.array_equal(after[0], before[0]) and np.array_equal(after[1:], before[1:])


def test_the_memo_of_hashes_hides_no_replaced_file(
    tree: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprints, "SETTLED_NS", -(10**18))  # remembers at once
    images, memo = read_category(tree(), "parts").train, tmp_path / "memo.json"
    first = fingerprint(images, memo)
    monkeypatch.setattr(fingerprints, "hash_of", lambda path: "read anew")
    assert fingerprint(images, memo) == first != fingerprint(images, memo, anew=True)
    monkeypatch.undo()
    path, before = images[0].path, images[0].path.stat()
    other = path.with_suffix(".new")
    other.write_bytes(bytes([*path.read_bytes()[:-1], 0]))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)  # of the same length and date
    assert fingerprint(images, memo) != first


def test_a_corrected_label_is_seen_and_mvtec_ads_hashes_stay(tree: Callable[..., Path]) -> None:
    parts = tree(bad=0) / "parts"
    (parts / "test" / "good").rename(parts / "test" / "normal")
    good, bad = (read_folder(parts, Layout(good=names))[0].test for names in ((), ["good"]))
    assert [image.name for image in good] == [image.name for image in bad]
    assert fingerprint(good, None) != fingerprint(bad, None)
    rows = [f"test/normal/00{n}.png,ok,{'train' if n else 'test'}" for n in range(3)]
    found = []
    for label in ("ok", "hole", "normal"):
        (parts / "table.csv").write_text("\n".join(["path,label,split", *rows]).replace("ok", label, 1))
        found.append(fingerprint(read_folder(parts)[0].test, None))
    assert found[0] == found[2] and found[1] != found[0]

    category = read_category(tree("nuts"), "nuts")
    for images in (category.train, category.test):
        total = hashlib.blake2b(digest_size=16)
        for image in images:
            total.update(image.name.encode() + b"".join(hash_of(p).encode() for p in (image.path, image.mask) if p))
        assert fingerprint(images, None) == total.hexdigest()


def test_a_failed_decoding_leaves_nothing(tree: Callable[..., Path], tmp_path: Path) -> None:
    root = tree()
    (root / "parts" / "train" / "good" / "005.png").write_bytes(b"broken")
    with pytest.raises(UserError, match=r"005\.png"):
        load(root, tmp_path / "cache")
    assert list((tmp_path / "cache" / "pixels").iterdir()) == []


def test_two_processes_at_once_get_the_same(tree: Callable[..., Path], tmp_path: Path) -> None:
    root = tree(train=40)
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        first, second = pool.starmap(load, [(root, tmp_path / "cache")] * 2)
    assert np.array_equal(first, second)
    assert len(list((tmp_path / "cache" / "pixels").iterdir())) == 1


def test_original_size_needs_one_size(tree: Callable[..., Path]) -> None:
    root = tree()
    save(root / "parts" / "train" / "good" / "007.png", noise(7, 24, 20))
    assert load(root, None, px=16).shape == (10, 16, 16, 3)
    with pytest.raises(UserError, match=r"007\.png has 20 x 24 pixels, the first training image 24 x 24"):
        load(root, None, px=None)


@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_a_damaged_cache_is_decoded_anew_and_said(
    tree: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    root = tree()
    pixels = np.array(load(root, tmp_path / "cache"))
    (file,) = (tmp_path / "cache" / "pixels").glob("*.npy")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 64
    file.write_bytes(bytes({"flip": content, "cut": content[:1000], "empty": b""}[damage]))
    np.testing.assert_array_equal(load(root, tmp_path / "cache"), pixels)
    assert "decoded again" in caplog.text and str(file) in caplog.text
