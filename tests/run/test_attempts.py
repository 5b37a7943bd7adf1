"""What an attempt does to a finished run: nothing, unless it finishes too. Measuring is a stand-in, all else is the product."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from omegaconf import DictConfig

from benchmarks.common.errors import UserError
from benchmarks.data.index import Category
from benchmarks.protocol.decision import Share
from benchmarks.run.cell import run
from benchmarks.run.images import Defects
from benchmarks.run.scores import write_scores
from benchmarks.store.record import Result
from benchmarks.store.runs import RunStore
from tests.conftest import compose, save
from tests.store.test_runs import RESULT

NAN = {"confidence": float("nan")}


def measured(facts: dict[str, Any]) -> Any:
    """In place of `Defects.measure`: every image is classified correctly."""

    def measure(self: Defects, config: DictConfig, category: Category, folder: Path, *_: Any) -> Result:
        rows = [("train/good/000.png", "validation", "good", False, 1.0)]
        rows += [(i.name, "test", i.defect_type, i.is_defective, 2.0 if i.is_defective else 0.5) for i in category.test]
        write_scores(pd.DataFrame(rows, columns=["path", "split", "defect_type", "defective", "score_0.001"]), folder)
        (folder / "method.ckpt").touch()
        good, bad = (sum(image.is_defective == side for image in category.test) for side in (False, True))
        values = {"threshold": 1.0, "good": Share.of(good, good), "defective": Share.of(bad, bad), "facts": facts}
        return Result(**vars(RESULT) | {"validation_images": 1, "image": None, "image_of_maximum": None} | values)

    return measure


@pytest.fixture
def cell(tree: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(Defects, "measure", measured({}))
    places = [
        f"data.root={tree(px=96, train=30)}",
        f"results.dir={tmp_path / 'results'}",
        f"data.cache_dir={tmp_path / 'cache'}",
    ]
    return ["method=variation_model", "category=parts", "data=folder", "budget=smoke", *places]


def ask(cell: list[str], *overrides: str) -> Any:
    return run(compose(*cell, *overrides))


def files(tmp_path: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in (tmp_path / "results").rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "impossible",
    ["protocol.minimum_area=10", "protocol.threshold=best", "trainer.precision=7", "force=maybe", "method.name=../../x",
     "trainer.accelerator=gpu", "protocol.validation_share=0", "seed=-1", "budget.name=null"],
)  # fmt: skip
def test_a_request_that_cannot_be_run_touches_nothing(cell: list[str], tmp_path: Path, impossible: str) -> None:
    ask(cell)
    before = files(tmp_path)
    with pytest.raises(UserError):
        run(_with(compose(*cell), impossible))
    assert files(tmp_path) == before


def _with(config: DictConfig, override: str) -> DictConfig:
    """As the sweep's jobs are: composed before they are checked."""
    from omegaconf import OmegaConf

    return OmegaConf.merge(config, OmegaConf.from_dotlist([override]))  # type: ignore[return-value]


