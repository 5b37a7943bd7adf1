"""Rows of a table with a label column: normal rows to fit to, a part of them and all others to test with.

Any CSV of numbers, read in chunks: the original `creditcard.csv` (A. Dal Pozzolo et al., ULB Machine Learning Group; 284,807
transactions, 492 of them frauds) or one of your own. Without a file: scikit-learn's breast cancer table (569 rows, 30 columns;
W. Wolberg, University of Wisconsin), benign rows normal.
"""

import re
from collections import Counter
from collections.abc import Collection
from csv import reader as csv_lines
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.common.errors import UnusableData, UserError, nearest
from benchmarks.data.index import GOOD
from benchmarks.data.samples import Samples
from benchmarks.data.split import hold_out

CHUNK = 50_000
HEADER_LINES = 1
MISSING = ["", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "?", "-"]
SEPARATORS = ",;\t|"
UNNAMED = "Unnamed: "
"""Of a column without a name, with its place."""
LARGEST = float(np.finfo(np.float32).max)
"""What methods can take."""
NO_TEXT = {
    b"PK": "a spreadsheet or an archive",
    b"\x1f\x8b": "compressed",
    b"SQLi": "a database",
    b"PAR1": "a Parquet file",
}
"""By their first bytes."""
PANDAS = "Error tokenizing data. C error: "
DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+([eE][-+]?\d+)?")


def read_rows(
    csv: str | None,
    label: str,
    normal: str | int | float,
    drop: Collection[str],
    test_share: float,
    test_seed: int,
) -> Samples:
    """Normal rows to fit to; `test_share` of the normal rows and all others to test with.

    Args:
        csv: a file with a header, numbers in all columns but the label; None takes scikit-learn's table.
        label: name of the label column.
        normal: its value in normal rows; every other value is a kind of anomaly.
        drop: columns to leave out. A first column without a name is an index, and left out too.

    Raises:
        UnusableData: a file that cannot be read, a column that holds text or gaps.
        UserError: a file or column that is missing, no normal rows.
    """
    if csv is None and drop:
        raise UserError(f"data.drop={list(drop)}: columns of a table of yours, which data.csv=FILE names.")
    values, kinds, names = _embedded() if csv is None else _from_csv(Path(csv), label, normal, drop)
    is_normal = kinds == GOOD
    tested = ~is_normal
    tested[is_normal] = hold_out(int(is_normal.sum()), test_share, test_seed)
    return Samples(
        values[~tested],
        values[tested],
        names[~tested].tolist(),
        names[tested].tolist(),
        kinds[tested].tolist(),
        {"columns": values.shape[1]},
    )


Table = tuple[NDArray[np.float64], NDArray[np.object_], NDArray[np.object_]]
"""Values (N, D), kinds (N,) and names (N,) of rows."""


def _embedded() -> Table:
    from sklearn.datasets import load_breast_cancer

    found = load_breast_cancer()
    kinds = np.where(found.target == list(found.target_names).index("benign"), GOOD, "malignant").astype(object)
    return found.data, kinds, np.array([f"row {row}" for row in range(len(kinds))], object)


def _from_csv(path: Path, label: str, normal: str | int | float, drop: Collection[str]) -> Table:
    if not path.is_file():
        raise UserError(f"No file {path}: name a CSV with data.csv=FILE.")
    values, labels, lines = [], [], []
    try:
        style = _style(path, label)
        columns = _value_columns(path, style["names"], label, drop)
        with pd.read_csv(path, chunksize=CHUNK, index_col=False, low_memory=False, **style) as chunks:
            for chunk in chunks:
                filled = chunk[~_is_blank(chunk, label)]
                values.append(_numbers(path, filled[columns]))
                labels.append(_labels(path, filled[label]))
                lines.append(filled.index.to_numpy() + HEADER_LINES + 1)
    except UnicodeDecodeError as error:
        raise UnusableData(f"{path} is not UTF-8 ({error.reason} at byte {error.start}): save it as UTF-8.") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise UnusableData(f"{path} cannot be read as CSV: {str(error).strip().removeprefix(PANDAS)}") from error
    if not sum(map(len, values)):
        raise UnusableData(f"{path} holds no rows.")
    texts = np.concatenate(labels)
    is_normal = np.array([_is_label(text, normal) for text in texts], dtype=bool)
    if not is_normal.any():
        raise UserError(
            f"{path} has no normal rows: no '{label}' is {normal}, it holds {_some(sorted(set(texts)))}. "
            "Say which value is normal: data.normal=VALUE."
        )
    names = np.array([f"line {line}" for line in np.concatenate(lines)], object)
    return np.concatenate(values), np.where(is_normal, GOOD, f"{label}=" + texts), names


