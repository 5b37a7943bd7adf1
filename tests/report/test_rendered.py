"""A report draws only cells that are new or have changed since the last one into its folder; the page is the same."""

import shutil
from pathlib import Path

import pytest

from benchmarks.report import rendered
from benchmarks.report.build import build
from benchmarks.report.page import write_page
from benchmarks.report.rendered import KEPT
from benchmarks.store.runs import RunStore
from tests.report.stores import write_store


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The cells that were drawn, as they are."""
    cells: list[str] = []
    draw = rendered.details_html

    def noted(key: str, title: str, *rest: object) -> str:
        cells.append(title)
        return draw(key, title, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(rendered, "details_html", noted)
    return cells


def page(results: Path, out: Path) -> bytes:
    write_page(build(results, out), RunStore(results), out)
    return (out / "report.html").read_bytes()


def test_a_report_after_a_new_run_draws_that_cell(tmp_path: Path, drawn: list[str]) -> None:
    write_store(tmp_path, seeds=[0], methods=["ae_l2"], categories=["bottle", "screw"])
    first = page(tmp_path, tmp_path / "out")
    assert drawn == ["AE (L2) on bottle", "AE (L2) on screw"]
    assert page(tmp_path, tmp_path / "out") == first and len(drawn) == 2
    write_store(tmp_path, seeds=[0], methods=["anogan"], categories=["bottle"])
    more = page(tmp_path, tmp_path / "out")
    assert drawn[2:] == ["AnoGAN on bottle"]
    assert more == page(tmp_path, tmp_path / "anew") and len(drawn) == 6


def test_whatever_a_cell_shows_is_drawn_anew_when_it_changes(tmp_path: Path, drawn: list[str]) -> None:
    write_store(tmp_path, seeds=[0], methods=["ae_l2", "anogan"], categories=["screw"])  # the second one failed
    folder = tmp_path / "runs" / "ae_l2" / "screw" / "seed=0"
    page(tmp_path, tmp_path / "out")
    for path, name in (
        (folder / "logs" / "metrics.csv", "AE (L2)"),
        (folder / "run.json", "AE (L2)"),
        (tmp_path / "runs" / "anogan" / "screw" / "seed=0" / "error.txt", "AnoGAN"),
    ):
        drawn.clear()
        path.write_text(
            path.read_text().replace("0.125", "0.126").replace("Example CPU", "Another").replace("NaN", "inf")
        )
        page(tmp_path, tmp_path / "out")
        assert drawn == [f"{name} on screw"]
    shutil.rmtree(tmp_path / "runs" / "anogan")
    page(tmp_path, tmp_path / "out")
    assert (tmp_path / "out" / KEPT).read_text().count("<script") == 1  # what is not used goes


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": 1}', b"\xff"])
def test_a_damaged_file_is_passed_over(tmp_path: Path, drawn: list[str], content: bytes) -> None:
    write_store(tmp_path, seeds=[0], methods=["ae_l2"], categories=["bottle"])
    first = page(tmp_path, tmp_path / "out")
    (tmp_path / "out" / KEPT).write_bytes(content)
    assert page(tmp_path, tmp_path / "out") == first and len(drawn) == 2
    assert page(tmp_path, tmp_path / "out") == first and len(drawn) == 2
