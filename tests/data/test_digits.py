"""Digits: IDX files of every state, and which digits are fitted to and tested."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from benchmarks.common.errors import UserError
from benchmarks.data.digits import PARTS, one_left_out
from tests.conftest import PROJECT

REAL = PROJECT.parent / "shared" / "data" / "mnist"


def write_part(folder: Path, part: str, count: int, packed: bool, seed: int = 0) -> np.ndarray:
    """Noise images, the digits 0 to 9 in turn; returns the images."""
    images = np.random.default_rng(seed).integers(0, 256, (count, 28, 28), dtype=np.uint8)
    labels = (np.arange(count) % 10).astype(np.uint8)
    contents = {
        f"{part}-images-idx3-ubyte": np.array([2051, count, 28, 28], ">i4").tobytes() + images.tobytes(),
        f"{part}-labels-idx1-ubyte": np.array([2049, count], ">i4").tobytes() + labels.tobytes(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)
    return images


def read(folder: Path | None, digit: int = 3, px: int = 28):  # type: ignore[no-untyped-def]
    return one_left_out(digit, px, 0.2, 0, None if folder is None else str(folder))


@pytest.mark.parametrize("packed", [True, False])
def test_both_parts_keep_mnists_own_split(tmp_path: Path, packed: bool) -> None:
    train, test = (write_part(tmp_path / "MNIST" / "raw", part, 50, packed, seed) for seed, part in enumerate(PARTS))
    samples = read(tmp_path)
    assert samples.train.shape == (45, 1, 28, 28) and samples.test.shape == (50, 1, 28, 28)
    np.testing.assert_array_equal(samples.train[:3, 0] * 255, train[:3])
    np.testing.assert_array_equal(samples.test[:, 0] * 255, test)
    assert [i for i, kind in enumerate(samples.test_types) if kind == "digit_3"] == [3, 13, 23, 33, 43]
    assert (
        not [name for name in samples.train_names if name.endswith("3")] and samples.facts["test_digits"] == "its own"
    )


def test_one_part_is_split(tmp_path: Path) -> None:
    write_part(tmp_path, "t10k", 100, True)
    samples = read(tmp_path)
    assert len(samples.train) + len(samples.test) == 100 and samples.anomalous.sum() == 10
    assert not set(samples.train_names) & set(samples.test_names)
    assert all(name.endswith("3") == bad for name, bad in zip(samples.test_names, samples.anomalous, strict=True))
    assert not any(name.endswith("3") for name in samples.train_names)
    assert samples.facts["test_digits"] == "0.2 held out"


def test_the_embedded_digits_are_brought_to_28_px() -> None:
    samples = read(None, digit=0)
    assert samples.train.shape[1:] == (1, 28, 28) and samples.train.dtype == np.float32
    assert len(samples.train) + len(samples.test) == 1797 and samples.anomalous.sum() == 178
    assert 0 <= samples.train.min() < 0.01 and 0.9 < samples.train.max() <= 1


def test_what_is_wrong_with_the_files_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"No MNIST files in .*data.download=true"):
        read(tmp_path)
    write_part(tmp_path, "train", 20, False)
    labels, images = tmp_path / "train-labels-idx1-ubyte", tmp_path / "train-images-idx3-ubyte"
    whole = images.read_bytes()
    images.write_bytes(whole[:-5])
    with pytest.raises(UserError, match=r"images-idx3-ubyte is incomplete: 15675 bytes, its header says 15680"):
        read(tmp_path)
    images.write_bytes(b"\x89PNG")
    with pytest.raises(UserError, match="is no IDX file of images"):
        read(tmp_path)
    images.unlink()
    images.with_suffix(".gz").write_bytes(gzip.compress(whole)[:-100])
    with pytest.raises(UserError, match=r"cannot be unpacked .* fetch it again"):
        read(tmp_path)
    images.with_suffix(".gz").write_bytes(gzip.compress(whole))
    labels.write_bytes(np.array([2049, 3], ">i4").tobytes() + bytes(3))
    with pytest.raises(UserError, match=r"holds 20 images, .* 3 labels"):
        read(tmp_path)
    labels.unlink()
    with pytest.raises(UserError, match="train-labels-idx1-ubyte is missing"):
        read(tmp_path)
    with pytest.raises(UserError, match="no digit from 0 to 9"):
        read(tmp_path, digit=10)


def test_torchvision_is_asked_to_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(root: str, download: bool) -> None:
        assert download
        write_part(Path(root) / "MNIST" / "raw", "train", 20, True)

    monkeypatch.setattr("torchvision.datasets.MNIST", fetch)
    assert len(one_left_out(3, 28, 0.2, 0, str(tmp_path), download=True).test_names) == 6

    def fail(root: str, download: bool) -> None:
        raise RuntimeError("Error downloading train-images-idx3-ubyte.gz")

    monkeypatch.setattr("torchvision.datasets.MNIST", fail)
    with pytest.raises(UserError, match="could not be downloaded"):
        one_left_out(3, 28, 0.2, 0, str(tmp_path), download=True)


def test_real_mnist() -> None:
    if not REAL.is_dir():
        pytest.skip(f"needs MNIST's IDX files (looked in {REAL})")
    samples = read(REAL, digit=1)
    assert len(samples.train) + len(samples.test) == 10_000 and samples.anomalous.sum() == 1135
    assert 0.1 < samples.train.mean() < 0.15
