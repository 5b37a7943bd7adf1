"""The drawn dataset: its files, its reproducibility, its masks, and that its defects can be found but give nothing away."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from sklearn.metrics import roc_auc_score

from benchmarks.common.errors import UserError
from benchmarks.data.layouts import read_category
from benchmarks.data.synthetic import CATEGORIES, SyntheticSpec, write_category, write_dataset
from benchmarks.data.synthetic.recipes import RECIPES
from benchmarks.data.synthetic.render import SHARE, VISIBLE, render

TINY = SyntheticSpec(px=48, train_good=2, test_good=1, per_defect=1)
ALL_DEFECTS = [(category, defect) for category in CATEGORIES for defect in RECIPES[category].defects]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("synthetic")
    write_dataset(TINY, root, progress=False)
    return root


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.png"))}


def gray(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("L"), float)


@pytest.mark.parametrize("name", CATEGORIES)
def test_layout(tiny: Path, name: str) -> None:
    category = read_category(tiny, name)
    assert (len(category.train), category.has_masks) == (2, True)
    defects = {image.defect_type for image in category.test} - {"good"}
    assert len(category.test) == 1 + len(defects)
    assert len(defects) >= 2
    mode = "L" if name in {"grid", "screw", "zipper"} else "RGB"
    for image in (*category.train, *category.test):
        with Image.open(image.path) as file:
            assert (file.mode, file.size) == (mode, (48, 48))
        if image.mask:
            with Image.open(image.mask) as file:
                assert (file.mode, file.size, set(np.unique(file))) == ("L", (48, 48), {0, 255})


def test_nothing_else_is_left_behind(tiny: Path) -> None:
    assert sorted(path.name for path in tiny.iterdir()) == sorted(CATEGORIES)


@pytest.mark.parametrize("name", ["wood", "screw"])
def test_same_bytes_again_alone_and_in_a_larger_set(tiny: Path, tmp_path: Path, name: str) -> None:
    alone = files(write_category(TINY, name, tmp_path / "alone"))
    assert alone == files(tiny / name)
    more = files(write_category(SyntheticSpec(px=48, train_good=3, test_good=2, per_defect=2), name, tmp_path / "more"))
    assert len(more) > len(alone)
    assert {path: more[path] for path in alone} == alone


def test_every_image_is_another_one(tiny: Path, tmp_path: Path) -> None:
    contents = [content for path, content in files(tiny).items() if "ground_truth" not in path]
    assert len(set(contents)) == len(contents)
    other_seed = write_category(SyntheticSpec(px=48, train_good=2, test_good=1, per_defect=1, seed=1), "tile", tmp_path)
    assert not set(files(other_seed).values()) & set(files(tiny / "tile").values())


@pytest.mark.parametrize(("category", "defect"), ALL_DEFECTS)
@pytest.mark.parametrize("px", [32, 64])
def test_mask_is_where_the_defect_is(category: str, defect: str, px: int) -> None:
    for entropy in range(2):
        bad, mask = render(category, px, np.random.SeedSequence(entropy), defect)
        good, no_mask = render(category, px, np.random.SeedSequence(entropy))
        assert SHARE[0] <= (mask > 0).mean() <= SHARE[1]
        assert not no_mask.any()
        np.testing.assert_array_equal(bad[mask == 0], good[mask == 0])
        change = np.abs(bad.astype(float) - good).reshape(px, px, -1).max(axis=-1)[mask > 0]
        assert (
            np.mean(change >= 255 * VISIBLE - 3) > 0.95
        )  # a step or two is lost to 8 bits, the rest to white that saturates


def test_drawing_is_the_same_at_every_size() -> None:
    large, _ = render("bottle", 128, np.random.SeedSequence(3))
    small, _ = render("bottle", 64, np.random.SeedSequence(3))
    halved = large.reshape(64, 2, 64, 2, 3).mean(axis=(1, 3))
    assert np.corrcoef(halved.ravel(), small.ravel())[0, 1] > 0.99


def test_writing_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("benchmarks.data.synthetic.write._save", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write_category(TINY, "pill", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_category_that_is_there_is_kept(tmp_path: Path) -> None:
    marker = tmp_path / "pill" / "marker"
    marker.parent.mkdir()
    marker.touch()
    assert write_category(TINY, "pill", tmp_path) == tmp_path / "pill"
    assert list((tmp_path / "pill").iterdir()) == [marker]


def test_another_process_that_was_faster_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def meanwhile(*_: object) -> None:
        (tmp_path / "pill" / "train").mkdir(parents=True, exist_ok=True)

    monkeypatch.setattr("benchmarks.data.synthetic.write._write", meanwhile)
    assert write_category(TINY, "pill", tmp_path) == tmp_path / "pill"
    assert [path.name for path in tmp_path.iterdir()] == ["pill"]


@pytest.mark.parametrize(
    ("field", "value"), [("px", 31), ("train_good", 0), ("test_good", 0), ("per_defect", 0), ("seed", -1)]
)
def test_bad_values_are_named(field: str, value: int) -> None:
    with pytest.raises(UserError, match=f"{field} .*{value}"):
        SyntheticSpec(**{field: value})


def test_unknown_category(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Did you mean screw"):
        write_category(TINY, "screws", tmp_path)


def test_key_tells_specs_apart() -> None:
    assert SyntheticSpec().key() == "v1-128px-40-12-6-seed0"
    assert len({SyntheticSpec().key(), SyntheticSpec(px=64).key(), SyntheticSpec(seed=1).key()}) == 3


@pytest.mark.parametrize("name", ["capsule", "zipper"])
def test_defects_can_be_found_but_not_by_brightness(tmp_path: Path, name: str) -> None:
    write_category(SyntheticSpec(px=96, train_good=20, test_good=15, per_defect=5), name, tmp_path)
    category = read_category(tmp_path, name)
    train = np.stack([gray(image.path) for image in category.train])
    mean, deviation = train.mean(axis=0), np.maximum(train.std(axis=0), 5)
    images = [gray(image.path) for image in category.test]
    scores = [ndimage.grey_opening(np.abs(image - mean) / deviation, (3, 3)).max() for image in images]
    is_defective = [image.is_defective for image in category.test]
    assert roc_auc_score(is_defective, scores) > 0.7
    assert 0.25 < roc_auc_score(is_defective, [image.mean() for image in images]) < 0.75
