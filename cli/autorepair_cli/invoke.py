"""`autorepair invoke`: runs one step with its sample event, as deployed, under the emulator."""

from __future__ import annotations

import base64
import json
import re
import sys
from pathlib import Path

import click

from autorepair_lab.lab import PROJECT, Lab
from autorepair_lab.stage import at_home, set_the_stage

EVENTS = PROJECT / "events"


@click.command()
@click.argument("step")
@click.option(
    "--event",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A JSON file; without it, the step's sample event in events/.",
)
def invoke(step: str, event: Path | None) -> None:
    """Run STEP (ParseAlarmEvent, DiagnoseIssue, ...) once in a fresh lab.

    The log goes to standard error, the result to standard output.
    """
    name = _snake(step)
    payload = _payload(event or _sample(name, step))
    with Lab(progress=lambda what: click.echo(what, err=True)) as lab:
        set_the_stage(lab, PROJECT)
        answer = lab.invoke_step(name, at_home(lab, PROJECT, payload))
        result = json.loads(answer["Payload"].read())
    click.echo(base64.b64decode(answer.get("LogResult", "")).decode(), err=True)
    click.echo(json.dumps(result, indent=2, ensure_ascii=False))
    if "FunctionError" in answer:
        sys.exit(1)


def _snake(step: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", step).lower()


def _sample(name: str, step: str) -> Path:
    if not name:
        raise click.ClickException("name a step: make invoke STEP=ParseAlarmEvent")
    path = EVENTS / f"{name}.json"
    if not path.is_file():
        known = sorted(found.stem for found in EVENTS.glob("*.json") if found.stem != "env")
        steps = ", ".join("".join(word.title() for word in one.split("_")) for one in known)
        raise click.ClickException(f"there is no step {step!r}; the steps are {steps}")
    return path


def _payload(path: Path) -> bytes:
    try:
        text = path.read_text(encoding="utf-8")
        json.loads(text)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read: {error.strerror}") from error
    except json.JSONDecodeError as error:
        raise click.ClickException(f"{path} is not JSON: {error}") from error
    return text.encode()
