"""`autorepair lab`: an AWS account on your own machine."""

from __future__ import annotations

import errno
import signal
import threading
from pathlib import Path
from typing import Literal

import click

from autorepair_lab.account.faults import Fault, FaultsInvalidError, load_faults
from autorepair_lab.deploy.errors import SamError
from autorepair_lab.lab import Lab


@click.group()
def lab() -> None:
    """Run the emulated account by itself."""


@lab.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0 takes a free one.")
@click.option(
    "--faults",
    "faults_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A JSON file of faults to inject.",
)
@click.option(
    "--approval",
    type=click.Choice(["auto", "ask"]),
    help="auto: the lab says yes to every request, unless the patient says otherwise. ask: every "
    "answer is left to you. Without it patients are answered for as they say, others are not.",
)
def up(port: int, faults_file: Path | None, approval: Literal["auto", "ask"] | None) -> None:
    """Start a lab with the service deployed in it, and keep it up until it is stopped."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    faults = _faults(faults_file)
    try:
        with Lab(
            port=port,
            faults=faults,
            approval=approval or "patients",
            progress=_say,
            patient_progress=_say_of,
        ) as running:
            click.echo("\nPoint any AWS tool at the lab:")
            for name, value in running.ready.exports().items():
                click.echo(f"  export {name}={value}")
            click.echo(f"\nLAB READY {running.ready.model_dump_json()}")
            stopped.wait()
            click.echo("stopping")
    except (SamError, OSError) as error:
        raise click.ClickException(f"the lab did not start: {_told(error, port)}") from error


def _told(error: Exception, port: int) -> str:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return f"port {port} is in use; choose another, or leave --port away for a free one"
    return str(error)


def _faults(path: Path | None) -> tuple[Fault, ...]:
    if path is None:
        return ()
    try:
        return load_faults(path)
    except FaultsInvalidError as error:
        raise click.ClickException(str(error)) from error


def _say(what: str) -> None:
    click.echo(what)


def _say_of(patient: str, what: str) -> None:
    click.echo(f"{patient}  {what}")
