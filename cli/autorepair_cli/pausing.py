"""`autorepair pause` and `autorepair resume`: all repairs, from the next decision and write on."""

from __future__ import annotations

from datetime import datetime

import click

from autorepair.domain.audit import RecordKind
from autorepair.domain.pause import Pause
from autorepair.views.operators import pause_message, resume_message
from autorepair_cli.breaker import tell_of_the_breaker
from autorepair_cli.operators import record, tell
from autorepair_cli.service import Service, speaks_to_the_service
from autorepair_cli.span import until as moment_after

LONGEST_REASON = 300


def _reason(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if value is not None and len(value) > LONGEST_REASON:
        raise click.BadParameter(f"at most {LONGEST_REASON} characters")
    return value


@click.command()
@click.option("--reason", callback=_reason, help="Why; kept, told and recorded.")
@click.option(
    "--for",
    "span",
    metavar="SPAN|MOMENT",
    help="It ends by itself after 90m, 8h or 2d, or at a moment in ISO 8601. Without it: resume.",
)
@speaks_to_the_service
def pause(service: Service, reason: str | None, span: str | None) -> None:
    """Write nothing to any function until `autorepair resume`; rollbacks go on."""
    now = service.clock.now()
    wanted = Pause(by=service.identity.arn(), since=now, why=reason, until=_until(span, now))
    before = service.pauses.in_force()
    # First the pause: it must hold even if the record does not get through.
    service.pauses.put(wanted)
    click.echo(wanted.told())
    if before is not None:
        click.echo(f"in the place of: {before.told()}")
    record(service, RecordKind.REPAIRS_PAUSED, wanted.told(), wanted.as_json())
    tell(service, RecordKind.REPAIRS_PAUSED, pause_message(wanted, service.environment))


@click.command()
@speaks_to_the_service
def resume(service: Service) -> None:
    """Let repairs go on after a pause. It does not end a trip of the storm breaker: quiet does."""
    before = service.pauses.in_force()
    if before is None:
        click.echo("repairs are not paused")
        return
    by = service.identity.arn()
    summary = f"{by} lets repairs go on; before: {before.told()}"
    # First the record: nothing goes on without one.
    record(service, RecordKind.REPAIRS_RESUMED, summary, {"by": by, "pause": before.as_json()})
    service.pauses.lift()
    click.echo(f"repairs go on; before: {before.told()}")
    tell_of_the_breaker(service, only_tripped=True)
    message = resume_message(by, before, service.environment)
    tell(service, RecordKind.REPAIRS_RESUMED, message)


def _until(span: str | None, now: datetime) -> datetime | None:
    return None if span is None else moment_after(span, now)
