"""Tables on a terminal: as much as fits, and no number folded."""

import io
from pathlib import Path

import pytest

from benchmarks.common.console import PlainConsole
from benchmarks.report.build import Report, build
from benchmarks.report.screen import LINES, fitting, show
from tests.report.stores import METHODS, write_store


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("screen")
    write_store(folder, seeds=[0], categories=["carpet", "bottle", "toothbrush"])
    return build(folder, folder / "report")


@pytest.mark.parametrize("width", [80, 100, 120, 140, 200, 240])
def test_what_is_shown_fits_and_no_number_is_folded(report: Report, width: int) -> None:
    for table in report.sections[0].tables:
        shown, left = fitting(table, width)
        file = io.StringIO()
        PlainConsole(width=width, file=file).print(shown)
        lines = file.getvalue().splitlines()
        assert max(map(len, lines)) <= width and "…" not in file.getvalue()
        value = table.lines[0].entries[0].values[0]
        assert value is not None and (left == "the means over the categories" or f" {value.text}" in file.getvalue())
        assert not any(line.strip(" │").startswith(("(", "[", "+")) for line in lines)


def test_the_wider_the_terminal_the_more_is_shown(report: Report) -> None:
    table = report.sections[0].tables[0]
    shown = list(dict.fromkeys(fitting(table, width)[1] for width in range(40, 260)))
    assert shown == ["the means over the categories", "our numbers", "our numbers (the paper's)", ""]


def test_long_lists_are_in_the_files(tmp_path: Path) -> None:
    methods = [*METHODS, *(f"method_{place}" for place in range(LINES // 15))]
    write_store(tmp_path, seeds=[0], methods=methods)
    file = io.StringIO()
    show(build(tmp_path, tmp_path / "report"), PlainConsole(width=140, file=file))
    rows = 73 + 15 * (LINES // 15)  # one of the 74 cells of Table 2 failed
    assert f"What the cells cost, and image AUROC of the same scores: {rows} lines, in the files." in " ".join(
        file.getvalue().split()
    )
