"""YAML from a results folder that somebody sent."""

from pathlib import Path

import pytest

from benchmarks.common.errors import UserError
from benchmarks.common.yaml import read_foreign_yaml


def test_what_a_run_writes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("data:\n  root: a\n  names: [b, c]\n")
    assert read_foreign_yaml(path).data.names == ["b", "c"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9) if n else 'x'}]" for n in range(40)), "aliases"),
        ("a: [", "no YAML"),
        ("- a\n- b\n", "no keys"),
    ],
)
def test_what_none_writes_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=words):
        read_foreign_yaml(path)
