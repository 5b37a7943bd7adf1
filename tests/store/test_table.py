"""Tables are read as pandas reads them, number by number, or refused."""

import csv
import io
import random

import pandas as pd
import pytest

from benchmarks.store.table import read_table


def test_numbers_and_words_are_those_that_pandas_reads() -> None:
    drawn = random.Random(0)
    numbers = [repr(drawn.uniform(-1, 1) * 10 ** drawn.randint(-300, 300)) for _ in range(500)]
    names = [f'test/a "b", {place}#\u2028.png' for place in range(500)]
    file = io.StringIO(newline="")
    csv.writer(file).writerows([["path", "split", "score"], *zip(names, ["test"] * 500, numbers, strict=True)])
    for text in (file.getvalue(), "\ufeff" + file.getvalue().replace("\r\n", "\n")):
        found = read_table(text)
        known = pd.read_csv(io.StringIO(text.removeprefix("\ufeff")))
        assert found["path"].tolist() == names == known["path"].tolist()
        assert found["score"].tolist() == [float(number) for number in numbers]
        assert found["score"].tolist() == pytest.approx(known["score"].tolist(), rel=1e-15)


def test_only_wanted_columns_are_read() -> None:
    text = "path,score_1,what\na,1,no number\n\nb,2,\n"
    assert read_table(text, {"score_1"}.__contains__)["score_1"].tolist() == [1, 2]
    assert read_table("path,score\n").dtype.names == ("path", "score") and len(read_table("path,score\n")) == 0
    with pytest.raises(ValueError, match="could not convert string 'no number'"):
        read_table(text)


@pytest.mark.parametrize(
    "text",
    ["", "\n", "score\n1\n\n2,", "path,score\na\n", "score,score\n1,2\n", 'a,b\n"1,2\n3,4,5,6\n', "score\n1_000\n"],
)
def test_what_is_no_table_is_refused(text: str) -> None:
    with pytest.raises((ValueError, csv.Error)):
        read_table(text)
