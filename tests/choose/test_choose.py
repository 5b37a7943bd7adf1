"""`choose` on a folder as an engineer has it: an answer, a page, an inspector that works, and no work done twice."""

import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from benchmarks.cli import main
from tests.inspect.test_inspector import drawn

pytestmark = pytest.mark.filterwarnings("ignore:.*RANDOM weights")


def defectbench(*arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments])


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("my parts")
    for kind, count, defect in (("OK", 16, False), ("NG", 4, True)):
        (folder / kind).mkdir()
        for number in range(count):
            drawn(number + 100 * defect, defect).resize((128, 128)).save(folder / kind / f"{number:02}.png")
    return folder


def test_from_a_folder_to_an_inspector_and_the_same_command_resumes(parts: Path, tmp_path: Path) -> None:
    arguments = [
        "choose",
        str(parts),
        "--weights",
        "random",
        "--minutes",
        "0.1",
        "--alpha",
        "0.1",
        "--out",
        str(tmp_path),
    ]
    result = defectbench(*arguments)
    assert result.exit_code == 0, result.output
    assert "16 good, 4 bad" in result.output and "of 4" in result.output and "was not tried" not in result.stdout
    page = (tmp_path / "choose.html").read_text(encoding="utf-8")
    assert "False-alarm rate" in page and "PaDiM was not tried" in page and "turned by 1 degree" in page
    run = next((tmp_path / "runs" / "dfm").glob("*/seed=0/run.json"))
    before = run.stat().st_mtime_ns

    assert defectbench(*arguments).exit_code == 0
    assert run.stat().st_mtime_ns == before, "a finished cell is not run again"
    inspector = tmp_path / "inspector"
    if inspector.is_dir():
        assert defectbench("inspect", str(inspector), str(parts / "NG")).exit_code == 1


@pytest.mark.skipif("DEFECTBENCH_SLOW" not in os.environ, reason="takes a minute: set DEFECTBENCH_SLOW=1")
def test_without_a_bad_part_drawn_defects_stand_in(parts: Path, tmp_path: Path) -> None:
    options = ["--weights", "random", "--minutes", "0.1", "--out", str(tmp_path)]
    result = defectbench("choose", str(parts / "OK"), *options)
    assert result.exit_code == 0, result.output
    assert "cannot promise a false-alarm rate of 2.0%: that takes 49" in result.output
    assert "drawn defects (a stand-in, not real ones)" in result.output
    page = (tmp_path / "choose.html").read_text(encoding="utf-8")
    assert "The smallest defect that is found" in page and "a stand-in" in page


@pytest.mark.parametrize(("good", "words"), [(0, "image"), (1, "add good images")])
def test_too_few_good_images_are_one_sentence_and_exit_code_2(good: int, words: str, tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    (tmp_path / "bad").mkdir()
    Image.fromarray(np.zeros((32, 32), np.uint8)).save(tmp_path / "bad" / "0.png")
    for number in range(good):
        drawn(number, False).save(tmp_path / "good" / f"{number}.png")
    result = defectbench("choose", str(tmp_path))
    assert result.exit_code == 2 and words in result.output and "Traceback" not in result.output


def test_a_good_image_among_the_bad_ones_is_refused(parts: Path, tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "same.png").symlink_to(parts / "OK" / "00.png")
    result = defectbench("choose", str(parts / "OK"), "--bad", str(tmp_path / "bad"))
    assert result.exit_code == 2 and "is a good image and a bad one" in result.output
