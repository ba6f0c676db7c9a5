"""`autorepair demo`: breaks real functions in the lab and watches them being repaired."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path

import click

from autorepair_cli.out_file import draft_of, require_writable
from autorepair_cli.screen import Screen
from autorepair_lab.deploy.errors import SamError
from autorepair_lab.lab import PROJECT, Lab
from autorepair_lab.patient import Patient, PatientError, read_patients
from autorepair_lab.row import Row
from autorepair_lab.ward import MAX_AT_ONCE

PATIENTS = PROJECT / "lab" / "patients"
RESULT = Path("build") / "demo.json"
INTERRUPTED = 130


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
    require_writable(out)
    screen = Screen(began, patients)
    try:
        with (
            screen,
            Lab(approval="auto", progress=screen.note, patient_progress=screen.tell) as lab,
        ):
            rows = _run_all(lab, patients, screen)
    except (SamError, OSError) as error:
        raise click.ClickException(f"the lab did not start: {error}") from error
    except KeyboardInterrupt:
        click.echo("stopped before the end; no result was written", err=True)
        sys.exit(INTERRUPTED)
    seconds = round(time.monotonic() - began, 1)
    write_result(out, rows, seconds)
    if screen.finish(rows, seconds, out):
        sys.exit(1)


def write_result(out: Path, rows: tuple[Row, ...], seconds: float) -> None:
    """Write the result file, whole or not at all."""
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = draft_of(out)
    document = {"patients": [row.as_json() for row in rows], "seconds": seconds}
    draft.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(out)


def _run_all(lab: Lab, patients: tuple[Patient, ...], screen: Screen) -> tuple[Row, ...]:
    """Run every patient, so many at once; gives a row for each, in their order."""
    rows: dict[str, Row] = {}
    with _threads() as pool:
        running = {pool.submit(_run, lab, patient, screen): patient for patient in patients}
        for ended in as_completed(running):
            patient = running[ended]
            row = _row_of(ended, patient)
            rows[patient.name] = row
            screen.end(row, patient)
    return tuple(rows[patient.name] for patient in patients)


def _run(lab: Lab, patient: Patient, screen: Screen) -> Row:
    lab.ward.admit(patient)
    screen.tell(patient.name, f"deployed: {patient.title}")
    return lab.ward.run(patient.name)


def _row_of(ended: Future[Row], patient: Patient) -> Row:
    error = ended.exception()
    if error is None:
        return ended.result()
    trouble = f"the lab could not run this patient: {type(error).__name__}: {error}"
    return Row(patient=patient.name, trouble=trouble)


@contextmanager
def _threads() -> Iterator[ThreadPoolExecutor]:
    """Give threads that are not waited for when the demo is interrupted."""
    pool = ThreadPoolExecutor(MAX_AT_ONCE, thread_name_prefix="patient")
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
