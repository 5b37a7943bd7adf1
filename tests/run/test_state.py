"""An interrupted cell resumes from its last epoch, and ends with the numbers of a cell that was not, byte for byte."""

import errno
import json
import os
import signal
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from benchmarks.cli import main
from benchmarks.data.layouts import read_category
from benchmarks.run.cell import _on_this_machine
from benchmarks.run.epochs import ScoreAtEpochs
from benchmarks.run.kept_maps import BatchOfMaps, KeptMaps
from benchmarks.run.state import LAST, CellState, StateFile, random_streams, restore_random_streams
from benchmarks.store.identity import Identity
from benchmarks.store.progress import Progress
from tests.conftest import compose, save

EPOCHS = 4
CURVE = "score_at_epochs=[1]"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Training images of a texture, and two of each kind to test."""
    for place, count in (("train/good", 6), ("test/good", 2), ("test/spot", 2)):
        for index in range(count):
            pixels = np.random.default_rng([*place.encode(), index]).integers(90, 160, (128, 128), dtype=np.uint8)
            save(tmp_path / "data" / "parts" / place / f"{index:03}.png", pixels)
    return tmp_path


def cell(root: Path, name: str, *overrides: str) -> list[str]:
    """The smallest trained cell: 128 px, two steps an epoch; its state is written after every epoch."""
    return [
        "run", "method=ae_l2", "data=folder", "category=parts", "category.kind=texture", "trainer=cpu", "threads=1",
        "category.augmentation.rotation_deg=0", "budget=paper", "method.inputs.texture.px=128", "progress=false",
        "checkpoint.minutes=0", "method.train.samples=4", "method.train.batch_size=2", f"method.train.epochs={EPOCHS}",
        "method.predict_batch_size=1", "protocol.validation_share=0.2",
        f"data.root={root / 'data'}", f"data.cache_dir={root / 'cache'}",
        f"results.dir={root / name}", *overrides,
    ]  # fmt: skip


def start(arguments: list[str], before: Callable[[], None] = lambda: None) -> int:
    """Run a command in a process of its own; a fork spares it the imports."""
    child = os.fork()
    if child:
        return child
    try:
        torch.set_num_threads(1)
        before()
        main(arguments, standalone_mode=False)
    except SystemExit as end:
        os._exit(end.code if isinstance(end.code, int) else 1)
    except BaseException:
        traceback.print_exc()
        os._exit(99)
    os._exit(0)


def folder(root: Path, name: str) -> Path:
    return root / name / "runs" / "ae_l2" / "parts" / "seed=0"


def state(root: Path, name: str) -> Path:
    return folder(root, name).with_name(".seed=0.state")


def numbers(root: Path, name: str) -> list[bytes]:
    return [(folder(root, name) / file).read_bytes() for file in ("scores.csv", "logs/metrics.csv")]


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def epoch(root: Path, name: str) -> int:
    found = Progress.read(state(root, name))
    return found.epoch if found else 0


@pytest.mark.usefixtures("heard_hangup")
def test_a_cell_that_is_killed_again_and_again_ends_with_the_same_numbers(root: Path) -> None:
    assert os.waitpid(start(cell(root, "whole")), 0)[1] == 0
    assert not state(root, "whole").exists()
    for end, done in ((signal.SIGKILL, 1), (signal.SIGHUP, 2)):
        child = start(cell(root, "cut", CURVE))
        wait_for(lambda done=done: epoch(root, "cut") >= done)  # type: ignore[misc]
        os.kill(child, end)
        assert os.waitpid(child, 0)[1] != 0
        assert not folder(root, "cut").exists() and epoch(root, "cut") >= done
    child = start(cell(root, "cut", CURVE))
    wait_for(lambda: any(state(root, "cut").glob("maps-*/1.npz")))  # the second image is scored
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert epoch(root, "cut") == EPOCHS
    assert os.waitpid(start(cell(root, "cut", CURVE)), 0)[1] == 0
    assert numbers(root, "cut") == numbers(root, "whole")
    assert len(numbers(root, "whole")[1].splitlines()) == 1 + EPOCHS
    curve = folder(root, "cut") / "epochs" / "1"
    assert json.loads((curve / "result.json").read_text())["epoch"] == 1
    scores = (curve / "scores.csv").read_text().splitlines()
    assert (
        len(scores) == len(numbers(root, "cut")[0].splitlines())
        and (curve / "scores.csv").read_bytes() != numbers(root, "cut")[0]
    )
    assert sorted(path.name for path in folder(root, "cut").parent.iterdir()) == [".seed=0.lock", "seed=0"]
    assert os.waitpid(start(cell(root, "cut", "score_at_epochs=[1,2]")), 0)[1] == 0  # finished, but without the second
    assert (folder(root, "cut") / "epochs" / "2" / "result.json").is_file()


def identity(code: str = "1") -> Identity:
    return Identity(config={"seed": 0}, train_data="a", code={"methods.ae": code}, versions={})


def test_a_state_of_other_code_is_not_continued_from(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    first = CellState(tmp_path / "state", identity(), 0)
    first.write(tmp_path / "state" / LAST, b"", 3, 10)
    torch.save({}, tmp_path / "state" / LAST)
    (tmp_path / "state" / f".{LAST}.abc").write_bytes(b"half of one")
    again = CellState(tmp_path / "state", identity(), 0)
    assert StateFile(again).checkpoint is not None and again.progress.epoch == 3
    assert not list((tmp_path / "state").glob(".*"))
    other = CellState(tmp_path / "state", identity(code="2"), 0)
    assert (
        StateFile(other).checkpoint is None
        and other.progress.epoch == 0
        and "changed since: code of methods.ae" in caplog.text
    )


def test_a_damaged_checkpoint_is_not_continued_from(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    CellState(tmp_path / "state", identity(), 0).write(tmp_path / "state" / LAST, b"half of a checkpoint", 3, 10)
    assert StateFile(CellState(tmp_path / "state", identity(), 0)).checkpoint is None and "damaged" in caplog.text


def test_a_full_disk_ends_no_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = CellState(tmp_path / "state", identity(), 0)
    torch.save({"epoch": 1}, tmp_path / "state" / LAST)
    before = (tmp_path / "state" / LAST).read_bytes()

    def full(path: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    found.write(tmp_path / "state" / LAST, b"new", 2, 10)
    assert (tmp_path / "state" / LAST).read_bytes() == before and "No space left" in caplog.text
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == [LAST, "state.json"]


def test_a_state_of_another_device_is_not_continued_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = compose("method=ae_l2", "category=bottle")
    config.trainer.accelerator = "auto"
    asked = Identity(config={"trainer": {"accelerator": "auto"}}, train_data="a", code={}, versions={})
    for has_gpu in (True, False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda has_gpu=has_gpu: has_gpu)
        found = CellState(tmp_path / "state", _on_this_machine(config, asked), 0)
        assert found.progress.epoch == 0
        found.note(3, 10)
        assert asked.changes(found.progress.identity) == []  # `auto` takes what there was


def test_the_random_stream_of_a_cells_own_gpu_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resumed where fewer GPUs are visible, it has one all the same."""
    restored: list[torch.Tensor] = []
    stream = torch.arange(16, dtype=torch.uint8)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda: stream)
    monkeypatch.setattr(torch.cuda, "set_rng_state", restored.append)
    restore_random_streams(random_streams())
    assert len(restored) == 1 and torch.equal(restored[0], stream)


