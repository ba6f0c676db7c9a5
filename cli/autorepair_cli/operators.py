"""What operators do to the service itself leaves a record, and an event on the bus."""

from __future__ import annotations

import secrets
from typing import Any

import click

from autorepair.domain.audit import Entry, RecordKind
from autorepair.domain.errors import AutoRepairError
from autorepair.views.story import OPERATORS_PREFIX
from autorepair_cli.service import Service

_EVENTS = {
    RecordKind.REPAIRS_PAUSED: "RepairsPaused",
    RecordKind.REPAIRS_RESUMED: "RepairsResumed",
    RecordKind.POLICY_SET: "PolicyChanged",
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
