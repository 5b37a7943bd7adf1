"""Archives of maps, made by NumPy and torch themselves, against the maps as files."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.common.errors import UserError
from benchmarks.data.layouts import read_category
from benchmarks.data.map_archives import unpack
from benchmarks.data.map_files import map_path, read_map


def archive(root: Path, path: Path) -> np.ndarray:
    category = read_category(root, "parts")
    images = [*category.train[:2], *category.test]
    maps_NHW = np.random.default_rng(0).random((len(images), 12, 12), np.float32)
    paths = [f"/elsewhere/MVTec/parts/{image.name}" for image in images]
    if path.suffix.lower() == ".pt":
        torch.save({"asmaps": torch.from_numpy(maps_NHW), "paths": paths}, path)
    else:
        with path.open("wb") as file:  # NumPy would add its suffix to another
            np.savez(file, maps=maps_NHW[:, None], paths=np.array(paths))
    return maps_NHW


@pytest.mark.parametrize("name", ["theirs.pt", "theirs.npz"])
def test_an_image_with_two_maps_is_named(tree: Callable[..., Path], tmp_path: Path, name: str) -> None:
    paths = ["a/parts/test/good/000.png", "a/parts/test/good/001.png", "b\\parts\\test\\good\\000.png"]
    maps_NHW = np.zeros((3, 4, 4), np.float32)
    torch.save({"maps": torch.from_numpy(maps_NHW), "paths": paths}, tmp_path / "theirs.pt")
    np.savez(tmp_path / "theirs.npz", maps=maps_NHW, paths=np.array(paths))
    with pytest.raises(UserError, match=r"two maps of .*good/000\.png.*a/parts.* and b"):
        unpack(tmp_path / name, tree(), tmp_path / "maps")


@pytest.mark.parametrize("name", ["theirs.pt", "theirs.npz", "THEIRS.PT", "theirs.Npz"])
def test_every_map_lands_beside_its_image(tree: Callable[..., Path], tmp_path: Path, name: str) -> None:
    root = tree()
    maps_NHW = archive(root, tmp_path / name)
    unpack(tmp_path / name, root, tmp_path / "maps")
    category = read_category(root, "parts")
    for image, map_HW in zip([*category.train[:2], *category.test], maps_NHW, strict=True):
        stored = read_map(tmp_path / "maps" / "parts" / map_path(image), (24, 24))
        assert np.array_equal(stored.own_HW, map_HW) and stored.at_image_size_HW.shape == (24, 24)


def test_what_is_no_archive_is_named(tree: Callable[..., Path], tmp_path: Path) -> None:
    root = tree()
    np.savez(tmp_path / "a.npz", scores=np.zeros(3))
    (tmp_path / "b.pt").write_bytes(b"no")
    np.savez(tmp_path / "c.npz", maps=np.zeros((1, 4, 4)), paths=np.array(["x/parts/test/good/999.png"]))
    np.savez(tmp_path / "d.npz", maps=np.full((1, 4, 4), np.nan), paths=np.array(["x/parts/test/good/000.png"]))
    torch.save([1, 2], tmp_path / "e.pt")
    (tmp_path / "f.npz").write_bytes(b"")
    (tmp_path / "g.pt").write_bytes(b"")
    for name, message in (
        ("a.npz", "is no archive of maps"),
        ("b.pt", "is no archive of maps"),
        ("c.npz", "is of no image"),
        ("d.npz", "16 values of its maps are NaN"),
        ("e.pt", "is no archive of maps"),
        ("f.npz", r"f\.npz is no archive of maps"),
        ("g.pt", r"g\.pt is no archive of maps"),
    ):
        with pytest.raises(UserError, match=message):
            unpack(tmp_path / name, root, tmp_path / "maps")


def test_a_batch_as_anomalib_predicts_it(tree: Callable[..., Path], tmp_path: Path) -> None:
    """anomalib's own class for predictions, saved as it is: its fields that nobody filled are None."""
    batch_class = pytest.importorskip("anomalib.data").ImageBatch
    root = tree()
    images = sorted((root / "parts" / "test").rglob("*.png"))
    maps_BHW = torch.rand(len(images), 24, 24)
    batch = batch_class(
        image=torch.rand(len(images), 3, 24, 24), anomaly_map=maps_BHW, image_path=[str(p) for p in images]
    )
    torch.save({field.name: getattr(batch, field.name) for field in fields(batch)}, tmp_path / "predictions.pt")
    unpack(tmp_path / "predictions.pt", root, tmp_path / "maps")
    test = read_category(root, "parts").test
    by_path = dict(zip(images, maps_BHW.numpy(), strict=True))
    for image in test:
        stored = read_map(tmp_path / "maps" / "parts" / map_path(image), (24, 24))
        np.testing.assert_array_equal(stored.own_HW, by_path[image.path])
