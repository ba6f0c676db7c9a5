"""The record of everything that happened in an incident, as a hash chain."""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from typing import Any

from pydantic import Field

from autorepair.domain.value import Instant, Value

GENESIS = "0" * 64
"""What the first record of an incident names as the one before it."""


class RecordKind(StrEnum):
    """What a record is about."""

    INCIDENT_OPENED = "incident_opened"
    ALARM_JOINED = "alarm_joined"
    ALARM_IGNORED = "alarm_ignored"
    EVIDENCE_COLLECTED = "evidence_collected"
    DIAGNOSIS_MADE = "diagnosis_made"
    ACTION_DECIDED = "action_decided"
    APPROVAL_REQUESTED = "approval_requested"
    APPROVAL_ANSWERED = "approval_answered"
    APPROVAL_EXPIRED = "approval_expired"
    REPAIR_PLANNED = "repair_planned"
    REPAIR_APPLIED = "repair_applied"
    REPAIR_OVERTAKEN = "repair_overtaken"
    REPAIR_WITHHELD = "repair_withheld"
    PROBE_SENT = "probe_sent"
    REPAIR_VERIFIED = "repair_verified"
    ROLLBACK_PLANNED = "rollback_planned"
    ROLLBACK_DONE = "rollback_done"
    ALARM_FITTED = "alarm_fitted"
    FAILURE_HANDLED = "failure_handled"
    BREAKER_TRIPPED = "breaker_tripped"
    BREAKER_RESET = "breaker_reset"
    REPAIRS_PAUSED = "repairs_paused"
    REPAIRS_RESUMED = "repairs_resumed"
    POLICY_SET = "policy_set"
    FUNCTION_ENROLLED = "function_enrolled"
    FUNCTION_UNENROLLED = "function_unenrolled"
    MESSAGE_UNDELIVERED = "message_undelivered"
    MESSAGE_DELIVERED = "message_delivered"
    INCIDENT_CLOSED = "incident_closed"
    REPAIR_ADOPTED = "repair_adopted"
    REPAIR_REVERTED = "repair_reverted"
    REPAIR_REPLACED = "repair_replaced"
    REPAIR_GONE = "repair_gone"
    REPAIR_UNADOPTED = "repair_unadopted"
    OUTCOME_OBSERVED = "outcome_observed"


class Entry(Value):
    """What a step has to say: ``key`` makes saying it twice (a retry) harmless."""

    incident_id: str
    key: str
    kind: RecordKind
    at: Instant
    function_name: str | None
    summary: str
    data: dict[str, Any] = Field(default_factory=dict)


class AuditRecord(Value):
    """An entry with its place in the incident's chain."""

    entry: Entry
    seq: int
    prev_hash: str
    hash: str


def chain(entry: Entry, *, after: AuditRecord | None) -> AuditRecord:
    """Give ``entry`` its place behind ``after`` (None: it is the incident's first)."""
    seq = after.seq + 1 if after else 1
    prev_hash = after.hash if after else GENESIS
    return AuditRecord(
        entry=entry, seq=seq, prev_hash=prev_hash, hash=digest(entry, seq=seq, prev_hash=prev_hash)
    )


def digest(entry: Entry, *, seq: int, prev_hash: str) -> str:
    """Compute a record's SHA-256 (hex) over canonical JSON, its place and the hash before it."""
    body = {"entry": entry.as_json(), "seq": seq, "prev_hash": prev_hash}
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def first_break(records: tuple[AuditRecord, ...]) -> int | None:
    """Give the seq of the first record that does not follow from the one before, or None."""
    previous: AuditRecord | None = None
    for record in records:
        if record != chain(record.entry, after=previous):
            return record.seq
        previous = record
    return None
