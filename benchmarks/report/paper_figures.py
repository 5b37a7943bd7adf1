"""The page's plots for papers: PNG and PDF by matplotlib."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.common.files import replacing
from benchmarks.report import ranks
from benchmarks.report.build import Report, file_name
from benchmarks.report.cells import Cell, cells_of
from benchmarks.report.plots import PLOTS
from benchmarks.report.plots.plot import FAINT, INK, Plot
from benchmarks.store.runs import RunStore

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 9,
    "grid.color": FAINT,
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.6,
    "lines.solid_joinstyle": "miter",
    "text.color": INK,
    "xtick.bottom": False,  # grid lines mark the ticks
    "ytick.left": False,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "pdf.fonttype": 42,  # embedded as TrueType, which journals ask for
    "savefig.dpi": 300,
}
SIZE = (4.3, 2.9)  # inches


def write_figures(report: Report, store: RunStore, out: Path) -> list[Path]:
    """Write the page's plots as `figures/<dataset>_<budget>/<method>_<category>_<plot>.png` and `.pdf`."""
    written = []
    with style():
        for section in report.sections:
            table, cells = section.tables[0], cells_of(section.records, section.own, store)
            folder = out / "figures" / file_name(f"{table.dataset}_{table.budget}")
            ranked = ranks.ranks(cells, ranks.meaningless(section.own))
            if ranked.found:
                written += _write(ranks.figure(ranked), folder / "ranks")
            for cell in cells.values():
                for plot in PLOTS:
                    if plot.is_possible(cell):
                        stem = folder / file_name(f"{cell.method}_{cell.category}_{plot.name}")
                        written += _write(figure(plot, cell), stem)
    return written


def figure(plot: Plot, cell: Cell) -> "Figure":
    """A plot in the style that is in force (`style`)."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=SIZE)
    plot.draw(drawn.add_axes((0.15, 0.17, 0.82, 0.76)), cell)
    return drawn


def style() -> Any:
    """A context in which figures for papers are drawn and written."""
    import matplotlib  # a second to import

    return matplotlib.rc_context(STYLE)


def _write(figure: "Figure", stem: Path) -> list[Path]:
    """PNG and PDF, without dates."""
    paths = []
    for suffix, metadata in ((".png", {"Software": None}), (".pdf", {"CreationDate": None})):
        path = stem.with_name(stem.name + suffix)
        with replacing(path) as temporary:
            figure.savefig(temporary, format=suffix[1:], metadata=metadata)
        paths.append(path)
    return paths
