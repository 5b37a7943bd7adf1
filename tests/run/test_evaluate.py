"""`defectbench evaluate`: maps go out and come back with the same numbers; what cannot be used is named."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from click.testing import CliRunner, Result
from PIL import Image

from benchmarks.cli import main
from benchmarks.common.errors import UserError
from benchmarks.data.map_files import StoredMap, read_map, write_map
from tests.conftest import save

FAST = ["method=variation_model", "category=parts", "data=folder", "budget=smoke", "trainer=cpu", "progress=false"]
UNKNOWN_COSTS = {"fit_seconds", "ms_per_image", "peak_memory_mib", "peak_gpu_memory_mib"}


def defectbench(*args: object) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset `data/parts` of a disc with dark spots, and two runs with saved maps: at the images' size, and at 64 of 96 px."""
    folder = tmp_path_factory.mktemp("exported")
    y, x = np.mgrid[:96, :96]
    for place, count, spot in (("train/good", 12, False), ("test/good", 4, False), ("test/spot", 4, True)):
        for index in range(count):
            rng = np.random.default_rng([len(place), index])
            gray = np.where((y - 48) ** 2 + 1.3 * (x - 45) ** 2 < 30**2, 180.0, 60.0) + rng.normal(0, 12, (96, 96))
            if spot:
                top = 30 + 4 * index
                gray[top : top + 9, 40:52] -= 40
                mask = np.zeros((96, 96), np.uint8)
                mask[top : top + 9, 40:52] = 255
                save(folder / "data" / "parts" / "ground_truth" / "spot" / f"{index:03}_mask.png", mask)
            save(folder / "data" / "parts" / place / f"{index:03}.png", gray.clip(0, 255).astype(np.uint8))
    for size in ("null", "64"):
        places = [f"data.root={folder / 'data'}", f"results.dir={folder / size}", "data.cache_dir=null"]
        result = defectbench("run", *FAST, *places, f"method.inputs.object.px={size}", "save_maps=true")
        assert result.exit_code == 0, result.output
    return folder


def run_of(results: Path, method: str = "variation_model") -> Path:
    return results / "runs" / method / "parts" / "seed=0"


def result_in(run: Path) -> dict[str, Any]:
    return dict(json.loads((run / "run.json").read_text())["result"])


@pytest.fixture
def maps(exported: Path, tmp_path: Path) -> Path:
    """A copy of the exported maps, to be damaged: `<maps>/parts/...`."""
    return Path(shutil.copytree(run_of(exported / "null") / "maps" / "variation_model", tmp_path / "theirs"))


def evaluate(maps: Path, data: Path, *args: object) -> Result:
    return defectbench("evaluate", maps, "--root", data, "--results", maps.parent / "results", *args)


@pytest.mark.parametrize("size", ["null", "64"])
def test_exported_maps_come_back_with_the_same_numbers(exported: Path, tmp_path: Path, size: str) -> None:
    ours = run_of(exported / size)
    result = defectbench("evaluate", ours / "maps", "--root", exported / "data", "--results", tmp_path)
    assert result.exit_code == 0, result.output
    theirs = run_of(tmp_path)
    before, after = result_in(ours), result_in(theirs)
    for key in before.keys() - UNKNOWN_COSTS - {"facts"}:
        assert after[key] == before[key], key
    assert before["pixel"]["regions"] == 4 and 0 < before["pixel"]["aupro"] < 1 and 0 < before["pixel"]["iou"] < 1
    assert {after[key] for key in UNKNOWN_COSTS} == {None}
    for file in ("scores.csv", "pro_curve.csv"):
        assert (theirs / file).read_bytes() == (ours / file).read_bytes()


def test_maps_of_real_bottles_come_back_with_the_same_numbers(mvtec_ad: Path, tmp_path: Path) -> None:
    """Ten of its images: a first page of 900 px, the method's own map at 300 px as the second."""
    folder = tmp_path / "data" / "bottle"
    for part, count in (("train/good", 12), ("test/good", 4), ("test/broken_small", 3), ("test/contamination", 3)):
        for source in sorted((mvtec_ad / "bottle" / part).iterdir())[:count]:
            links = [source]
            if "good" not in part:
                links.append(mvtec_ad / "bottle" / part.replace("test", "ground_truth") / f"{source.stem}_mask.png")
            for path in links:
                link = tmp_path / "data" / path.relative_to(mvtec_ad)
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(path.resolve())
    assert folder.is_dir()
    overrides = [
        f"data.root={folder.parent}",
        f"results.dir={tmp_path / 'ours'}",
        "data.cache_dir=null",
        "category=bottle",
    ]
    chosen = ["method=variation_model", "method.inputs.object.px=300", "data=folder", "trainer=cpu", "progress=false"]
    result = defectbench("run", *chosen, *overrides, "save_maps=true")
    assert result.exit_code == 0, result.output
    ours = tmp_path / "ours" / "runs" / "variation_model" / "bottle" / "seed=0"
    result = defectbench("evaluate", ours / "maps", "--root", folder.parent, "--results", tmp_path / "theirs")
    assert result.exit_code == 0, result.output
    before, after = result_in(ours), result_in(tmp_path / "theirs" / "runs" / "variation_model" / "bottle" / "seed=0")
    assert before["pixel"]["auroc"] > 0.5 and before["map_size"] == [300, 300]
    for key in before.keys() - UNKNOWN_COSTS - {"facts"}:
        assert after[key] == before[key], key


