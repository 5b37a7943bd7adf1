"""A folder with more images than are used: the same sample each time, and a run reads it as `choose` does."""

from pathlib import Path

import pytest

from benchmarks.choose import request, sample
from benchmarks.choose.request import request_for
from benchmarks.config.compose import composed
from benchmarks.config.targets import instantiated
from tests.inspect.test_inspector import drawn


def test_a_sample_is_drawn_said_listed_and_read_by_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, count in (("OK", 30), ("NG", 9)):
        (tmp_path / "parts" / kind).mkdir(parents=True)
        for number in range(count):
            drawn(number, kind == "NG").save(tmp_path / "parts" / kind / f"{number} ä.png")
    monkeypatch.setattr(sample, "MOST", 5)
    monkeypatch.setattr(request, "MOST", 5)
    settings = (tmp_path / "parts", None, 1.0, 0.1, None, "random", tmp_path / "out")
    asked = request_for(*settings)
    assert f"5 are drawn by seed 0 and used, those listed in {tmp_path / 'out' / 'images.csv'}" in asked.summary
    category = asked.request.category
    assert (
        len(category.train) == 5
        and sum(image.is_defective for image in category.test) == 5
        and len(category.test) == 10
    )
    assert request_for(*settings).request.category == category

    config = composed(["method=dfm", "method.weights=random", *asked.request.overrides])
    read = instantiated(config.benchmark).read(config, make=False)
    assert read.train == category.train and read.test == category.test
