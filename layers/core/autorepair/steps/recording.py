"""How steps leave records and announce what they did."""

from __future__ import annotations

import logging
from typing import Any

from autorepair.domain.audit import AuditRecord, Entry, RecordKind
from autorepair.domain.errors import AutoRepairError
from autorepair.domain.incident import Incident
from autorepair.ports import Ports

_log = logging.getLogger(__name__)


def record(  # noqa: PLR0913 - an entry has this many facts, and each is named where it is given
    ports: Ports,
    incident: Incident,
    *,
    key: str,
    kind: RecordKind,
    summary: str,
    data: dict[str, Any] | None = None,
    incident_id: str | None = None,
) -> AuditRecord:
    """Append to the incident's chain (or to that of ``incident_id``); the same key twice is one.

    Raises:
        RecordConflictError, AccessDeniedError, TransientServiceError: It could not be recorded,
            so the step must not go on.
    """
    entry = Entry(
        incident_id=incident_id or incident.id,
        key=key,
        kind=kind,
        at=ports.clock.now(),
        function_name=incident.target.function_name if incident.target else None,
        summary=summary,
        data=data or {},
    )
    return ports.audit.append(entry)


def announce(ports: Ports, detail_type: str, incident: Incident, **detail: object) -> None:
    """Put an event about the incident on the service's bus.

    The audit trail is the record; an announcement that fails must not undo a repair that worked,
    so it is logged and left.
    """
    body: dict[str, Any] = {
        "incident_id": incident.id,
        "function_name": incident.target.function_name if incident.target else None,
        "function_arn": incident.target.function_arn if incident.target else None,
        **detail,
    }
    try:
        ports.announcer.announce(detail_type, body)
    except AutoRepairError as error:
        _log.warning("%s of %s was not announced: %s", detail_type, incident.id, error)
