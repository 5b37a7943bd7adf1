"""Numbers from elsewhere: taken as they are, and every mistake named by file, row and column."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.common.errors import UserError
from benchmarks.store.columns import validate
from benchmarks.store.leaderboard import leaderboard
from benchmarks.store.references import read_published, shipped, with_references
from tests.store.test_runs import RECORD

HEADER = "method,category,normal_accuracy,anomalous_accuracy,source"
RUNS = leaderboard([RECORD])


def written(tmp_path: Path, *lines: str, header: str = HEADER) -> Path:
    path = tmp_path / "others.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8-sig")
    return path


def test_rows_are_taken_and_marked(tmp_path: Path) -> None:
    path = written(
        tmp_path, 'Theirs,bottle,0.9,0.8,"Doe, 2020",0.97', "Theirs,carpet,,,Doe,0.9", header=HEADER + ",pixel_auroc"
    )
    rows = read_published(path, RUNS)
    validate(rows)
    assert rows[["budget", "dataset"]].drop_duplicates().to_numpy().tolist() == [["published", "mvtec_ad"]]
    assert rows["source"].tolist() == ["Doe, 2020", "Doe"] and rows["kind"].tolist() == ["object", "texture"]
    assert rows.loc[0, "balanced_accuracy"] == pytest.approx(0.85) and rows["pixel_auroc"].tolist() == [0.97, 0.9]


def test_rows_that_stand_in_no_table_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    header = HEADER + ",dataset"
    rows = read_published(written(tmp_path, "Theirs,bottle,0.9,0.8,Doe, mvtec_ad", header=header), RUNS)
    assert rows["dataset"].tolist() == ["mvtec_ad"] and not caplog.text
    read_published(written(tmp_path, "Theirs,bottle,0.9,0.8,Doe,mvtec", header=header), RUNS)
    assert "1 of its rows are of dataset mvtec, of which nothing was run here (mvtec_ad)" in caplog.text


def test_references_join_tables_of_their_dataset_only(tmp_path: Path) -> None:
    rows = read_published(written(tmp_path, "Theirs,bottle,0.9,0.8,Doe"), RUNS)
    joined = with_references(RUNS, rows)
    assert joined["method"].tolist() == ["ae_l2", "Theirs"] and set(joined["budget"]) == {"short"}
    assert len(with_references(RUNS.assign(dataset="synthetic"), rows)) == 1


def test_the_projects_references_are_those_of_what_was_run() -> None:
    runs = leaderboard([replace(RECORD, method="padim", category=category) for category in ("bottle", "grid")])
    (found,) = shipped(runs)
    validate(found)
    assert set(found["reference_for"]) == {"padim"} and set(found["category"]) == {"bottle", "grid"}
    assert found["method"].nunique() > 1 and found["source"].str.startswith("https://").all()
    assert shipped(runs.assign(dataset="synthetic")) == []


def test_other_datasets_have_categories_that_were_not_run(tmp_path: Path) -> None:
    path = written(tmp_path, "Theirs,candle,0.9,0.8,Doe,visa", header=HEADER + ",dataset")
    assert read_published(path, RUNS)["category"].tolist() == ["candle"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Theirs,bottle,1.9,0.8,Doe", r"others\.csv, row 3, column normal_accuracy: is 1.9, outside its range"),
        ("Theirs,bottle,0.9,high,Doe", r"row 3, column anomalous_accuracy: is 'high', not a number"),
        ("Theirs,bottle,nan,0.9,Doe", r"row 3, column normal_accuracy: is nan"),
        ("Theirs,botle,0.9,0.8,Doe", r"row 3, column category: there is no 'botle'. Did you mean bottle"),
        ("Theirs,bottle,0.9,0.8,", r"row 3, column source: it is empty"),
        ("ae_l2,bottle,0.9,0.8,Doe", r"row 3, column method: 'ae_l2' has runs of its own"),
        ("Theirs,tile,0.9,0.8,Doe", r"row 3: Theirs on tile is in row 2 already"),
        ("Theirs,bottle,,,Doe", r"row 3: it has no number"),
        ("Theirs,bottle,0.9", r"row 3: it does not have the 5 cells"),
        ("Theirs,bottle,0.9,0.8,Doe,2020", r"row 3: it does not have the 5 cells"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_published(written(tmp_path, "Theirs,tile,1,1,Doe", line), RUNS)


@pytest.mark.parametrize(
    ("header", "message"),
    [("method,category,image_auroc", "lacks the column source"), (HEADER + ",f1", "unknown column 'f1'")],
)
def test_wrong_headers_are_named(tmp_path: Path, header: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_published(written(tmp_path, "x", header=header), RUNS)


def test_files_that_hold_nothing_or_are_no_text(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no rows"):
        read_published(written(tmp_path), RUNS)
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    for name in ("binary.csv", "absent.csv"):
        with pytest.raises(UserError, match=name):
            read_published(tmp_path / name, RUNS)