def test_other_programs_read_the_map_at_the_images_size_alone(exported: Path) -> None:
    folder = run_of(exported / "64") / "maps" / "variation_model" / "parts"
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.tiff"))
    spots = [f"test/{kind}/{index:03}.tiff" for kind in ("good", "spot") for index in range(4)]
    validation = pd.read_csv(run_of(exported / "64") / "scores.csv").query("split == 'validation'")["path"]
    assert names == sorted([*spots, *(f"validation/{Path(path).stem}.tiff" for path in validation)])
    path = folder / "test" / "spot" / "000.tiff"
    for read in (tifffile.imread(path), np.asarray(Image.open(path))):
        assert read.dtype == np.float32 and read.shape == (96, 96)
    assert read_map(path, (96, 96)).own_HW.shape == (64, 64)


def test_the_tables_show_the_method_beside_others(exported: Path, maps: Path) -> None:
    result = evaluate(maps, exported / "data", "--method", "theirs", "--dataset", "parts_of_theirs")
    assert result.exit_code == 0 and "theirs / parts / seed=0" in result.output and "budget external" in result.output
    report = defectbench("report", "--results", maps.parent / "results")
    assert report.exit_code == 0 and "theirs" in report.output
    row = pd.read_csv(maps.parent / "results" / "report" / "leaderboard.csv").iloc[0]
    assert (row["method"], row["budget"], row["dataset"]) == ("theirs", "external", "parts_of_theirs")
    assert row["pixel_auroc"] > 0.5 and pd.isna(row["fit_seconds"]) and "maps_from=" in row["facts"]
    assert "finished" in defectbench("list", "runs", "--results", maps.parent / "results").output


def test_a_given_threshold_needs_no_validation_maps(exported: Path, maps: Path) -> None:
    shutil.rmtree(maps / "parts" / "validation")
    limit = result_in(run_of(exported / "null"))["threshold"]
    result = evaluate(maps, exported / "data", "--method", "theirs", "--threshold", limit)
    assert result.exit_code == 0, result.output
    before, after = result_in(run_of(exported / "null")), result_in(run_of(maps.parent / "results", "theirs"))
    assert after["validation_images"] == 0 and after["facts"]["threshold_from"] == "given"
    assert after["facts"]["threshold_rule"] == f"given:{limit:g}"
    for key in ("threshold", "good", "defective", "false_alarms_per_good_image", "pixel"):
        assert after[key] == before[key]


def test_the_protocol_can_be_overridden_and_seeds_stand_in_one_row(exported: Path, maps: Path) -> None:
    for seed in (0, 1):
        args = ["--seed", seed, "protocol.minimum_area=0.005", "category.kind=texture"]
        assert evaluate(maps, exported / "data", *args).exit_code == 0
    assert result_in(run_of(maps.parent / "results", "theirs"))["minimum_area_px"] == round(0.005 * 96 * 96)
    assert defectbench("report", "--results", maps.parent / "results").exit_code == 0
    row = pd.read_csv(maps.parent / "results" / "report" / "leaderboard.csv").iloc[0]
    assert (row["seeds"], row["kind"]) == ("0 1", "texture")


def test_runs_of_the_benchmark_are_not_replaced(exported: Path, maps: Path) -> None:
    before = (run_of(exported / "null") / "run.json").read_bytes()
    result = evaluate(maps, exported / "data", "--method", "variation_model", "--results", exported / "null")
    assert result.exit_code == 1 and "--method NAME" in result.output
    assert (run_of(exported / "null") / "run.json").read_bytes() == before


def rewrite(path: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    changed = change(tifffile.imread(path))
    tifffile.imwrite(path, changed, photometric="rgb" if changed.ndim == 3 else "minisblack")


def with_nan(map_HW: np.ndarray) -> np.ndarray:
    map_HW[3, 4] = np.nan
    return map_HW


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: rewrite(path, lambda map_HW: map_HW[:50]), "has 96 x 50 pixels, its image 96 x 96"),
        (lambda path: rewrite(path, lambda map_HW: np.stack([map_HW] * 3, -1)), "has 3 x 96 x 96 pixels"),
        (lambda path: rewrite(path, lambda map_HW: map_HW.astype(np.uint8)), "holds uint8 values"),
        (lambda path: rewrite(path, with_nan), "has 1 values that are NaN"),
        (lambda path: rewrite(path, lambda map_HW: map_HW.astype(np.float64) + 1e300), "beyond 32 bits"),
        (lambda path: path.write_bytes(b"not a TIFF"), "Cannot read"),
        (lambda path: path.write_bytes(b""), "Cannot read"),
        (lambda path: path.write_bytes(path.read_bytes()[:5000]), "more than the file holds"),
        (lambda path: path.unlink(), "is missing, the map of"),
        (lambda path: path.rename(path.with_name("999.tiff")), "is missing, the map of"),
        (lambda path: shutil.copy(path, path.with_name("999.tiff")), "999.tiff matches no test image"),
    ],
    ids=["size", "colour", "integer", "NaN", "64 bits", "text", "empty", "cut off", "missing", "renamed", "one more"],
)
def test_a_map_that_cannot_be_used_is_named(
    exported: Path, maps: Path, damage: Callable[[Path], None], message: str
) -> None:
    damage(maps / "parts" / "test" / "spot" / "001.tiff")
    result = evaluate(maps, exported / "data")
    assert result.exit_code == 1 and message in result.output and str(maps / "parts" / "test") in result.output
    assert "Traceback" not in result.output and len(result.output.splitlines()) <= 3
    assert not run_of(maps.parent / "results", "theirs").exists()


