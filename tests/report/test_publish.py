"""What may be published, what is copied, and when it counts as verified."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from benchmarks.cli import main
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


def test_a_failed_build_leaves_nothing(store: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(*folders: Path) -> None:
        raise UserError("the disk is full")

    monkeypatch.setattr("benchmarks.report.publish.build", build)
    with pytest.raises(UserError, match="the disk is full"):
        publish(store(), tmp_path / "public")
    assert [folder.name for folder in tmp_path.iterdir()] == ["results"]


def with_settings(**settings: dict[str, Any]) -> dict[str, Any]:
    """The identity of the real run, with other values of some settings."""
    identity: dict[str, Any] = json.loads((REAL / "run.json").read_text())["identity"]
    for group, changes in settings.items():
        identity["config"][group] |= changes
    return identity


def test_a_rerun_verifies_on_whatever_device(store: Make, tmp_path: Path) -> None:
    again = store("again", started="2030-01-01T00:00:00+00:00", identity=with_settings(trainer={"accelerator": "gpu"}))
    publish(store(), tmp_path / "public", again, "Ada")
    assert standing(tmp_path / "public") == "verified: variation_model / bottle / seed=0 re-run by Ada"


def test_the_same_maps_evaluated_twice_are_no_rerun(store: Make, tmp_path: Path) -> None:
    result = json.loads((REAL / "run.json").read_text())["result"]

    def evaluated(name: str, maps: str, started: str) -> Path:
        changed = result | {"facts": {"maps_hash": maps}}
        return store(name, budget="external", result=changed, started=started)

    source = evaluated("results", "a", "2030")
    with pytest.raises(UserError, match="the same maps"):
        publish(source, tmp_path / "public", evaluated("again", "a", "2031"), "Ada")
    publish(source, tmp_path / "public", evaluated("others", "b", "2031"), "Ada")
    assert standing(tmp_path / "public").startswith("verified")


def test_maps_that_nobody_made_again_stay_imported(store: Make, tmp_path: Path) -> None:
    source, theirs = store(), CELL.parents[1].with_name("theirs") / "bottle" / "seed=0"
    shutil.copytree(REAL, source / theirs)
    record = json.loads((REAL / "run.json").read_text()) | {"method": "theirs", "budget": "external"}
    (source / theirs / "run.json").write_text(json.dumps(record))
    publish(source, tmp_path / "public", store("again", started="2030"), "Ada")
    standings = {record.method: record.standing for record in RunStore(tmp_path / "public").records()}
    assert standings["theirs"] == "imported" and standings["variation_model"].startswith("verified")


def test_somebody_made_the_rerun(store: Make, tmp_path: Path) -> None:
    words = ["publish", str(store()), str(tmp_path / "public"), "--rerun", str(store("again", started="2030"))]
    for by in ([], ["--by", " "]):
        refused = CliRunner().invoke(main, [*words, *by])
        assert refused.exit_code == 2 and "--rerun and --by belong together" in refused.output


def test_a_copy_is_no_rerun(store: Make, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a copy"):
        publish(store(), tmp_path / "public", store("again"), "Ada")


def test_other_data_do_not_verify(store: Make, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="other data"):
        publish(store(), tmp_path / "public", store("again", started="2030", test_data="other"), "Ada")


def test_another_setting_does_not_verify(store: Make, tmp_path: Path) -> None:
    again = store("again", started="2030", identity=with_settings(protocol={"minimum_area": 0.002}))
    with pytest.raises(UserError, match="another configuration"):
        publish(store(), tmp_path / "public", again, "Ada")


@pytest.mark.parametrize(
    "changes", [{"seed": 1}, {"status": "failed", "result": None, "error": "out of memory"}], ids=["other", "failed"]
)
def test_a_rerun_holds_a_finished_run_of_a_cell(store: Make, tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="no finished run of a cell"):
        publish(store(), tmp_path / "public", store("again", started="2030", **changes), "Ada")


def test_a_rerun_that_cannot_be_read_is_named(store: Make, tmp_path: Path) -> None:
    again = store("again", started="2030")
    (again / CELL / "run.json").write_text("{")
    with pytest.raises(UserError, match=r"no finished run of a cell.*again.*run\.json"):
        publish(store(), tmp_path / "public", again, "Ada")


@pytest.mark.parametrize("has_scores", [True, False], ids=["scores", "counts"])
def test_a_difference_beyond_chance_does_not_verify(store: Make, tmp_path: Path, has_scores: bool) -> None:
    result = json.loads((REAL / "run.json").read_text())["result"]
    result["defective"] |= {"correct": result["defective"]["total"], "ratio": 1.0}  # about half, before
    result["image"]["auroc"] = 1.0
    again = store("again", started="2030", result=result)
    if has_scores:
        find_every_defect(again / CELL / "scores.csv")
    else:
        (again / CELL / "scores.csv").unlink()
    with pytest.raises(UserError, match="beyond chance"):
        publish(store(), tmp_path / "public", again, "Ada")
    assert not (tmp_path / "public").exists()


def find_every_defect(file: Path) -> None:
    with file.open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    for row in rows:
        if row["defective"] == "True":
            row["score_0.001"] = "1000"
    with file.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, rows[0])
        writer.writeheader()
        writer.writerows(rows)


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
