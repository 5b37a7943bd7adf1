"""The terminal, as every command prints to it."""

import sys
from typing import Any

from rich.console import Console
from rich.text import Text

from benchmarks.common.words import printable

FILE_WIDTH = 140


class PlainConsole(Console):
    """Prints names and messages as they are: square brackets are no markup, colons no emoji, control characters are written out."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **settings)

    def render_str(self, text: str, **settings: Any) -> Text:
        return super().render_str(printable(text), **settings)


def console() -> PlainConsole:
    """The terminal; a file or a pipe gets lines wide enough for a table."""
    return PlainConsole() if sys.stdout.isatty() else PlainConsole(width=FILE_WIDTH)
