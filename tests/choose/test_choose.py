"""`choose` on a folder as an engineer has it: an answer, a page, an inspector that works, and no work done twice."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from benchmarks.choose import answer, candidates, runner
from benchmarks.choose.request import request_for
from benchmarks.cli import main
from benchmarks.common.errors import UserError
from tests.inspect.test_inspector import drawn

pytestmark = pytest.mark.filterwarnings("ignore:.*RANDOM weights")
OPTIONS = ("--weights", "random", "--alpha", "0.1")


def defectbench(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two methods at 64 px instead of all at 256: what is tried here does not depend on them."""
    overrides = runner._overrides
    monkeypatch.setattr(candidates, "ORDER", ("dfm", "padim"))
    monkeypatch.setattr(runner, "CURVE", ())
    monkeypatch.setattr(runner, "FOLDS", 2)
    monkeypatch.setattr(runner, "_overrides", lambda *args: [*overrides(*args), "method.inputs.object.px=64"])


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("my parts")
    for kind, count, defect in (("OK", 16, False), ("NG", 4, True)):
        (folder / kind).mkdir()
        for number in range(count):
            drawn(number + 100 * defect, defect).save(folder / kind / f"{number:02} ({kind}) ä.png")
    return folder


@pytest.mark.parametrize("option", ["--minutes", "--alpha"])
def test_what_is_no_number_is_refused(option: str, parts: Path) -> None:
    refused = defectbench("choose", parts, option, "nan")
    assert refused.exit_code == 2 and option in refused.output and "nan" in refused.output


def runs_in(out: Path) -> dict[str, int]:
    """Finished runs, and when each was written."""
    return {path.parts[-4]: path.stat().st_mtime_ns for path in out.glob("runs/*/*/seed=0/run.json")}


