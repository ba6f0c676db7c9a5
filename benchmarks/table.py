"""Tables and bars in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bar:
    """What was asked for, what was measured, and whether it holds."""

    asked: str
    measured: str
    holds: bool


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table, all columns but the first to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


def bars(met: Iterable[Bar]) -> str:
    """Write what was asked for beside what was measured."""
    rows = [(bar.asked, bar.measured, "yes" if bar.holds else "**no**") for bar in met]
    return table(("asked for", "measured", "holds"), rows)


def percent(part: float, whole: float = 1.0) -> str:
    """Write a share in per cent, with one decimal place."""
    return f"{100 * part / whole:.1f}%" if whole else "-"
