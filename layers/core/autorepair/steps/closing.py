"""Closing an incident: in the audit trail, in the state table, and on the bus."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from autorepair.domain.audit import AuditRecord, RecordKind
from autorepair.domain.incident import Incident, Outcome
from autorepair.ports import Ports
from autorepair.steps.recording import announce, record


def ended_orderly(chain: Iterable[AuditRecord]) -> AuditRecord | None:
    """Give the record with which the line itself closed the incident, and decided what stays."""
    closings = [one for one in chain if one.entry.kind is RecordKind.INCIDENT_CLOSED]
    orderly = [one for one in closings if one.entry.data.get("outcome") != Outcome.FAILED.value]
    return orderly[-1] if orderly else None


def keep_remembered(incident: Incident, ports: Ports) -> None:
    """Let what is in place stay: whoever cleans up later must not take it back.

    Raises:
        AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be told or kept.
    """
    remembered = ports.state.remembered_change(incident)
    if remembered is None or not remembered.is_unsettled:
        return
    kept: dict[str, object] = {"status": "kept"}
    if remembered.status not in {"planned", "applied"}:
        # A further step that was never written; what stays are the steps before it.
        kept |= {"change": remembered.origin, "origin": None}
    ports.state.remember_change(incident, remembered.model_copy(update=kept))


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
