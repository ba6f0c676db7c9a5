"""`autorepair policy`: what the service may do by itself, read, checked and replaced."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from autorepair.domain.audit import RecordKind
from autorepair.domain.errors import PolicyUnreadableError
from autorepair.domain.policy import Policy, parse_policy
from autorepair.domain.policy_loosening import loosens
from autorepair.domain.policy_review import (
    LARGEST_POLICY_BYTES,
    Difference,
    differences,
    faults_of,
)
from autorepair.views.operators import policy_message, told
from autorepair_cli.breaker import tell_of_the_breaker
from autorepair_cli.function_name import plain
from autorepair_cli.operators import record, tell
from autorepair_cli.service import Service, speaks_to_the_service

REPAIRS_NOTHING = "under such a policy nothing is repaired"
NOT_SET = "refused; nothing is written, the policy in force stays as it is"
BYTE_ORDER_MARK = "\ufeff"

file_argument = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.group()
def policy() -> None:
    """What the service may do by itself."""


@policy.command()
@click.option(
    "--function",
    "function_name",
    metavar="NAME",
    callback=plain,
    help="As it applies to this function.",
)
@click.option("--text", is_flag=True, help="The parameter as it stands, without the defaults.")
@speaks_to_the_service
def show(service: Service, function_name: str | None, *, text: bool) -> None:
    """Print the policy in force, defaults included, a pause, and how the storm breaker stands.

    The policy goes to the output; all else to the error stream, so that the policy can be piped.
    """
    stands = service.policy.read()
    if text:
        click.echo(stands)
        return
    _refuse_faults(service.policy.parameter, stands, REPAIRS_NOTHING)
    found = parse_policy(stands)
    if function_name is not None:
        found = found.for_function(function_name)
    click.echo(json.dumps(_whole(found).as_json(), indent=2, ensure_ascii=False))
    pause = service.pauses.in_force()
    if pause is not None:
        click.echo(pause.told(), err=True)
    tell_of_the_breaker(service, found)


@policy.command()
@file_argument
def validate(file: Path) -> None:
    """Check the policy in FILE; ends with 1 and says what to do if it cannot be used."""
    _refuse_faults(str(file), _text_of(file), REPAIRS_NOTHING)
    click.echo(f"{file}: a policy that the service can act under")


@policy.command(name="set")
@file_argument
@click.option("--dry-run", is_flag=True, help="Show what would differ and write nothing.")
@click.option("--yes", is_flag=True, help="Do not ask, whatever it allows.")
@speaks_to_the_service
def set_policy(service: Service, file: Path, *, dry_run: bool, yes: bool) -> None:
    """Put the policy in FILE in force, after checking it; shows what differs from before.

    On a terminal it asks first where more would be allowed than before; a script is not asked.
    """
    text = _text_of(file)
    _refuse_faults(str(file), text, NOT_SET)
    in_force, after = _in_force(service), _whole(parse_policy(text))
    if after == in_force:
        click.echo(f"nothing changes: {service.policy.parameter} says the same already")
        return
    before = in_force or _whole(Policy())
    changes = differences(before, after)
    loosened = [one.path for one in changes if loosens(one, before)]
    for one in changes:
        click.echo(f"{told(one)}{'  (allows more, or may)' if one.path in loosened else ''}")
    compact = json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False)
    _refuse_size(file, compact)
    if dry_run:
        click.echo("nothing is written")
        return
    if loosened and not yes:
        _ask_whether_meant(len(loosened))
    by = service.identity.arn()
    summary = f"{by} has set the policy: {'; '.join(map(told, changes)) or 'nothing differs'}"
    data = {"by": by, "changes": [one.as_json() for one in changes], "loosened": loosened}
    # The record comes first: where nothing is deployed, or none may be made, nothing is written.
    record(service, RecordKind.POLICY_SET, summary, data)
    service.policy.write(compact)
    click.echo(f"{service.policy.parameter} is set; {_count(changes)}")
    message = policy_message(by, changes, loosened, service.environment)
    tell(service, RecordKind.POLICY_SET, message)


def _text_of(file: Path) -> str:
    try:
        found = file.read_bytes()
        text = found.decode("utf-8")
    except OSError as error:
        raise click.ClickException(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise click.ClickException(
            f"{file} is no text in UTF-8 (byte {error.start}): save it as UTF-8, without a byte "
            "order mark"
        ) from error
    if text.startswith(BYTE_ORDER_MARK):
        raise click.ClickException(
            f"{file} begins with a byte order mark, which is no JSON: save it as UTF-8 without one"
        )
    if not text.strip():
        raise click.ClickException(
            f"{file} is empty: a policy is an object, and {{}} is the one that only observes"
        )
    return text


def _ask_whether_meant(loosened: int) -> None:
    """Let a person say no to what allows more; there is nobody to ask behind a script."""
    if not sys.stdin.isatty():
        return
    values = "1 value would" if loosened == 1 else f"{loosened} values would"
    if not click.confirm(f"{values} allow more than before, or may. Write it?", err=True):
        click.echo("nothing is written")
        sys.exit(1)


def _refuse_faults(where: str, text: str, so: str) -> None:
    faults = faults_of(text)
    if not faults:
        return
    for fault in faults:
        click.echo(f"{fault.path}: {fault.what}\n    {fault.remedy}", err=True)
    count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    click.echo(f"{where}: {count}; {so}", err=True)
    sys.exit(1)


def _refuse_size(file: Path, compact: str) -> None:
    size = len(compact.encode())
    if size > LARGEST_POLICY_BYTES:
        raise click.ClickException(
            f"{file} has {size} bytes without its white space, and the parameter holds "
            f"{LARGEST_POLICY_BYTES}: leave out what is as the defaults are"
        )


def _in_force(service: Service) -> Policy | None:
    """Give the policy in force; None for one that cannot be read, which only observes."""
    try:
        return _whole(parse_policy(service.policy.read()))
    except PolicyUnreadableError as error:
        click.echo(f"so far only observing: {error}", err=True)
        return None


def _whole(found: Policy) -> Policy:
    """Name the mode of every kind of repair."""
    return found.tightened_by({}, is_approval_required=False)


def _count(changes: tuple[Difference, ...]) -> str:
    return f"{len(changes)} values differ" if changes else "nothing differs"
