"""What the demo shows: a live table on a terminal, plain lines elsewhere, a table at the end."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from autorepair.domain.change import RepairKind
from autorepair.domain.incident import Outcome
from autorepair_cli.wide import widened
from autorepair_lab.patient import Patient
from autorepair_lab.row import Reading, Row, faults_of

LONGEST_LINE = 110
REFRESHES_S = 4


@dataclass
class _Status:
    """What a patient is at now."""

    what: str = "waiting"
    style: str = "dim"
    since: float | None = None
    took_s: float | None = None


class Screen:
    """Tells what happens. A context manager: the live table is there while it is entered."""

    def __init__(
        self, began: float, patients: tuple[Patient, ...], console: Console | None = None
    ) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True)
        if not self._console.is_terminal:
            # What it believes to be a terminal gets the live table, which fills the width.
            widened(self._console)
        self._began = began
        self._patients = patients
        self._width = max(len(patient.name) for patient in patients)
        self._lock = threading.Lock()
        self._status = {patient.name: _Status() for patient in patients}
        self._live: Live | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = self._stack.enter_context(
                Live(
                    get_renderable=self._board,
                    console=self._console,
                    refresh_per_second=REFRESHES_S,
                    transient=True,
                )
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()
        self._live = None

    def note(self, what: str) -> None:
        """Tell something about the lab."""
        self._line(Text("lab".ljust(self._width), style="dim"), what)

    def tell(self, patient: str, what: str) -> None:
        """Tell something about a patient."""
        with self._lock:
            status = self._status.setdefault(patient, _Status())
            status.what, status.style = shortened(what), ""
            status.since = status.since or time.monotonic()
        if self._live is None:
            self._line(Text(patient.ljust(self._width), style="bold cyan"), what)

    def end(self, row: Row, patient: Patient) -> None:
        """Tell how a patient ended."""
        faults = faults_of(row, patient)
        verdict = f"not as expected: {'; '.join(faults)}" if faults else "as expected"
        with self._lock:
            status = self._status.setdefault(row.patient, _Status())
            status.what = shortened(f"{_outcome(row)}, {verdict}")
            status.style = "red" if faults else "green"
            status.took_s = row.seconds
        if self._live is None:
            who = Text(row.patient.ljust(self._width), style="bold cyan")
            self._line(who, f"{_outcome(row)} after {row.seconds:.0f} s, {verdict}")

    def finish(self, rows: tuple[Row, ...], seconds: float, out: Path) -> int:
        """Print the table and what differs from what was expected; gives how many differ."""
        patients = {patient.name: patient for patient in self._patients}
        faults = {row.patient: faults_of(row, patients[row.patient]) for row in rows}
        self._console.print()
        self._console.print(_table(rows, faults))
        failed = [name for name, found in faults.items() if found]
        for name in failed:
            for fault in faults[name]:
                self._console.print(Text(f"{name}: {fault}", style="red"))
        verdict = f"{len(rows) - len(failed)} of {len(rows)} patients ended as expected"
        self._console.print(
            Text(
                f"{verdict}, in {seconds:.0f} s. Result: {out}", style="red" if failed else "green"
            )
        )
        return len(failed)

    def _line(self, who: Text, what: str) -> None:
        elapsed = Text(f"{time.monotonic() - self._began:6.1f} s  ", style="dim")
        with self._lock:
            self._console.print(elapsed + who + Text(f"  {shortened(what)}"))

    def _board(self) -> Table:
        now = time.monotonic()
        board = Table.grid(padding=(0, 2))
        board.add_column(no_wrap=True)
        board.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        board.add_column(justify="right", no_wrap=True)
        with self._lock:
            for name, status in self._status.items():
                running = None if status.since is None else now - status.since
                took = running if status.took_s is None else status.took_s
                board.add_row(
                    Text(name, style="bold cyan"),
                    Text(status.what, style=status.style),
                    Text("" if took is None else f"{took:.0f} s", style="dim"),
                )
        board.add_row("", Text(f"{now - self._began:.0f} s since the start", style="dim"), "")
        return board


def shortened(what: str) -> str:
    """Give the text as one line of bounded length; what is cut stands in the record."""
    flat = " ".join(what.split())
    return flat if len(flat) <= LONGEST_LINE else f"{flat[: LONGEST_LINE - 3]}..."


def _table(rows: tuple[Row, ...], faults: dict[str, tuple[str, ...]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1))
    for heading in ("patient", "root cause", "repair", "failed", "decision", "outcome"):
        table.add_column(heading)
    table.add_column("seconds", justify="right")
    for row in rows:
        table.add_row(
            row.patient,
            _cause(row),
            _repair(row),
            f"{_share(row.failed_before, row.invoked_before)} → "
            f"{_share(row.failed_after, row.invoked_after)}",
            row.decision or "-",
            Text(_outcome(row), style="red" if faults[row.patient] else "green"),
            f"{row.seconds:.1f}",
        )
    return table


def _outcome(row: Row) -> str:
    return row.outcome.value if row.outcome else "none"


def _cause(row: Row) -> str:
    if row.root_cause is None:
        return "-"
    sure = "" if row.confidence is None else f" ({row.confidence:.2f})"
    return f"{row.root_cause}{sure}"


def _repair(row: Row) -> str:
    if row.before is None or row.after is None:
        return "-"
    changes = list(_differences(row.before, row.after))
    if not changes:
        return _unseen(row)
    by_hand = "" if row.action else " (by hand)"
    return ", ".join(changes) + by_hand


# What a row's names and sizes do not show of a repair that was kept.
_UNSEEN = {RepairKind.SET_ENV: "value", RepairKind.ROLLBACK_VERSION: "alias"}


def _unseen(row: Row) -> str:
    """Say what names and sizes do not show: a change taken back, or a value put in place."""
    if row.action is None:
        return "none"
    what = _UNSEEN.get(row.action)
    is_kept = what is not None and row.outcome is Outcome.REPAIRED
    return f"{row.action} ({what})" if is_kept else f"{row.action} taken back"


def _differences(before: Reading, after: Reading) -> list[str]:
    found = []
    if before.timeout_s != after.timeout_s:
        found.append(f"timeout {before.timeout_s} → {after.timeout_s} s")
    if before.memory_mb != after.memory_mb:
        found.append(f"memory {before.memory_mb} → {after.memory_mb} MB")
    found += [f"+ {name}" for name in after.env if name not in before.env]
    found += [f"- {name}" for name in before.env if name not in after.env]
    return found


def _share(part: int | None, whole: int | None) -> str:
    return "-" if part is None or whole is None else f"{part}/{whole}"
