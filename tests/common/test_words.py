"""Counts and kinds in words, as a reader expects them."""

import pytest

from benchmarks.common.words import in_plural, number_of
from benchmarks.config.catalogue import methods


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 categories"), (1, "1 category"), (2, "2 categories"), (1234, "1234 categories")]
)
def test_one_is_no_plural(count: int, words: str) -> None:
    assert number_of(count, "category", "categories") == words
    assert number_of(count, "cell") == f"{count} cell{'' if count == 1 else 's'}"


def test_each_kind_has_its_own_plural() -> None:
    assert in_plural(["texture", "object"]) == "textures and objects"
    assert dict(methods())["ae_l2"] == "AE (L2): textures and objects"
