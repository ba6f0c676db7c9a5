"""`autorepair invoke`: runs one step with its sample event, as deployed, under the emulator."""

from __future__ import annotations

import base64
import json
import sys
from difflib import get_close_matches
from pathlib import Path

import click

from autorepair_lab.deploy.errors import SamError
from autorepair_lab.lab import PROJECT, Lab
from autorepair_lab.stage import at_home, set_the_stage

EVENTS = PROJECT / "events"
STEPS = PROJECT / "functions"


@click.command()
@click.argument("step")
@click.option(
    "--event",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A JSON file; without it, the step's sample event in events/.",
)
def invoke(step: str, event: Path | None) -> None:
    """Run STEP (ParseAlarmEvent, diagnose_issue, verifyrepair, ...) once in a fresh lab.

    Any spelling of its name will do. The log goes to standard error, the result to standard output.
    """
    name = _named(step)
    payload = _payload(event or EVENTS / f"{name}.json")
    try:
        with Lab(progress=lambda what: click.echo(what, err=True)) as lab:
            set_the_stage(lab, PROJECT)
            answer = lab.invoke_step(name, at_home(lab, PROJECT, payload))
            result = json.loads(answer["Payload"].read())
    except (SamError, OSError) as error:
        raise click.ClickException(f"the lab did not start: {error}") from error
    click.echo(base64.b64decode(answer.get("LogResult", "")).decode(), err=True)
    click.echo(json.dumps(result, indent=2, ensure_ascii=False))
    if "FunctionError" in answer:
        sys.exit(1)


def _named(step: str) -> str:
    """Give the module of a step whose name may be spelled in any way."""
    if not _key(step):
        raise click.ClickException("name a step: make invoke STEP=ParseAlarmEvent")
    known = {_key(found.stem): found.stem for found in sorted(STEPS.glob("[a-z]*.py"))}
    # Its function in the template is called so, and may be what somebody copies.
    name = known.get(_key(step)) or known.get(_key(step).removesuffix("function"))
    if name is None:
        near = get_close_matches(_key(step), known, n=1)
        meant = f" (did you mean {_as_state(known[near[0]])}?)" if near else ""
        steps = ", ".join(_as_state(one) for one in known.values())
        raise click.ClickException(f"there is no step {step!r}{meant}; the steps are {steps}")
    return name


def _key(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _as_state(module: str) -> str:
    return "".join(word.title() for word in module.split("_"))


def _payload(path: Path) -> bytes:
    try:
        text = path.read_text(encoding="utf-8")
        json.loads(text)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read: {error.strerror}") from error
    except json.JSONDecodeError as error:
        raise click.ClickException(f"{path} is not JSON: {error}") from error
    return text.encode()