def test_a_failed_attempt_keeps_its_scores_and_lies_beside_the_run(
    cell: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = ask(cell)
    store, before = RunStore(tmp_path / "results"), (tmp_path / "results")
    run_json = (store.folder(record.cell) / "run.json").read_bytes()
    monkeypatch.setattr(Defects, "measure", measured(NAN))
    with pytest.raises(UserError, match=r"facts\.confidence is nan[\s\S]*stays as it was"):
        ask(cell, "force=true")
    beside = store.failed_folder(record.cell)
    assert (store.folder(record.cell) / "run.json").read_bytes() == run_json and before.is_dir()
    assert "confidence" in (beside / "error.txt").read_text() and len(pd.read_csv(beside / "scores.csv")) == 7
    assert json.loads((beside / "run.json").read_text())["status"] == "failed"
    assert store.records() == [record]
    monkeypatch.setattr(Defects, "measure", measured({}))
    ask(cell, "force=1")
    assert not beside.exists() and len(list(store.replaced.rglob("scores.csv"))) == 2


def _bad_mask(root: Path) -> None:
    save(next(root.rglob("000_mask.png")), np.zeros((5, 5), np.uint8))


def _empty_good_folder(root: Path) -> None:
    for path in root.rglob("train/good/*"):
        path.unlink()


@pytest.mark.parametrize(("spoil", "reason"), [(_bad_mask, "has 5 x 5 pixels"), (_empty_good_folder, "holds no image")])
def test_data_that_cannot_be_used_leave_a_failed_record_and_the_run_as_it_was(
    cell: list[str], tmp_path: Path, spoil: Any, reason: str
) -> None:
    record = ask(cell)
    store = RunStore(tmp_path / "results")
    spoil(tmp_path / "data")
    with pytest.raises(UserError, match=rf"failed: [\s\S]*{reason}[\s\S]*More in .*stays as it was"):
        ask(cell)
    beside = store.failed_folder(record.cell)
    assert store.find(record.cell) == record and reason in (beside / "error.txt").read_text()
    with pytest.raises(UserError, match=rf"failed: [\s\S]*{reason}"):
        ask(cell, "seed=1")
    failed = store.find(replace(record.cell, seed=1))
    assert failed is not None and failed.status == "failed" and reason in failed.error


def test_a_first_attempt_whose_test_images_cannot_be_hashed_keeps_what_was_measured(
    cell: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(self: Defects, config: DictConfig, category: Category) -> str:
        raise OSError("Input/output error")

    monkeypatch.setattr(Defects, "test_fingerprint", unreadable)
    with pytest.raises(UserError, match="Input/output error"):
        ask(cell)
    (scores,) = (tmp_path / "results" / "runs").rglob("scores.csv")
    assert "Input/output error" in (scores.parent / "error.txt").read_text()


def test_a_cell_that_runs_out_of_memory_says_so(
    cell: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Defects, "measure", lambda *_: np.empty(2**58))
    with pytest.raises(UserError, match=r"failed: out of memory \(Unable to allocate [\s\S]*predict_batch_size"):
        ask(cell)


def test_a_run_that_was_replaced_is_taken_back_when_it_is_wanted_again(cell: list[str], tmp_path: Path) -> None:
    first = ask(cell)
    second = ask(cell, "method.model.deviation_floor=6")
    assert second.identity != first.identity
    store = RunStore(tmp_path / "results")
    assert ask(cell) == first == store.find(first.cell)
    assert [record for _, record in store.replaced_runs(first.cell)] == [second]
    assert ask(cell, "method.model.deviation_floor=6") == second


def test_a_run_moves_to_the_tables_it_is_asked_for_and_is_run_again_for_what_it_did_not_keep(
    cell: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = ask(cell)
    renamed = ask(cell, "budget.name=other", "budget.epochs=1")
    assert (renamed.budget, renamed.started, renamed.result) == ("other", first.started, first.result)
    caplog.clear()
    with caplog.at_level("INFO"):
        again = ask(cell, "budget.name=other", "budget.epochs=1", "save_maps=true", "save_checkpoint=yes")
    assert "lacks the files of save_maps=true: it is run again" in caplog.text and "skipped" not in caplog.text
    store = RunStore(tmp_path / "results")
    assert len(store.replaced_runs(again.cell)) == 1


def test_an_edited_run_is_run_again_and_kept_aside(cell: list[str], tmp_path: Path) -> None:
    record = ask(cell)
    store = RunStore(tmp_path / "results")
    scores = store.folder(record.cell) / "scores.csv"
    scores.write_text(scores.read_text().replace("0.5", "0.6"))
    assert len(store.contents().unreadable) == 1 and "scores.csv" in store.contents().unreadable[0].reason
    again = ask(cell)
    assert store.records() == [again] and len(list(store.replaced.rglob("scores.csv"))) == 1