def test_from_a_folder_to_pictures_with_a_stop_between(
    parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    monkeypatch.setattr(runner, "CURVE", (5,))
    with monkeypatch.context() as patch:
        patch.setattr("benchmarks.run.cell.run", _stopped_after(1))
        assert defectbench("choose", parts, *OPTIONS, "--out", out).exit_code != 0
    before = runs_in(out)
    assert list(before) == ["dfm"]

    result = defectbench("choose", parts, *OPTIONS, "--out", out)
    assert result.exit_code == 0, result.output
    assert runs_in(out)["dfm"] == before["dfm"], "what was finished is not run again"
    assert "16 good, 4 bad" in result.output and "of 4 (" in result.output and "False-alarm rate" in result.output
    page = (out / "choose.html").read_text(encoding="utf-8")
    for words in (
        "PaDiM",
        "turned by 1 degree",
        "as bright as the training images",
        "How many good images",
        'class="number">5<',
    ):
        assert words in page, words

    inspected = defectbench("inspect", out / "inspector", parts / "NG", "--out", tmp_path / "pictures")
    assert inspected.exit_code == 1 and "DEFECTIVE" in inspected.output
    assert 0 < len(list((tmp_path / "pictures").glob("*.png"))) <= 4


def _stopped_after(cells: int) -> Callable[[Any], Any]:
    from benchmarks.run.cell import run as original

    left = iter(range(cells))

    def run(config: Any) -> Any:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return original(config)

    return run


def asked(parts: Path, out: Path, minutes: float) -> runner.Request:
    return request_for(parts, None, minutes, 0.1, "object", "random", out).request


def tried_methods(
    request: runner.Request, monkeypatch: pytest.MonkeyPatch, faultless: bool, look_ms: float
) -> tuple[list[str], list[str]]:
    """Which methods are run, and what is said of the others, where DFM is as given."""
    monkeypatch.setattr(candidates, "ORDER", ("dfm", "stfpm", "ae_l2"))
    promise = runner.promise_of(16, 0.1)

    def contender(candidate: candidates.Candidate, *_: Any) -> Any:
        return SimpleNamespace(
            method=candidate.method, title=candidate.title, is_faultless=faultless, milliseconds=look_ms
        )

    monkeypatch.setattr(runner, "_tried", contender)
    tried, said = runner._try_all(request, promise, False, lambda line: None, time.perf_counter())
    return [one.method for one in tried], said


def test_nothing_is_trained_where_a_cheaper_method_makes_no_mistake(
    parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried, said = tried_methods(asked(parts, tmp_path, 1e6), monkeypatch, faultless=True, look_ms=1)
    assert tried == ["dfm"]
    assert said == ["Not trained, as DFM finds all without a false alarm: STFPM, AE (L2)."]


def test_a_method_is_trained_only_if_all_its_fits_end_in_time(
    parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # of 13 good images and 7 test images, two folds: STFPM 2 epochs of 6.5 images, AE (L2) 8 epochs of 2000 samples, 14 scored
    stfpm, autoencoder = (2 * (shown + 2 * 14) / 60 for shown in (2 * 6.5 * 2.5, 8 * 2000 * 0.8))
    for limit, expected in (
        (0.9 * stfpm, []),
        (1.2 * stfpm, ["stfpm"]),
        (0.9 * autoencoder, ["stfpm"]),
        (1.2 * autoencoder, ["stfpm", "ae_l2"]),
    ):
        tried, said = tried_methods(asked(parts, tmp_path, limit), monkeypatch, faultless=False, look_ms=1000)
        assert tried == ["dfm", *expected]
        assert len(expected) == 2 or "AE (L2)" in said[0]


def test_a_method_that_fails_at_once_says_nothing_of_the_time_that_the_next_one_takes(
    parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "ORDER", ("dfm", "padim", "patchcore"))
    minutes = 0.0

    def contender(candidate: candidates.Candidate, *_: Any) -> Any:
        nonlocal minutes
        minutes += 10 if candidate.method == "dfm" else 1
        if candidate.method == "padim":
            raise UserError("no weights")
        return SimpleNamespace(title=candidate.title)

    monkeypatch.setattr(runner, "_tried", contender)
    monkeypatch.setattr(runner.time, "perf_counter", lambda: 60 * minutes)
    promise = runner.promise_of(16, 0.1)
    tried, said = runner._try_all(asked(parts, tmp_path, 20.5), promise, False, lambda line: None, 0)
    assert [one.title for one in tried] == ["DFM"]
    assert "PaDiM could not be run: no weights" in said and said[-1].startswith("Not tried in 20.5 minutes: PatchCore.")


def test_without_a_bad_part_drawn_defects_stand_in(
    parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "ORDER", ("dfm",))
    result = defectbench("choose", parts / "OK", "--weights", "random", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert "cannot promise a false-alarm rate of 2\u00a0%: that takes 49" in result.output
    assert "drawn defects (a stand-in, not real ones)" in result.output
    page = (tmp_path / "choose.html").read_text(encoding="utf-8")
    assert "The smallest defect that is found" in page and "a stand-in" in page


def test_an_inspector_of_an_earlier_request_is_told_where_none_is_good_enough(
    parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "ORDER", ("dfm",))
    monkeypatch.setattr(answer, "USABLE", 1.1)
    (tmp_path / "inspector").mkdir()
    result = defectbench("choose", parts, *OPTIONS, "--out", tmp_path)
    assert result.exit_code == 0 and "None is good enough" in result.output
    said = f"{tmp_path / 'inspector'} is of an earlier request"
    assert said in result.output and said in (tmp_path / "choose.html").read_text(encoding="utf-8")


def test_few_good_images_none_for_testing_and_a_curve_that_breaks_off(
    parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "ORDER", ("dfm",))
    monkeypatch.setattr(runner, "FOLDS", 5)
    monkeypatch.setattr(runner, "CURVE", (2, 3))
    monkeypatch.setattr("benchmarks.run.cell.run", _failing_for(3))
    for part, source, count in (("train/good", "OK", 4), ("test/bad", "NG", 4)):
        (tmp_path / "few" / part).mkdir(parents=True)
        for file in sorted((parts / source).iterdir())[:count]:
            shutil.copy(file, tmp_path / "few" / part)
    result = defectbench("choose", tmp_path / "few", *OPTIONS, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    page = (tmp_path / "out" / "choose.html").read_text(encoding="utf-8")
    assert "4 good images" in result.output and "of 4 (" in result.output
    assert "When light, focus or position change" not in page
    for said in (
        "What light, focus and position do was not measured: no good image was left for testing.",
        "How many good images it takes was not measured to the end: no space left",
    ):
        assert said in result.output and said in page
    assert 'class="number">2<' in page and 'class="number">3<' not in page and 'class="number">4<' in page


def _failing_for(images: int) -> Callable[[Any], Any]:
    from benchmarks.run.cell import run as original

    def run(config: Any) -> Any:
        if Path(config.results.dir).name == str(images):
            raise UserError("no space left\nand more")
        return original(config)

    return run


# -- bad input: one sentence, exit code 2, nothing lost ---------------------------------------------------------------------------


def refused(*arguments: str | Path) -> str:
    result = defectbench("choose", *arguments)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    return result.output


def save(folder: Path, *names: str, gray: int | None = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        image = drawn(number, False) if gray is None else Image.fromarray(np.full((64, 64), gray, np.uint8))
        image.save(folder / name)


def test_no_folder_no_good_image_one_good_image(tmp_path: Path) -> None:
    assert "No folder" in refused(tmp_path / "nowhere")
    save(tmp_path / "bad", "0.png")
    assert "image" in refused(tmp_path)
    save(tmp_path / "good", "0.png")
    assert "add good images" in refused(tmp_path)


def test_a_good_image_among_the_bad_ones_by_name_or_by_content(parts: Path, tmp_path: Path) -> None:
    good = sorted((parts / "OK").iterdir())[0]
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "same.png").symlink_to(good)
    assert "is a good image and a bad one" in refused(parts / "OK", "--bad", tmp_path / "bad")
    (tmp_path / "bad" / "same.png").unlink()
    shutil.copy(good, tmp_path / "bad" / "copy.png")
    assert "copy.png" in refused(parts / "OK", "--bad", tmp_path / "bad", *OPTIONS, "--out", tmp_path / "out")


def test_files_that_cannot_be_read(parts: Path, tmp_path: Path) -> None:
    shutil.copytree(parts, tmp_path / "parts")
    (tmp_path / "parts" / "OK" / "broken.png").write_bytes(b"no image")
    assert "broken.png" in refused(tmp_path / "parts")


def test_images_that_are_all_alike(tmp_path: Path) -> None:
    save(tmp_path / "same", *(f"{number}.png" for number in range(12)), gray=90)
    assert "alike" in refused(tmp_path / "same", *OPTIONS, "--out", tmp_path / "out")


def test_a_folder_that_cannot_be_written_to_and_empty_bad_parts(parts: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "file" in refused(parts, *OPTIONS, "--out", tmp_path / "file")
    (tmp_path / "empty").mkdir()
    assert "holds no image" in refused(parts / "OK", "--bad", tmp_path / "empty")
