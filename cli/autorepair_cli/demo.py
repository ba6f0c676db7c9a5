"""`autorepair demo`: breaks real functions in the lab and watches them being repaired."""

from __future__ import annotations

import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from autorepair_lab.lab import PROJECT, Lab
from autorepair_lab.patient import Patient, PatientError, read_patients
from autorepair_lab.row import Reading, Row, faults_of
from autorepair_lab.ward import MAX_AT_ONCE

PATIENTS = PROJECT / "lab" / "patients"
RESULT = Path("build") / "demo.json"
LOG_WIDTH = 132
"""Columns where the output is no terminal, so that the table stays on one line a patient."""


@click.command()
@click.option(
    "--patients",
    "folder",
    type=click.Path(path_type=Path),
    default=PATIENTS,
    help="A folder of patients; without it, those of the project.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=PROJECT / RESULT,
    help=f"Where the result goes as JSON; without it, {RESULT} in the project.",
)
def demo(folder: Path, out: Path) -> None:
    """Break real functions in an emulated account and watch them being repaired.

    Ends with 0 only if every patient ended as its `expect` says.
    """
    began = time.monotonic()
    try:
        patients = read_patients(folder)
    except PatientError as error:
        raise click.ClickException(str(error)) from error
    screen = Screen(began, width=max(len(patient.name) for patient in patients))
    with Lab(progress=screen.note, patient_progress=screen.tell) as lab:
        for patient in patients:
            lab.ward.admit(patient)
            screen.tell(patient.name, f"deployed: {patient.title}")
        with ThreadPoolExecutor(MAX_AT_ONCE) as pool:
            rows = tuple(pool.map(lambda patient: lab.ward.run(patient.name), patients))
    seconds = round(time.monotonic() - began, 1)
    write_result(out, rows, seconds)
    failures = screen.finish(patients, rows, seconds, out)
    if failures:
        sys.exit(1)


def write_result(out: Path, rows: tuple[Row, ...], seconds: float) -> None:
    """Write the result file, whole or not at all."""
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = out.with_name(f"{out.name}.part")
    document = {"patients": [row.as_json() for row in rows], "seconds": seconds}
    draft.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(out)


class Screen:
    """Prints what happens, a line at a time, so that a log reads as well as a terminal."""

    def __init__(self, began: float, *, width: int) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        if not self._console.is_terminal:
            self._console.width = LOG_WIDTH
        self._began = began
        self._width = width
        self._lock = threading.Lock()

    def note(self, what: str) -> None:
        """Print something about the lab."""
        self._line(Text("lab".ljust(self._width), style="dim"), what)

    def tell(self, patient: str, what: str) -> None:
        """Print something about a patient."""
        self._line(Text(patient.ljust(self._width), style="bold cyan"), what)

    def finish(
        self, patients: tuple[Patient, ...], rows: tuple[Row, ...], seconds: float, out: Path
    ) -> int:
        """Print the table and what differs from what was expected; gives how many differ."""
        faults = {row.patient: faults_of(row, p) for p, row in zip(patients, rows, strict=True)}
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
            self._console.print(elapsed + who + Text(f"  {what}"))


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
            Text(row.outcome or "none", style="red" if faults[row.patient] else "green"),
            f"{row.seconds:.1f}",
        )
    return table


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
        return f"{row.action} taken back" if row.action else "none"
    return ", ".join(changes)


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