@pytest.mark.parametrize(
    ("damage", "args", "message"),
    [
        (lambda maps: (maps / "parts").rename(maps / "prats"), [], "Did you mean parts?"),
        (lambda maps: shutil.rmtree(maps / "parts" / "validation"), [], "or give --threshold"),
        (lambda maps: shutil.rmtree(maps / "parts"), [], "holds no maps"),
        (lambda maps: shutil.rmtree(maps), [], "No folder"),
        (
            lambda maps: shutil.copy(maps / "parts/test/good/000.tiff", maps / "parts/validation/777.tiff"),
            [],
            "777.tiff matches no good training image",
        ),
        (lambda maps: None, ["--threshold", "nan"], "--threshold nan"),
        (lambda maps: None, ["protocol.minimal_area=1"], "minimal_area"),
        (lambda maps: None, ["seed=3"], "use --seed"),
        (lambda maps: None, ["protocol.held_out=cross"], "says how `run` makes maps"),
        (lambda maps: None, ["category.augmentation=null"], "says how `run` makes maps"),
        (lambda maps: None, ["category.kind=foo"], "category.kind=foo: it is one of texture, object, digit, table"),
        (
            lambda maps: None,
            ["--threshold", "3", "protocol.threshold=conformal:0.2"],
            "--threshold 3.0 and protocol.threshold=conformal:0.2 both say the threshold",
        ),
        (lambda maps: None, ["results.dir=x"], "use --results"),
        (lambda maps: None, ["data.root=x"], "use --root"),
        (lambda maps: None, ["+input.px=64"], "leave it out"),
        (lambda maps: None, ["--method", "a/b"], "a name becomes a folder"),
    ],
    ids=[
        "category",
        "validation",
        "layout",
        "folder",
        "validation image",
        "threshold",
        "override",
        "seed",
        "held out",
        "augmentation",
        "kind",
        "two thresholds",
        "results",
        "root",
        "input",
        "method",
    ],
)
def test_a_folder_that_cannot_be_used_is_explained(
    exported: Path, maps: Path, damage: Callable[[Path], None], args: list[str], message: str
) -> None:
    damage(maps)
    result = evaluate(maps, exported / "data", *args)
    assert result.exit_code == 1 and message in result.output and "Traceback" not in result.output


def test_several_methods_in_one_folder(exported: Path, maps: Path) -> None:
    both = maps.parent / "both"
    for name in ("a", "b"):
        shutil.copytree(maps, both / name)
    assert evaluate(both, exported / "data").exit_code == 0
    assert [run_of(maps.parent / "results", name).is_dir() for name in ("a", "b")] == [True, True]
    refused = evaluate(both, exported / "data", "--method", "c")
    assert refused.exit_code == 1 and "holds the maps of a, b" in refused.output


def test_a_seed_below_zero_is_refused_before_anything_is_scored(exported: Path, maps: Path) -> None:
    refused = evaluate(maps, exported / "data", "--seed", "-1")
    assert refused.exit_code == 2 and "x>=0" in refused.output
    assert not (maps.parent / "results").exists()


def test_an_archive_is_named_and_read_whatever_the_case_of_its_suffix(exported: Path, tmp_path: Path) -> None:
    archive = tmp_path / "one.NPZ"
    archive.write_bytes(b"none")
    assert "is no archive of maps" in evaluate(archive, exported / "data").output
    assert "a name becomes a folder" in evaluate(archive, exported / "data", "--method", "a/b").output


def test_a_foreign_second_page_is_no_map(tmp_path: Path) -> None:
    first, second = np.zeros((4, 4), np.float32), np.ones((2, 2), np.float32)
    with tifffile.TiffWriter(tmp_path / "000.tiff") as file:
        file.write(first)
        file.write(second)
    assert read_map(tmp_path / "000.tiff", (4, 4)).own_HW.shape == (4, 4)
    write_map(tmp_path / "001.tiff", StoredMap(first, second))
    assert read_map(tmp_path / "001.tiff", (4, 4)).own_HW.shape == (2, 2)
    with pytest.raises(UserError, match=r"001\.tiff has 4 x 4 pixels, its image 6 x 5"):
        read_map(tmp_path / "001.tiff", (5, 6))