def _style(path: Path, label: str) -> dict[str, Any]:
    """How a table is written, by its first two lines: comma, semicolon, tab or bar; decimal point or comma; with or without a BOM.

    Raises:
        UnusableData: it is no text, its first line holds no names of columns, one twice, or fewer than there are columns.
    """
    if (kind := _no_text(path)) is not None:
        raise UnusableData(f"{path} is {kind}, not a CSV: export its table as CSV.")
    with path.open(encoding="utf-8-sig", newline=None) as file:
        head, first = file.readline(), file.readline()
    separator = max(SEPARATORS, key=head.count)
    header, row = next(csv_lines([head], delimiter=separator), []), next(csv_lines([first], delimiter=separator), [])
    header = [name.strip() for name in header]
    _check_header(path, header, row)
    comma = separator != "," and any(DECIMAL_COMMA.fullmatch(value.strip()) for value in row)
    return {
        "sep": separator,
        "decimal": "," if comma else ".",
        "encoding": "utf-8-sig",
        "header": 0,
        "names": [name or f"{UNNAMED}{place}" for place, name in enumerate(header)],
        "skip_blank_lines": False,  # they count as lines
        "dtype": {label: str},  # as it stands: NA and None are labels, too
        "keep_default_na": False,
        "na_values": {name or f"{UNNAMED}{place}": MISSING for place, name in enumerate(header) if name != label},
    }


def _no_text(path: Path) -> str | None:
    with path.open("rb") as file:
        start = file.read(4)
    return next((kind for magic, kind in NO_TEXT.items() if start.startswith(magic)), None)


def _check_header(path: Path, header: list[str], row: list[str]) -> None:
    if len(header) < 2:
        raise UnusableData(
            f"{path}, line 1: it should hold the names of the columns, separated by comma, semicolon, tab or |, not "
            f"'{''.join(header)[:80]}'."
        )
    twice = [name for name, count in Counter(header).items() if count > 1 and name]
    if twice:
        raise UnusableData(f"{path}, line 1: two columns are called '{twice[0]}'. Rename one.")
    if len(row) > len(header):
        reason = (
            "Lines end with a separator too many: remove it, or add one to the header."
            if not row[-1].strip()
            else "If the first column is a row number, as R's write.table leaves it, give it a name in the header."
        )
        raise UnusableData(f"{path}, line 2: {len(row)} values, but the header has {len(header)} columns. {reason}")


def _value_columns(path: Path, columns: list[str], label: str, drop: Collection[str]) -> list[str]:
    """The columns that describe a row."""
    for name, option in ((label, "data.label=NAME"), *((name, "data.drop=[NAME]") for name in drop)):
        if name not in columns:
            raise UserError(f"{path} has no column '{name}' ({option}). {nearest(name, columns)}")
    # an index that was written with the table, or a separator at the end of each line
    columns = [
        name for place, name in enumerate(columns) if name != f"{UNNAMED}{place}" or 0 < place < len(columns) - 1
    ]
    found = [name for name in columns if name != label and name not in drop]
    if len(found) < 2:
        raise UserError(f"{path} has too few columns besides '{label}': {_some(found)}; at least two are needed.")
    return found


def _is_blank(chunk: pd.DataFrame, label: str) -> NDArray[np.bool_]:
    """Which lines hold nothing at all."""
    blank: NDArray[np.bool_] = (chunk[label].isna() | (chunk[label] == "")).to_numpy(bool, copy=True)
    blank[blank] = chunk[blank].drop(columns=label).isna().all(axis=1)
    return blank


def _numbers(path: Path, chunk: pd.DataFrame) -> NDArray[np.float64]:
    for name in chunk.select_dtypes(exclude="number"):
        numbers = pd.to_numeric(chunk[name], errors="coerce")
        text = chunk[name][numbers.isna() & chunk[name].notna()]
        if len(text):
            raise UnusableData(
                f"{path}, line {_line(text.index[0])}: column '{name}' holds text ('{text.iloc[0]}'), only numbers can be used. "
                f"Leave it out with data.drop=[{name}], or encode it as numbers."
            )
        chunk = chunk.assign(**{str(name): numbers})
    values = chunk.to_numpy(np.float64)
    gaps = np.argwhere(~(np.abs(values) <= LARGEST))
    if len(gaps):
        row, column = gaps[0]
        what = "is empty" if np.isnan(values[row, column]) else f"is infinite or beyond {LARGEST:.1g}"
        raise UnusableData(
            f"{path}, line {_line(chunk.index[row])}: column '{chunk.columns[column]}' {what}. Remove or fill such rows, or leave "
            f"the column out with data.drop=[{chunk.columns[column]}]."
        )
    return values


def _labels(path: Path, labels: pd.Series) -> NDArray[np.object_]:
    missing = labels.isna() | (labels.str.strip() == "")
    if missing.any():
        line = _line(labels.index[missing][0])
        raise UnusableData(f"{path}, line {line}: no label in column '{labels.name}'. Remove such rows or label them.")
    return np.array([_as_text(label) for label in labels], object)


def _as_text(label: object) -> str:
    """One text for one label: 0, 0.0 and "0" are the same."""
    text = str(label).strip()
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() else str(number)


def _is_label(text: str, wanted: str | int | float) -> bool:
    """Whether a label is the one that was said; true and false are read as such from a command line, and written in any case."""
    return text.casefold() == str(wanted).casefold() if isinstance(wanted, bool) else text == _as_text(wanted)


def _line(index: object) -> int:
    assert isinstance(index, int | np.integer)
    return int(index) + HEADER_LINES + 1


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
