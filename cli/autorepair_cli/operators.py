"""What operators do to the service leaves a record and an event on the bus; people are told."""

from __future__ import annotations

import secrets
from typing import Any

import click

from autorepair.domain.audit import Entry, RecordKind
from autorepair.domain.errors import AutoRepairError
from autorepair.views.message import Message
from autorepair.views.story import OPERATORS_PREFIX
from autorepair_cli.service import Service

_EVENTS = {
    RecordKind.REPAIRS_PAUSED: "RepairsPaused",
    RecordKind.REPAIRS_RESUMED: "RepairsResumed",
    RecordKind.POLICY_SET: "PolicyChanged",
    RecordKind.FUNCTION_ENROLLED: "FunctionEnrolled",
    RecordKind.FUNCTION_UNENROLLED: "FunctionUnenrolled",
}


def record(service: Service, kind: RecordKind, summary: str, data: dict[str, Any]) -> None:
    """Append to the chain of this month's acts, and announce it.

    The record is what counts: an announcement that fails is told and left.

    Raises:
        RecordConflictError, AccessDeniedError, TransientServiceError: It could not be recorded.
    """
    now = service.clock.now()
    entry = Entry(
        incident_id=f"{OPERATORS_PREFIX}{now:%Y-%m}",
        key=f"{kind.value}/{now.isoformat()}/{secrets.token_hex(4)}",
        kind=kind,
        at=now,
        function_name=None,
        summary=summary,
        data=data,
    )
    service.audit.append(entry)
    try:
        service.announcer.announce(_EVENTS[kind], {"summary": summary, **data})
    except AutoRepairError as error:
        click.echo(f"not announced on the bus: {error}", err=True)


def tell(service: Service, kind: RecordKind, message: Message) -> None:
    """Send people a message about what was done.

    It has been done and recorded by then, so that a message which cannot be sent is said and left.
    """
    try:
        sent = service.notifier().publish(
            subject=message.subject, message=message.body, attributes={"kind": kind.value}
        )
    except AutoRepairError as error:
        click.echo(f"nobody was told: {error}", err=True)
        return
    click.echo(f"people are told (message {sent})")
