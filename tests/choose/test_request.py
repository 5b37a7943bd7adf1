"""A folder or a table of parts: the runs read the images that `choose` read, the bad ones as bad."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.choose.request import request_for
from benchmarks.common.errors import UserError
from benchmarks.config.compose import composed
from benchmarks.config.targets import instantiated
from benchmarks.data.index import Category
from benchmarks.data.layouts import read_folder
from benchmarks.data.listing import WRITTEN
from benchmarks.data.mvtec_ad import verify
from tests.inspect.test_inspector import drawn

ROWS = [*((f"{number}.png", "ok") for number in range(8)), *((f"{number}.png", "scratch") for number in range(8, 11))]


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    folder = tmp_path / "parts.v2"
    folder.mkdir()
    for name, label in ROWS:
        drawn(int(name.removesuffix(".png")), label != "ok").save(folder / name)
    return folder


def both(path: Path, out: Path) -> tuple[Category, Category]:
    """The category as `choose` takes it, and as its runs read it."""
    request = request_for(path, None, 1.0, 0.1, None, "random", out).request
    config = composed(["method=dfm", "method.weights=random", *request.overrides])
    return request.category, instantiated(config.benchmark).read(config, make=False)


def check(path: Path, out: Path) -> None:
    asked, read = both(path, out)
    assert (asked.name, asked.train, asked.test) == (read.name, read.train, read.test)
    assert sum(image.is_defective for image in asked.test) == 3


def test_camera_values_of_12_bits_are_read_as_said(tmp_path: Path) -> None:
    rng, parts = np.random.default_rng(0), tmp_path / "parts"
    for number in range(8):
        (parts / "good").mkdir(parents=True, exist_ok=True)
        pixels = Image.fromarray(rng.integers(0, 4096, (40, 40), np.uint16))
        pixels.save(parts / "good" / f"{number}.png")
    with pytest.raises(UserError, match=r"12-bit values.*--bits"):
        request_for(parts, None, 1.0, 0.1, None, "random", tmp_path / "out")
    (untold,) = verify(tmp_path, ["parts"])
    (told,) = verify(tmp_path, ["parts"], bits=12)
    assert any("12-bit values" in text for text in untold.problems)
    assert not any("bit" in text for text in told.problems)
    asked = request_for(parts, None, 1.0, 0.1, None, "random", tmp_path / "out", bits=12)
    assert composed(["method=dfm", *asked.request.overrides]).input.bits == 12
    assert "--kind" in asked.summary and "category.kind" not in asked.summary


def test_weights_that_are_not_there_are_refused_before_anything_runs(parts: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--weights nofile\.pth: there is no such file"):
        request_for(parts, None, 1.0, 0.1, None, "nofile.pth", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("name", "delimiter"), [("labels.tsv", "\t"), ("labels.csv", ","), ("my labels.txt", ";")])
def test_a_table_whatever_its_name(name: str, delimiter: str, parts: Path, tmp_path: Path) -> None:
    lines = [delimiter.join(row) for row in [("path", "label"), *ROWS]]
    (parts / name).write_text("\n".join(lines), encoding="utf-8")
    check(parts / name, tmp_path / "out")


def test_a_link_to_a_table_and_one_of_several(parts: Path, tmp_path: Path) -> None:
    lines = [",".join(row) for row in [("path", "label"), *ROWS]]
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "all.csv").write_text("\n".join(lines), encoding="utf-8")
    (parts / "labels.csv").symlink_to(tmp_path / "elsewhere" / "all.csv")
    (parts / "older.csv").write_text("path,label\n0.png,ok\n", encoding="utf-8")
    check(parts / "labels.csv", tmp_path / "out")


@pytest.mark.parametrize("given", ["", "labels.csv"])
def test_a_table_of_objects_by_the_name_of_its_folder(given: str, parts: Path, tmp_path: Path) -> None:
    lines = ["path,label,object", *(f"{name},{label},{parts.name}" for name, label in ROWS), "0.png,ok,labels"]
    (parts / "labels.csv").write_text("\n".join(lines), encoding="utf-8")
    check(parts / given, tmp_path / "out")


def test_the_results_of_other_parts_of_the_same_name_are_not_replaced(parts: Path, tmp_path: Path) -> None:
    other, out = tmp_path / "line B" / parts.name, tmp_path / "out"
    shutil.copytree(parts, other)
    both(parts, out)
    both(parts, out)  # the same command resumes
    with pytest.raises(UserError, match=r"parts\.v2, not of those in .*line B.*add --out DIR"):
        both(other, out)
    both(other, tmp_path / "out B")


def test_what_choose_wrote_is_never_taken_for_parts(parts: Path) -> None:
    before, _ = read_folder(parts)
    both(parts, parts / "results")
    drawn(1, True).save(parts / "results" / "map.png")
    assert read_folder(parts)[0] == before
    both(parts, parts.parent)  # holds the parts: they stay in sight
    assert not (parts.parent / WRITTEN).exists()
