"""Output that nobody reads on a terminal: nothing of it is cut or folded."""

from __future__ import annotations

from rich.console import Console

NO_LIMIT = 10_000
"""Columns; no row of any table is as long."""


def widened(console: Console) -> Console:
    """Give the console as many columns as its rows take, unless it writes to a terminal.

    It is asked of the file: some variables make rich believe in a terminal of 80 columns.
    """
    if not console.file.isatty():
        console.width = NO_LIMIT
    return console
