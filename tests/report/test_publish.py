"""What may be published, what is copied, and when it counts as verified."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.common.errors import UserError
from benchmarks.common.project import CODE
from benchmarks.report.publish import publish
from benchmarks.store.runs import RunStore

CELL = Path("runs/variation_model/bottle/seed=0")
REAL = CODE / "results" / "published" / "bottle" / CELL

Make = Callable[..., Path]


@pytest.fixture
def store(tmp_path: Path) -> Make:
    """Copies a real run, with changes to its record; returns the results folder."""

    def make(name: str = "results", **changes: Any) -> Path:
        folder = tmp_path / name / CELL
        shutil.copytree(REAL, folder)
        record = json.loads((folder / "run.json").read_text())
        (folder / "run.json").write_text(json.dumps(record | changes))
        return tmp_path / name

    return make


def standing(folder: Path) -> str:
    (record,) = RunStore(folder).records()
    return record.standing


def test_numbers_are_copied_and_nothing_else(store: Make, tmp_path: Path) -> None:
    source = store()
    (source / CELL / "maps").mkdir()
    for name in ("maps/000.tiff", "method.ckpt", "log.txt"):
        (source / CELL / name).touch()
    publish(source, tmp_path / "public")
    assert {file.name for file in (tmp_path / "public" / CELL).rglob("*")} == {
        file.name for file in REAL.rglob("*") if file.is_file()
    }
    assert standing(tmp_path / "public") == "self-reported"
    assert "Self-reported." in next((tmp_path / "public" / "report").glob("table2*.md")).read_text()


@pytest.mark.parametrize("revision, reason", [("abc+changes", "differed from its revision"), ("unknown", "is unknown")])
def test_a_run_of_unknown_code_is_not_published(store: Make, tmp_path: Path, revision: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        publish(store(revision=revision), tmp_path / "public")
    assert not (tmp_path / "public").exists()


def test_scores_must_give_the_records_counts(store: Make, tmp_path: Path) -> None:
    source = store()
    scores = source / CELL / "scores.csv"
    scores.write_text(scores.read_text().replace("True", "False"))
    with pytest.raises(UserError, match=r"classified correctly, its run\.json"):
        publish(source, tmp_path / "public")


def test_maps_of_other_programs_are_imported(store: Make, tmp_path: Path) -> None:
    publish(store(budget="external"), tmp_path / "public")
    assert standing(tmp_path / "public") == "imported"


def test_a_rerun_verifies(store: Make, tmp_path: Path) -> None:
    publish(store(), tmp_path / "public", store("again", started="2030-01-01T00:00:00+00:00"), "Ada")
    assert standing(tmp_path / "public") == "verified: variation_model / bottle / seed=0 re-run by Ada"


def test_a_copy_is_no_rerun(store: Make, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a copy"):
        publish(store(), tmp_path / "public", store("again"), "Ada")


def test_other_data_do_not_verify(store: Make, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="other data"):
        publish(store(), tmp_path / "public", store("again", started="2030", test_data="other"), "Ada")


def test_nothing_is_overwritten(store: Make, tmp_path: Path) -> None:
    (tmp_path / "public").mkdir()
    with pytest.raises(UserError, match="exists already"):
        publish(store(), tmp_path / "public")


@pytest.mark.parametrize("home", ["/home/ada", "/home/Ada Lovelace", "/srv/Müller, Inc [new]/ada's", "~"])
def test_folders_of_the_machine_are_not_published(store: Make, tmp_path: Path, home: str) -> None:
    source = store(
        overrides=["method=variation_model", f"data.root='{home}/images/my parts/'", "results.dir=results/bottle"],
        warnings=[f"{home}/images/my parts/bottle/1.png is gray, see /opt/tool/notes.txt and https://a.org/b/c."],
    )
    with (source / CELL / "config.yaml").open("a", encoding="utf-8") as config:
        config.write(yaml.safe_dump({"cache_dir": f"{home}/a cache"}))
    publish(source, tmp_path / "public")
    (record,) = RunStore(tmp_path / "public").records()
    assert record.overrides == ("method=variation_model", "data.root='my parts'", "results.dir=results/bottle")
    assert record.warnings == ("my parts/bottle/1.png is gray, see notes.txt and https://a.org/b/c.",)
    written = [file.read_text(encoding="utf-8") for file in (tmp_path / "public" / CELL).glob("*.*")]
    assert not any(
        folder in text for text in written for folder in (f"{home}/", "images/", "Müller", "Lovelace", "/opt")
    )
    assert yaml.safe_load((tmp_path / "public" / CELL / "config.yaml").read_text())["cache_dir"] == "a cache"
