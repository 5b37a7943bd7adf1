"""A table as text: Markdown and LaTeX."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pandas as pd

from benchmarks.report.layouts import Show
from benchmarks.report.table_parts import Entry, Heading, Mean, PaperTable, Value

ABSENT = {"failed": "failed", "missing": "not run", "not_applicable": "-", "not_published": "-"}
NO_NUMBER = "no number"  # it ran, and has no such metric or no such images
MINUS = "\N{MINUS SIGN}"
TEX_LINE = r"\\"
SPECIAL = str.maketrans(
    {
        **{character: f"\\{character}" for character in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        MINUS: "$-$",
        "±": r"$\pm$",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
    }
)
"""LaTeX's special characters, escaped."""


def beside(value: Value, show: Show) -> str:
    """What stands after our number, with a space before it: ` [0.76, 0.99]`, ` [19, 18 of 20]`, ` ±0.02`, or nothing."""
    if value.ahead is not None:
        return f" ({signed(value.ahead, value.digits)})"
    if show == "interval" and value.low is not None and value.high is not None:
        return f" [{value.low:.2f}, {value.high:.2f}]"
    if show == "counts" and value.counts:
        return f" [{value.counts.replace(' ', ', ')} of {value.total}]"
    if show == "std" and value.std is not None:
        return f" ±{value.std:.{value.digits}f}"
    return ""


def signed(value: float | None, digits: int = 2) -> str:
    """`+0.25`, `−0.03` or `±0.00`; empty for None."""
    if value is None:
        return ""
    text = f"{value:+.{digits}f}"
    return f"±{0:.{digits}f}" if float(text) == 0 else text.replace("-", MINUS)


def papers(value: Value) -> str:
    """The paper's number and the difference, with a leading space: ` (0.70, +0.25)`; empty without the paper's."""
    return "" if value.paper is None else f" ({value.paper:.2f}, {signed(value.difference)})"


def markdown(table: PaperTable) -> str:
    """Caption and a pipe table."""
    lines = []
    for kind, category, side, entries in sides_of(table):
        texts = [_markdown_cell(value, entry, table.show) for value, entry in entries]
        lines.append([kind if side == 0 else "", category if side == 0 else "", table.layout.sides[side], *texts])
    for title, means in table.averages:
        for side, name in enumerate(table.layout.sides):
            lines.append(["", title if side == 0 else "", name, *(mean_text(mean, side) for mean in means)])
    lines.append(["", "", "categories", *(mean.categories for mean in table.means)])
    lines = [[plain(text) for text in line] for line in lines]
    headings = ["kind", "category", "row", *(plain(heading.method) + heading.mark for heading in table.headings)]
    return f"{plain(table.caption)}\n\n{pd.DataFrame(lines, columns=headings).to_markdown(index=False, disable_numparse=True)}\n"


def plain(text: str) -> str:
    """A name or a source in Markdown: on one line, in one cell, no HTML."""
    return " ".join(text.split()).replace("<", "&lt;").replace("|", "\\|")


def latex(table: PaperTable, compact: bool = False) -> str:
    """One file that compiles as it is (booktabs, graphicx, geometry: all in the LaTeX base and recommended collections).

    Args:
        compact: our numbers alone, across both columns of a paper; else with all that stands beside them, on a page of its own.
    """
    show, caption = ("none", table.short_caption) if compact else (table.show, table.caption)
    return str(_latex_template().render(table=table, compact=compact, show=show, caption=caption))


def _tex_with_addresses(text: str) -> str:
    """Text in which addresses may break at the end of a line."""
    parts = re.split(r"(https?://[^\s;,{}\\]*[^\s;,.{}\\])", text)
    return "".join(rf"\url{{{part}}}" if place % 2 else tex(part) for place, part in enumerate(parts))


def stacked(heading: Heading) -> str:
    """A column's heading with its words one below the other, and its mark below them."""
    lines = [*re.split(r"[ _]", heading.title), *([heading.mark.strip()] if heading.mark else [])]
    return rf"\shortstack{{{TEX_LINE.join(map(tex, lines))}}}"


def tex(text: str) -> str:
    """Text with LaTeX's special characters escaped; what no Latin font has is named by its code point."""
    escaped = re.sub(r"[^\x00-\xff]", lambda found: f"[U+{ord(found.group()):04X}]", text.translate(SPECIAL))
    return f"{{}}{escaped}" if escaped.startswith("[") else escaped  # behind \\ or \midrule it would be an argument


@cache
def _latex_template() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("benchmarks.report"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        variable_start_string="<<",
        variable_end_string=">>",
        block_start_string="<%",
        block_end_string="%>",
        comment_start_string="<#",
        comment_end_string="#>",
    )
    environment.filters |= {"tex": tex, "tex_with_addresses": _tex_with_addresses}
    environment.globals |= {
        "beside": beside,
        "signed": signed,
        "absent": ABSENT,
        "no_number": NO_NUMBER,
        "stacked": stacked,
    }
    return environment.get_template("table.tex.j2")


def sides_of(table: PaperTable) -> Iterator[tuple[str, str, int, list[tuple[Value | None, Entry]]]]:
    """Kind, category, row and what stands in each column, line by line."""
    for line in table.lines:
        for side in range(len(table.layout.sides)):
            yield line.kind, line.category, side, [(entry.values[side], entry) for entry in line.entries]


def plain_cell(value: Value | None, entry: Entry, show: Show) -> str:
    """A cell's number with all that stands beside it, or why there is none."""
    if value is None:
        return ABSENT.get(entry.status, NO_NUMBER)
    return f"{value.text}{beside(value, show)}{papers(value)}"


def _markdown_cell(value: Value | None, entry: Entry, show: Show) -> str:
    if value is None or not entry.best:
        return plain_cell(value, entry, show)
    return f"**{value.text}**{beside(value, show)}{papers(value)}"


def mean_text(mean: Mean, side: int) -> str:
    """A method's mean over the categories beside the paper's."""
    value = mean.values[side]
    return "" if value is None else f"{value.text}{beside(value, 'none')}{papers(value)}"
