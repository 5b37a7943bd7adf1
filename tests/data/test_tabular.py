"""Tables: what is read from a CSV, and what is said of one that cannot be used."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.common.errors import UserError
from benchmarks.data import tabular
from benchmarks.data.samples import Samples
from tests.conftest import PROJECT

REAL = PROJECT.parent / "shared" / "data" / "creditcard" / "creditcard_sample.csv"
GOOD = ["a,b,Class", *(f"{i},{i / 2},0" for i in range(10)), "100,50,1", "200,60,1"]


def write(folder: Path, lines: list[str]) -> Path:
    path = folder / "table.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def read(path: Path | None, label: str = "Class", normal: str | int | float = 0, drop: tuple[str, ...] = ()) -> Samples:
    return tabular.read_rows(None if path is None else str(path), label, normal, drop, test_share=0.2, test_seed=0)


@pytest.mark.parametrize("chunk", [1, 5, 100])
def test_normal_rows_are_split_and_all_others_tested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(tabular, "CHUNK", chunk)
    samples = read(write(tmp_path, GOOD))
    assert samples.train.shape == (8, 2) and samples.test.shape == (4, 2)
    assert sorted(samples.test_types) == ["Class=1", "Class=1", "good", "good"]
    assert samples.test_names[-2:] == ["line 12", "line 13"] and samples.test[-1].tolist() == [200, 60]
    assert sorted([*samples.train_names, *samples.test_names]) == sorted(f"line {i}" for i in range(2, 14))
    lines = {name: GOOD[int(name.split()[1]) - 1] for name in samples.train_names}
    for name, row in zip(samples.train_names, samples.train, strict=True):
        assert [float(text) for text in lines[name].split(",")[:2]] == row.tolist()


def test_an_index_column_without_a_name_and_dropped_columns_are_left_out(tmp_path: Path) -> None:
    lines = [",a,who,b,Class", *(f"{i},{i},somebody,{i / 2},0" for i in range(10)), "10,5,me,6,1"]
    assert read(write(tmp_path, lines), drop=("who",)).train.shape[1] == 2


@pytest.mark.parametrize(("written", "normal"), [("0", 0), ("0.0", 0), ("0", "0"), ("fine", "fine"), ("7", 7.0)])
def test_labels_may_be_numbers_or_words(tmp_path: Path, written: str, normal: str | float) -> None:
    lines = ["a,b,state", *(f"{i},{i * i},{written}" for i in range(10)), "3,4,broken"]
    samples = read(write(tmp_path, lines), "state", normal)
    assert len(samples.train) == 8 and "state=broken" in samples.test_types


def with_line(number: int, text: str) -> list[str]:
    return [*GOOD[: number - 1], text, *GOOD[number:]]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["a,b,Clas", "1,2,0"], r"no column 'Class' \(data.label=NAME\). Did you mean Clas\?"),
        (with_line(9, "4,three,0"), r"line 9: column 'b' holds text \('three'\), .*data.drop=\[b\]"),
        (with_line(8, "4,,0"), r"line 8: column 'b' is empty"),
        (with_line(8, "inf,4,0"), r"line 8: column 'a' is infinite"),
        (with_line(7, "4,5,"), r"line 7: no label in column 'Class'"),
        (with_line(7, "4,5"), r"line 7: no label in column 'Class'"),
        (with_line(6, "1,2,3,4,5"), r"cannot be read as CSV: .*line 6"),
        (["a,b,Class", "1,2,1", "3,4,2"], r"no normal rows: no 'Class' is 0, it holds 1, 2.*data.normal=VALUE"),
        (["a,b,Class"], "holds no rows"),
        ([""], "line 1: it should hold the names of the columns"),
        (["a,Class", "1,0"], "too few columns besides 'Class': a"),
    ],
)
def test_bad_tables_are_answered_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str], message: str
) -> None:
    monkeypatch.setattr(tabular, "CHUNK", 4)
    with pytest.raises(UserError, match=message) as raised:
        read(write(tmp_path, lines))
    assert "table.csv" in str(raised.value)


def test_other_bad_input(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"No file .*none.csv: name a CSV with data.csv=FILE"):
        read(tmp_path / "none.csv")
    with pytest.raises(UserError, match=r"no column 'c' \(data.drop=\[NAME\]\)"):
        read(write(tmp_path, GOOD), drop=("c",))
    (tmp_path / "table.csv").write_bytes(b"a,b,Class\n1,\xff\xfe,0\n")
    with pytest.raises(UserError, match="is not UTF-8"):
        read(tmp_path / "table.csv")


def test_without_a_file_the_breast_cancer_table() -> None:
    samples = read(None)
    assert samples.train.shape[1] == 30 and len(samples.train) + len(samples.test) == 569
    assert samples.anomalous.sum() == 212 and set(samples.test_types) == {"good", "malignant"}


def test_real_transactions() -> None:
    if not REAL.is_file():
        pytest.skip(f"needs the card fraud sample (looked in {REAL})")
    samples = read(REAL)
    assert samples.train.shape == (984, 30) and samples.anomalous.sum() == 492 and len(samples.test) == 246 + 492
    assert np.isfinite(samples.train).all()


def lines_of(separator: str, decimal: str) -> list[str]:
    rows = ["a,b,Class", *(f"{i},{i / 2},0" for i in range(10)), "100,50.5,1", "200,60.5,1"]
    return [row.replace(",", separator).replace(".", decimal) for row in rows]


@pytest.mark.parametrize(("separator", "decimal"), [(";", ","), (";", "."), ("\t", ",")])
def test_semicolons_tabs_and_decimal_commas_are_read_right(tmp_path: Path, separator: str, decimal: str) -> None:
    samples = read(write(tmp_path, lines_of(separator, decimal)))
    assert samples.test[-1].tolist() == [200, 60.5]


def test_rows_longer_than_the_header_are_refused_with_their_line(tmp_path: Path) -> None:
    head, *rows = GOOD
    with pytest.raises(UserError, match=r"line 2: 4 values, but the header has 3 columns"):
        read(write(tmp_path, [head, *(f"{i},{row}" for i, row in enumerate(rows))]))
    with pytest.raises(UserError, match=r"line 5"):
        read(write(tmp_path, [*GOOD[:4], "1,2,3,4", *GOOD[4:]]))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("\na,b,Class\n1,2,0\n", r"line 1: it should hold the names of the columns, separated by comma, .*, not ''"),
        ("# made by hand\na,b,Class\n1,2,0\n", r"line 1: it should hold .* not '# made by hand'"),
        ("a,a,Class\n1,2,0\n", r"line 1: two columns are called 'a'\. Rename one"),
        (
            "a,b,Class\n1,2,0,\n",
            r"line 2: 4 values, but the header has 3 columns\. Lines end with a separator too many",
        ),
        ("a,b,Class\n1,2,0\n1e39,2,0\n", r"line 3: column 'a' is infinite or beyond 3e\+38"),
        ("a,b,Class\n1,2,0\n\n\n1,x,0\n", r"line 5: column 'b' holds text"),
        ("PK\3\4rest of a workbook", "is a spreadsheet or an archive, not a CSV"),
        ("a,b,Class\n1,2,0\n1,2,3,0\n", r"cannot be read as CSV: Expected 3 fields in line 3, saw 4"),
    ],
)
def test_what_a_table_looks_like_is_said_with_its_line(tmp_path: Path, content: str, words: str) -> None:
    path = write(tmp_path, [])
    path.write_text(content)
    with pytest.raises(UserError, match=words) as raised:
        read(path)
    assert "Traceback" not in str(raised.value) and "C error" not in str(raised.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: text + "\n\n",
        lambda text: text.replace("a,b,Class", " a , b , Class "),
        lambda text: text.replace(",", "|"),
        lambda text: text.replace("\n", ",\n"),
        lambda text: text.replace("Class\n", "Class\n\n\n"),
    ],
)
def test_ways_to_write_a_table_mean_the_same(tmp_path: Path, change: Callable[[str], str]) -> None:
    path = write(tmp_path, GOOD)
    expected = read(path)
    path.write_bytes(change(path.read_text()).encode())
    found = read(path)
    np.testing.assert_array_equal(found.train, expected.train)
    np.testing.assert_array_equal(found.test, expected.test)
    assert found.test_types == expected.test_types


def test_true_and_false_are_labels_however_they_are_written(tmp_path: Path) -> None:
    lines = [line[:-1] + ("True" if line.endswith(",1") else "FALSE") if line[-1] in "01" else line for line in GOOD]
    assert set(read(write(tmp_path, lines), normal=False).test_types) == {"good", "Class=True"}


def test_labels_that_read_as_missing_are_labels(tmp_path: Path) -> None:
    samples = read(write(tmp_path, [line.replace(",1", ",NA") if line.endswith(",1") else line for line in GOOD]))
    assert sorted(samples.test_types) == ["Class=NA", "Class=NA", "good", "good"]


def test_another_encoding_is_said(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    path.write_bytes(path.read_bytes().replace(b"a,b", b"\xe4,b"))
    with pytest.raises(UserError, match="is not UTF-8"):
        read(path)
