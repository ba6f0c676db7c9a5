"""Closing an incident: in the audit trail, in the state table, and on the bus."""

from __future__ import annotations

from typing import Any

from autorepair.domain.audit import AuditRecord, RecordKind
from autorepair.domain.incident import Incident, Outcome
from autorepair.ports import Ports
from autorepair.steps.recording import announce, record


def close(
    incident: Incident, outcome: Outcome, ports: Ports, *, key: str, data: dict[str, Any]
) -> AuditRecord:
    """Close the incident; the event on the bus carries the hash of the chain's head.

    The state table comes last: an incident that is still open there is found by reconcile, so
    that whatever a sudden end left out is done after all.

    Raises:
        RecordConflictError, AccessDeniedError, TransientServiceError: It could not be recorded.
    """
    last = record(
        ports,
        incident,
        key=key,
        kind=RecordKind.INCIDENT_CLOSED,
        summary=f"closed: {outcome.value}",
        data={"outcome": outcome.value, **data},
    )
    finish_closing(incident, last, ports)
    return last


def finish_closing(incident: Incident, last: AuditRecord, ports: Ports) -> None:
    """Announce what was recorded as ``last``, and make room for the target's next incident."""
    announce(
        ports,
        "IncidentClosed",
        incident,
        outcome=last.entry.data["outcome"],
        head_hash=last.hash,
        head_seq=last.seq,
    )
    ports.state.close(incident)
