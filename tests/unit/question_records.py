"""The records of an incident that asks a person, for the tests of the page that shows them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from autorepair.domain.audit import AuditRecord, Entry, RecordKind, chain
from autorepair.domain.cost import CostEstimate
from autorepair.domain.decision import Decision
from autorepair.domain.diagnosis import Diagnosis
from autorepair.domain.evidence import EvidenceSummary, Gap
from autorepair.domain.incident import Outcome
from unit.builders import (
    ALARM,
    DIAGNOSIS,
    INCIDENT,
    TARGET,
    applied,
    change,
    decision,
    evidence,
    verification,
)
from unit.fakes import NOW, summary_of

Records = tuple[AuditRecord, ...]
EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:lambda-auto-repair-prod:one"
LINE = "12:00:01 Task timed out after 3.00 seconds"
SURE = DIAGNOSIS.model_copy(
    update={
        "quotes": (LINE, "12:00:02 REPORT Duration: 3000.00 ms"),
        "confidence_interval": (0.8, 0.95),
    }
)
COST = CostEstimate(
    added_usd_month=1.25, usd_per_million=0.5, basis="1000 calls a month", prices_of="2026-01-01"
)
ASKED = decision(
    action="ask", reason="the mode of set_timeout is ask", cost=COST, approval_timeout_s=7200
)
PLAN = str(ASKED.plan_hash)


def seen() -> EvidenceSummary:
    gap = Gap(source="change log", reason="CloudTrail answered too late")
    beside = {"gaps": (gap,), "log_group": "/aws/lambda/patient-slow-invoice"}
    return summary_of(evidence(), key="e").model_copy(update=beside)


def told(
    records: Records,
    kind: RecordKind,
    summary: str = "",
    data: Mapping[str, object] | None = None,
) -> Records:
    """Add a record, half a minute after the last."""
    entry = Entry(
        incident_id=INCIDENT.id,
        key=f"{kind.value}/{len(records)}",
        kind=kind,
        at=NOW + timedelta(seconds=30 * len(records)),
        function_name=TARGET.function_name,
        summary=summary or kind.value,
        data=dict(data or {}),
    )
    return (*records, chain(entry, after=records[-1] if records else None))


def asked(diagnosis: Diagnosis = SURE, made: Decision = ASKED, *, reason: str = "") -> Records:
    """Give the records of an incident up to its question; ``reason`` is the alarm's."""
    alarm = ALARM.model_copy(update={"reason": reason or ALARM.reason})
    opening = {"alarm": alarm.as_json(), "target": TARGET.as_json(), "execution": EXECUTION}
    question = {
        "plan_hash": made.plan_hash,
        "step": made.step,
        "timeout_s": made.approval_timeout_s,
        "message_id": "m-1",
    }
    said = told((), RecordKind.INCIDENT_OPENED, f"opened for {alarm.name}", opening)
    said = told(said, RecordKind.EVIDENCE_COLLECTED, "8 invocations", seen().as_json())
    said = told(said, RecordKind.DIAGNOSIS_MADE, diagnosis.why, diagnosis.as_json())
    said = told(said, RecordKind.ACTION_DECIDED, f"ask: {made.reason}", made.as_json())
    return told(said, RecordKind.APPROVAL_REQUESTED, f"asked a person: {made.reason}", question)


def answered(
    records: Records,
    answer: str = "approved",
    by: str = "Ada, by the link",
    comment: str | None = None,
) -> Records:
    said = {"plan_hash": PLAN, "answer": answer, "by": by, "comment": comment}
    return told(records, RecordKind.APPROVAL_ANSWERED, f"{answer} by {by}", said)


def closed(records: Records, outcome: Outcome) -> Records:
    return told(records, RecordKind.INCIDENT_CLOSED, "closed", {"outcome": outcome.value})


def repaired() -> Records:
    """Give the records of a question that was approved and a repair that helped."""
    said = answered(asked(), comment="go on")
    plan = {"change": change().as_json(), "approved_by": "Ada, by the link"}
    said = told(said, RecordKind.REPAIR_PLANNED, "about to write", plan)
    said = told(said, RecordKind.REPAIR_APPLIED, "applied", applied().as_json())
    said = told(said, RecordKind.REPAIR_VERIFIED, "none of 10 failed", verification().as_json())
    return closed(said, Outcome.REPAIRED)
