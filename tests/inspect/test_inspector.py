"""An inspector saved by a run decides as the run did, to the last bit, and says what it cannot use."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path, PurePath
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from benchmarks.choose.page import _picture
from benchmarks.cli import main
from benchmarks.cli.errors import user_errors
from benchmarks.cli.inspect import _listed
from benchmarks.common.errors import UserError
from benchmarks.data.index import ImageFile
from benchmarks.data.listing import images_below
from benchmarks.inspect import Inspector
from benchmarks.inspect.specification import fitted_methods, read_specification
from benchmarks.store.record import read_record
from benchmarks.store.runs import RunStore
from benchmarks.study import stand_in
from methods.contract import Method
from methods.dfm import DFM

FAST = ["budget=smoke", "trainer=cpu", "progress=false", "logger=none", "threads=1", "save_inspector=true"]
RUN = [
    "method=dfm",
    "method.weights=random",
    "data=folder",
    "category=parts",
    "method.inputs.object.px=64",
    "data.cache_dir=null",
]


def defectbench(*arguments: str, **settings: object) -> Result:
    return CliRunner().invoke(main, [*arguments], **settings)  # type: ignore[arg-type]


def drawn(number: int, defect: bool) -> Image.Image:
    rng = np.random.default_rng(number)
    y, x = np.mgrid[:64, :64]
    gray = np.where(np.hypot(y - 32, x - 32) < 20, 170, 60) + rng.normal(0, 2, (64, 64))
    if defect:
        gray[26:38, 26:38] = 0
    return Image.fromarray(np.clip(gray, 0, 255).astype(np.uint8))


pytestmark = pytest.mark.filterwarnings("ignore:.*RANDOM weights")


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("parts")
    for kind, count, defect in (("good", 24, False), ("bad", 5, True)):
        (root / "parts" / kind).mkdir(parents=True)
        for number in range(count):
            drawn(number + 100 * defect, defect).save(root / "parts" / kind / f"{number:02}.png")
    return root


@pytest.fixture(scope="module", params=["split", "cross"])
def run(request: pytest.FixtureRequest, parts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = tmp_path_factory.mktemp("results")
    settings = [
        f"data.root={parts}",
        f"results.dir={results}",
        f"protocol.held_out={request.param}",
        "protocol.folds=3",
    ]
    result = defectbench("run", *FAST, *RUN, *settings)
    assert result.exit_code == 0, result.output
    return next(results.glob("runs/dfm/parts/seed=0"))


def test_scores_and_decisions_are_those_of_the_run(parts: Path, run: Path) -> None:
    inspector = Inspector.load(run / "inspector")
    scores = pd.read_csv(run / "scores.csv", dtype={"score_0.001": str})
    record = json.loads((run / "run.json").read_text())
    test = scores[scores["split"] == "test"]
    assert len(test) > 5
    for row in test.to_dict("records"):
        verdict = inspector(parts / "parts" / row["path"])
        score = float(row["score_0.001"])  # digits as written
        assert verdict.score == score, row["path"]
        assert verdict.defective == (score > record["result"]["threshold"])


@pytest.mark.parametrize("map_threshold", [-1e9, 1e9])
def test_a_defective_image_has_a_region_and_a_good_one_none(parts: Path, run: Path, map_threshold: float) -> None:
    inspector = Inspector.load(run / "inspector")
    # where the mean of the members' maps lies to a threshold that is no map's own
    inspector.specification = replace(inspector.specification, map_threshold=map_threshold)
    verdicts = [inspector(path) for path in sorted((parts / "parts").glob("*/*.png"))]
    assert {verdict.defective for verdict in verdicts} == {False, True}
    assert all(bool(verdict.regions) == verdict.defective for verdict in verdicts)


@pytest.mark.parametrize("alike", [True, False])
def test_members_keep_their_own_frozen_networks_and_share_one_that_they_have_in_common(
    run: Path, tmp_path: Path, alike: bool
) -> None:
    specification = replace(read_specification(run / "inspector"), folds=[0, 1])
    members: list[Method] = []
    for seed in (0, 1):
        torch.manual_seed(0 if alike else seed)
        member = DFM("resnet18", "random", "layer1", pool=2, variance=0.9)
        member.training_images = 3
        member.observe(torch.rand(3, 3, 64, 64))
        member.fit()
        members.append(member.eval())
    specification.model["layer"] = "layer1"
    specification.write(tmp_path, members)
    first, second = fitted_methods(tmp_path, specification)
    assert (first.source is second.source) == alike
    images_BCHW = torch.rand(2, 3, 64, 64)
    for member, loaded in zip(members, (first, second), strict=True):
        assert torch.equal(loaded.anomaly_map(images_BCHW), member.anomaly_map(images_BCHW))


def test_the_study_of_drawn_defects_takes_a_run_with_its_inspector(run: Path) -> None:
    record = read_record(run / "run.json")
    row = stand_in._run_row(RunStore(run.parents[3]), record)
    assert record.result is not None and record.result.image is not None
    assert row["real_auroc"] == pytest.approx(record.result.image.auroc) and row["bad_images"] == 5
    assert row["drawn_defects"] == 48 and 0.5 < row["drawn_auroc"] <= 1


def test_the_folder_has_a_page_about_itself(run: Path) -> None:
    page = (run / "inspector" / "about.html").read_text()
    record = read_record(run / "run.json")
    assert record.identity["train_data"] in page, "which images it was fitted to"
    assert "DFM for parts" in page and "64 x 64 pixels" in page and "by the rule maximum from" in page


def test_paths_pillow_images_and_arrays_give_one_verdict(parts: Path, run: Path) -> None:
    inspector, path = Inspector.load(run / "inspector"), parts / "parts" / "bad" / "00.png"
    image = Image.open(path)
    assert (
        inspector(path).score
        == inspector(str(path)).score
        == inspector(image).score
        == inspector(np.asarray(image)).score
    )
    gray = np.asarray(image.convert("L"))
    assert inspector(gray[..., None]).score == inspector(gray).score
    with pytest.raises(UserError, match=r"float64 and shape \(4, 4, 3\) is no image: give uint8 pixels"):
        inspector(np.zeros((4, 4, 3)))


def test_an_image_unlike_the_training_images_is_said(run: Path) -> None:
    verdict = Inspector.load(run / "inspector")(drawn(0, False).resize((80, 60)).convert("RGB"))
    assert verdict.notes == (
        "80 x 60 pixels, the training images had 64 x 64",
        "8-bit colour, the training images were 8-bit gray",
    )


def test_the_command_prints_a_line_for_each_image_and_its_exit_code_says_the_worst(
    parts: Path, run: Path, tmp_path: Path
) -> None:
    good, bad = parts / "parts" / "good", parts / "parts" / "bad"
    inspector = Inspector.load(run / "inspector")
    shutil.copy(min(good.iterdir(), key=lambda path: inspector(path).score), tmp_path / "a b ü.png")
    assert defectbench("inspect", str(run / "inspector"), str(tmp_path / "a b ü.png")).exit_code == 0

    table, out = tmp_path / "verdicts.csv", tmp_path / "pictures"
    result = defectbench("inspect", str(run / "inspector"), str(bad), "--csv", str(table), "--out", str(out))
    assert result.exit_code == 1 and "DEFECTIVE" in result.output and "5 defective" in result.output
    rows = pd.read_csv(table)
    assert list(rows["decision"]) == ["defective"] * 5 and all(json.loads(text) for text in rows["regions"])
    assert len(list(out.glob("*.png"))) == 5

    (tmp_path / "broken.png").write_bytes(b"no image")
    paths = f"{tmp_path / 'broken.png'}\n{tmp_path / 'a b ü.png'}\n"
    result = defectbench("inspect", str(run / "inspector"), "-", "--json", input=paths)
    assert result.exit_code == 2 and "none of PNG" in result.output and '"decision": "good"' in result.output


def test_pictures_lie_as_their_images_do_and_are_no_parts(parts: Path, run: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    for day in ("day1", "day2"):
        (new / day).mkdir(parents=True)
        shutil.copy(parts / "parts" / "bad" / "00.png", new / day / "1.png")
    Image.open(new / "day1" / "1.png").save(new / "day1" / "1.bmp")
    (new / "out").mkdir()
    for _ in range(2):
        result = defectbench("inspect", str(run / "inspector"), str(new), "--out", str(new / "out"))
        assert result.exit_code == 1 and "3 defective" in result.output and str(new / "out") not in result.output
    pictures = sorted(path.relative_to(new / "out").as_posix() for path in (new / "out").rglob("*.png"))
    assert pictures == ["day1/1-2.png", "day1/1.png", "day2/1.png"]
    assert len(list(images_below(new))) == 3

    result = defectbench("inspect", str(run / "inspector"), str(new), "--out", str(new))
    assert result.exit_code == 2 and "name a new folder" in result.output


def test_what_find_lists_keeps_its_folders() -> None:
    assert _listed(Path("day1/1.png")) == (Path("day1/1.png"), PurePath("day1/1.png"))
    for outside in ("/data/day1/1.png", "../day1/1.png"):
        assert _listed(Path(outside)) == (Path(outside), PurePath("1.png"))


def test_an_empty_name_is_not_the_working_directory(run: Path) -> None:
    result = defectbench("inspect", str(run / "inspector"), "")
    assert result.exit_code == 2 and "empty name" in result.output


def test_pictures_of_parts_in_twelve_bits_are_those_in_eight(parts: Path, run: Path, tmp_path: Path) -> None:
    copy, eight, twelve = tmp_path / "copy", parts / "parts" / "bad" / "00.png", tmp_path / "12.png"
    shutil.copytree(run / "inspector", copy)
    found = json.loads((copy / "inspector.json").read_text())
    (copy / "inspector.json").write_text(json.dumps(found | {"decoding": found["decoding"] | {"bits": 12}}))
    gray = np.asarray(Image.open(eight)).astype(np.uint16)
    Image.fromarray(16 * gray + gray // 16).save(twelve)

    assert defectbench("inspect", str(copy), str(eight), str(twelve), "--out", str(tmp_path / "out")).exit_code == 1
    assert (tmp_path / "out" / "00.png").read_bytes() == (tmp_path / "out" / "12.png").read_bytes()
    inspector = Inspector.load(copy)
    shown = [_picture(inspector, ImageFile(path, "part.png"), "found") for path in (eight, twelve)]
    assert shown[0] == shown[1]


def test_an_exported_inspector_goes_on_inspecting(parts: Path, run: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    copy, bad = tmp_path / "copy", str(parts / "parts" / "bad" / "00.png")
    shutil.copytree(run / "inspector", copy)
    result = defectbench("export", str(copy))
    assert result.exit_code == 0 and "decisions identical" in result.output, result.output
    assert (copy / "inspector.onnx").is_file() and defectbench("inspect", str(copy), bad).exit_code == 1


def test_a_folder_that_is_no_inspector_and_a_damaged_one_are_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is no inspector: it has no inspector\.json"):
        Inspector.load(tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(run / "inspector", copy)
    (copy / "weights.npz").write_bytes((copy / "weights.npz").read_bytes()[:1000])
    with pytest.raises(UserError, match=r"weights\.npz cannot be used"):
        Inspector.load(copy)


def test_images_behind_links_and_of_other_formats_are_not_passed_over(parts: Path, run: Path, tmp_path: Path) -> None:
    new, camera = tmp_path / "new", tmp_path / "camera"
    new.mkdir(), camera.mkdir()
    shutil.copy(parts / "parts" / "bad" / "00.png", camera)
    (new / "today").symlink_to(camera)
    assert "DEFECTIVE" in defectbench("inspect", str(run / "inspector"), str(new)).output
    (new / "phone.heic").write_bytes(b"ftypheic")
    (new / "notes.txt").touch()
    result = defectbench("inspect", str(run / "inspector"), str(new))
    assert result.exit_code == 2 and "phone.heic" in result.output and "notes.txt" not in result.output


@pytest.mark.parametrize("end, code", [(BrokenPipeError, 2), (KeyboardInterrupt, 130)])
def test_an_inspection_that_is_cut_off_says_neither_good_nor_defective(
    monkeypatch: pytest.MonkeyPatch, end: type[BaseException], code: int
) -> None:
    monkeypatch.setattr("benchmarks.cli.errors.os", SimpleNamespace(**vars(os) | {"dup2": lambda *_: None}))
    with pytest.raises(SystemExit) as ended, user_errors(exit_code=2):  # as `inspect` has it
        raise end
    assert ended.value.code == code


def test_a_device_that_is_not_there_is_one_sentence(run: Path) -> None:
    for device, words in (
        ("cuda:77", "There is no GPU cuda:77 here"),
        *((name, f"There is no device '{name}' here") for name in ("gpu", "mps", "meta", "xla")),
    ):
        result = defectbench("inspect", str(run / "inspector"), "a.png", "--device", device)
        assert result.exit_code == 2 and words in result.output


def test_a_folder_that_somebody_sent_runs_no_code_of_its_own(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run / "inspector", copy)
    found = json.loads((copy / "inspector.json").read_text())
    found["model"]["_target_"] = "os.system"
    (copy / "inspector.json").write_text(json.dumps(found))
    with pytest.raises(UserError, match="is not one of this benchmark's methods"):
        Inspector.load(copy)