def test_epochs_are_scored_again_on_other_test_images_and_passed_ones_are_named(
    root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    category = read_category(root / "data", "parts")
    keeper = SimpleNamespace(file=SimpleNamespace(state=SimpleNamespace(folder=tmp_path / "state")))
    data = SimpleNamespace(cache_dir=None)
    curves = [ScoreAtEpochs([1, 2, 4], data, test, None, None, keeper) for test in (category.test, category.test[1:])]  # type: ignore[arg-type]
    assert curves[0].folder != curves[1].folder
    (curves[0].folder / "1").mkdir(parents=True)
    for curve, passed in zip(curves, ("2", "1, 2"), strict=True):
        caplog.clear()
        curve.on_train_start(SimpleNamespace(current_epoch=3), None)  # type: ignore[arg-type]
        assert f"has passed epoch {passed}, which is not scored" in caplog.text


def test_random_streams_go_on_where_they_were(tmp_path: Path) -> None:
    torch.save(random_streams(), tmp_path / "streams")
    drawn = torch.rand(3), np.random.rand(3)
    restore_random_streams(torch.load(tmp_path / "streams", weights_only=True))
    assert torch.equal(torch.rand(3), drawn[0]) and (np.random.rand(3) == drawn[1]).all()


def test_kept_maps_are_read_up_to_the_first_that_is_damaged(tmp_path: Path) -> None:
    made = [BatchOfMaps(np.full((2, 3, 3), k, np.float32), None if k else np.array([0.5, 0.7]), 1.5) for k in range(3)]
    called: list[int] = []
    kept = KeptMaps(tmp_path / "maps", 0, lambda: called.append(1))
    for batch in made:
        assert kept.wants(batch, 6)
        kept.write(batch)
    (tmp_path / "maps" / "2.npz").write_bytes((tmp_path / "maps" / "2.npz").read_bytes()[:100])
    found = list(KeptMaps(tmp_path / "maps", 0, lambda: None).read())
    assert len(found) == 2 and len(called) == 3
    assert found[0].scores is not None and found[0].scores.tolist() == [0.5, 0.7] and found[1].scores is None
    assert all((a.maps == b.maps).all() and a.seconds == 1.5 for a, b in zip(found, made, strict=False))


def test_maps_of_a_fast_method_are_not_kept(tmp_path: Path) -> None:
    kept = KeptMaps(tmp_path / "maps", 60, lambda: None)
    assert not kept.wants(BatchOfMaps(np.zeros((2, 3, 3), np.float32), None, 1.0), 100)
    assert KeptMaps(tmp_path / "maps", 60, lambda: None).wants(
        BatchOfMaps(np.zeros((2, 3, 3), np.float32), None, 2.0), 60
    )


def test_list_runs_shows_cells_in_progress(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "runs" / "ae_l2" / "grid" / ".seed=2.state"
    place.mkdir(parents=True)
    (place / "state.json").write_text(
        json.dumps({"identity": {"config": {"budget": {"name": "paper"}}}, "epoch": 50, "epochs": 200, "seconds": 3600})
    )
    main(["list", "runs", "--results", str(tmp_path)], standalone_mode=False)
    shown = capsys.readouterr().out
    assert "ae_l2 / grid / seed=2" in shown and "50/200" in shown and "3:00:00" in shown and "paper" in shown
