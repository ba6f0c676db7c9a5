"""An incident as people read it: its line in a list, and the whole of it, from its records."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, timedelta
from typing import Any

from autorepair.domain.audit import AuditRecord, RecordKind
from autorepair.domain.change import Change, ChangeRecord, RollbackRecord
from autorepair.domain.decision import Decision
from autorepair.domain.diagnosis import Diagnosis
from autorepair.domain.evidence import EvidenceSummary
from autorepair.domain.incident import Outcome
from autorepair.domain.value import Instant, Value
from autorepair.domain.verification import Verification
from autorepair.domain.watched import Drift, Observed
from autorepair.views.cost import cost_in_words
from autorepair.views.evidence_text import shares_between
from autorepair.views.message import (
    PLAN_HASH_SHOWN,
    described,
    environment_option,
    move_described,
)
from autorepair.views.traffic import traffic_in_words

Records = tuple[AuditRecord, ...]


OPERATORS_PREFIX = "operators-"
"""Chains that hold what operators did to the service, by month, and no incident."""


class IncidentLine(Value):
    """One incident in a list; what has not come yet is None."""

    incident_id: str
    function_name: str | None
    began_at: Instant
    last_at: Instant
    alarm: str | None = None
    root_cause: str | None = None
    confidence: float | None = None
    decision: str | None = None
    change: str | None = None
    is_waiting: bool = False
    """Whether it has asked a person and has no answer yet."""
    plan: str | None = None
    """The change that was planned last, in words."""
    plan_hash: str | None = None
    answer_until: Instant | None = None
    """When the question that was asked last expires."""
    execution_arn: str | None = None
    outcome: Outcome | None = None

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.outcome is None

    @property
    def answer_command(self) -> str | None:
        """The command that agrees to the plan; None while nothing waits for an answer."""
        if not self.is_waiting:
            return None
        plan = f" --plan {self.plan_hash[:PLAN_HASH_SHOWN]}" if self.plan_hash else ""
        environment = environment_option(self.execution_arn or "")
        return f"autorepair approve {self.incident_id}{plan}{environment}"


class Passage(Value):
    """One record as people read it: what happened, when, and the facts beside it."""

    at: Instant
    seq: int
    heading: str
    summary: str
    facts: tuple[str, ...] = ()


def line_of(records: Records) -> IncidentLine:
    """Sum an incident up.

    Raises:
        ValueError: There are no records.
    """
    if not records:
        raise ValueError("an incident without a record cannot be summed up")
    first, last = records[0].entry, records[-1].entry
    fields: dict[str, Any] = {}
    for record in records:
        fields |= _fields_of(record)
    return IncidentLine(
        incident_id=first.incident_id,
        function_name=next((r.entry.function_name for r in records if r.entry.function_name), None),
        began_at=first.at,
        last_at=last.at,
        **fields,
    )


def lines_of(records: Iterable[AuditRecord]) -> tuple[IncidentLine, ...]:
    """Sum up every incident among the records, latest first."""
    chains: dict[str, list[AuditRecord]] = {}
    for record in records:
        if record.entry.incident_id.startswith(OPERATORS_PREFIX):
            continue
        chains.setdefault(record.entry.incident_id, []).append(record)
    ordered = (tuple(sorted(chain, key=lambda r: r.seq)) for chain in chains.values())
    return tuple(sorted((line_of(c) for c in ordered), key=lambda i: i.began_at, reverse=True))


def story_of(records: Records) -> tuple[Passage, ...]:
    """Tell an incident record by record."""
    return tuple(_passage(record) for record in records)


def planned_change(records: Records, plan_hash: str) -> Change | None:
    """Give the change that a plan hash stands for, from the decision that made it."""
    for record in reversed(records):
        is_decision = record.entry.kind is RecordKind.ACTION_DECIDED
        if is_decision and record.entry.data.get("plan_hash") == plan_hash:
            return Decision.model_validate(record.entry.data).change
    return None


def arrow(change: Change) -> str:
    """Say a change in a line, before and after."""
    told = f"{described(change.before)} → {described(change.after)}"
    return told if change.release is None else f"{told}; {move_described(change.release)}"


def _fields_of(record: AuditRecord) -> dict[str, Any]:
    entry = record.entry
    fields = _FIELDS.get(entry.kind)
    try:
        if entry.kind is RecordKind.APPROVAL_REQUESTED:
            return {"is_waiting": True, "answer_until": _expiry(entry.at, entry.data)}
        return fields(entry.data) if fields else {}
    except (ValueError, KeyError, TypeError):
        # Altered, or of another version of the service; the chain and the summary tell more.
        return {}


def _alarm_name(data: dict[str, Any]) -> str | None:
    return (data.get("alarm") or {}).get("name")


def _planned(data: dict[str, Any]) -> str | None:
    change = data.get("change")
    return arrow(Change.model_validate(change)) if change else None


def _applied(data: dict[str, Any]) -> str | None:
    in_place = ChangeRecord.model_validate(data).in_place
    return arrow(in_place) if in_place else None


def _passage(record: AuditRecord) -> Passage:
    entry = record.entry
    facts = _FACTS.get(entry.kind, _no_facts)
    try:
        told = facts(entry.data)
        if entry.kind is RecordKind.APPROVAL_REQUESTED:
            told = (*told, f"expires at: {_expiry(entry.at, entry.data):%Y-%m-%d %H:%M:%S} UTC")
    except (ValueError, KeyError, TypeError):
        # Altered, or of another version of the service: its summary still says what happened.
        told = ()
    return Passage(
        at=entry.at,
        seq=record.seq,
        heading=entry.kind.value.replace("_", " "),
        summary=entry.summary,
        facts=told,
    )


def _expiry(asked_at: Instant, data: dict[str, Any]) -> Instant:
    return asked_at.astimezone(UTC) + timedelta(seconds=data["timeout_s"])


def _no_facts(_data: dict[str, Any]) -> tuple[str, ...]:
    return ()


def _of_alarm(data: dict[str, Any]) -> tuple[str, ...]:
    alarm = data.get("alarm") or {}
    facts = [f"alarm: {alarm['name']} ({alarm['kind']})"] if alarm else []
    if alarm.get("reason"):
        facts.append(f"reason: {alarm['reason']}")
    if data.get("execution"):
        facts.append(f"execution: {data['execution']}")
    return tuple(facts)


def _of_evidence(data: dict[str, Any]) -> tuple[str, ...]:
    summary = EvidenceSummary.model_validate(data)
    return (
        f"looked at: {summary.window_start:%Y-%m-%d %H:%M:%S} to {summary.window_end:%H:%M:%S} UTC",
        f"the whole of it: s3://{summary.bucket}/{summary.key}",
        *([f"called: {traffic_in_words(summary.traffic)}"] if summary.traffic else []),
        *(f"could not be read: {gap.source}: {gap.reason}" for gap in summary.gaps),
    )


def _of_diagnosis(data: dict[str, Any]) -> tuple[str, ...]:
    diagnosis = Diagnosis.model_validate(data)
    interval = diagnosis.confidence_interval
    measured = (f"of diagnoses this sure, right: {shares_between(interval)}",) if interval else ()
    if diagnosis.quotes:
        return (*measured, *(f"evidence cited: {quote}" for quote in diagnosis.quotes))
    if not diagnosis.cites:
        return measured
    cites = ", ".join(diagnosis.cites)
    return (*measured, f"evidence cited (ids; --evidence tells their words): {cites}")


def _of_decision(data: dict[str, Any]) -> tuple[str, ...]:
    decision = Decision.model_validate(data)
    facts = []
    if decision.change is not None:
        facts.append(f"plan: {arrow(decision.change)}")
    if decision.cost is not None:
        facts.append(f"added cost: {cost_in_words(decision.cost)}")
    if decision.plan_hash is not None:
        facts.append(f"plan hash: {decision.plan_hash[:PLAN_HASH_SHOWN]}")
    if decision.refusal is not None:
        facts.append(f"withheld by: {decision.refusal.code.value}: {decision.refusal.why}")
    return tuple(facts)


def _of_request(data: dict[str, Any]) -> tuple[str, ...]:
    return (
        f"plan hash: {str(data['plan_hash'])[:PLAN_HASH_SHOWN]}",
        f"message: {data['message_id']}",
    )


def _of_answer(data: dict[str, Any]) -> tuple[str, ...]:
    return (f"plan hash: {str(data['plan_hash'])[:PLAN_HASH_SHOWN]}",)


def _of_plan(data: dict[str, Any]) -> tuple[str, ...]:
    approved_by = data.get("approved_by")
    return (
        f"change: {arrow(Change.model_validate(data['change']))}",
        *([f"approved by: {approved_by}"] if approved_by else []),
    )


def _of_change(data: dict[str, Any]) -> tuple[str, ...]:
    applied = ChangeRecord.model_validate(data)
    return (f"change: {arrow(applied.change)}",) if applied.change else ()


def _of_verification(data: dict[str, Any]) -> tuple[str, ...]:
    seen = Verification.model_validate(data)
    chance = "" if seen.p_value is None else f", p = {seen.p_value:.2g}"
    return (
        f"before: {seen.before.failures} failed of {seen.before.invocations}",
        f"after: {seen.after.failures} failed of {seen.after.invocations}{chance}",
    )


def _of_rollback(data: dict[str, Any]) -> tuple[str, ...]:
    return (f"change: {arrow(RollbackRecord.model_validate(data).change)}",)


def _of_closing(data: dict[str, Any]) -> tuple[str, ...]:
    message, unwatched = data.get("message_id"), data.get("unwatched")
    return (
        *([f"message: {message}"] if message else []),
        *([str(unwatched)] if unwatched else []),
    )


def _of_drift(data: dict[str, Any]) -> tuple[str, ...]:
    drift = Drift.model_validate(data["drift"])
    return (
        f"repair: {arrow(drift.change)}",
        *([f"now: {drift.now}"] if drift.now else []),
        *([f"by: {drift.by}"] if drift.by else []),
        *([f"message: {data['message_id']}"] if data.get("message_id") else []),
    )


def _of_outcome(data: dict[str, Any]) -> tuple[str, ...]:
    seen = Observed.model_validate(data)
    withheld = "only observed" if seen.withheld == "observe" else seen.withheld
    return (
        f"plan, {withheld}: {arrow(seen.change)}",
        *([f"by: {seen.by}"] if seen.by else []),
    )


_FACTS: dict[RecordKind, Callable[[dict[str, Any]], tuple[str, ...]]] = {
    RecordKind.INCIDENT_OPENED: _of_alarm,
    RecordKind.ALARM_JOINED: _of_alarm,
    RecordKind.ALARM_IGNORED: _of_alarm,
    RecordKind.EVIDENCE_COLLECTED: _of_evidence,
    RecordKind.DIAGNOSIS_MADE: _of_diagnosis,
    RecordKind.ACTION_DECIDED: _of_decision,
    RecordKind.APPROVAL_REQUESTED: _of_request,
    RecordKind.APPROVAL_ANSWERED: _of_answer,
    RecordKind.REPAIR_PLANNED: _of_plan,
    RecordKind.REPAIR_APPLIED: _of_change,
    RecordKind.REPAIR_OVERTAKEN: _of_change,
    RecordKind.REPAIR_WITHHELD: _of_plan,
    RecordKind.REPAIR_VERIFIED: _of_verification,
    RecordKind.ROLLBACK_PLANNED: _of_plan,
    RecordKind.ROLLBACK_DONE: _of_rollback,
    RecordKind.INCIDENT_CLOSED: _of_closing,
    RecordKind.REPAIR_ADOPTED: _of_drift,
    RecordKind.REPAIR_REVERTED: _of_drift,
    RecordKind.REPAIR_REPLACED: _of_drift,
    RecordKind.REPAIR_GONE: _of_drift,
    RecordKind.REPAIR_UNADOPTED: _of_plan,
    RecordKind.OUTCOME_OBSERVED: _of_outcome,
}

_NOT_WAITING = {"is_waiting": False}
_FIELDS: dict[RecordKind, Callable[[dict[str, Any]], dict[str, Any]]] = {
    RecordKind.INCIDENT_OPENED: lambda data: {
        "alarm": _alarm_name(data),
        "execution_arn": data.get("execution"),
    },
    RecordKind.ALARM_IGNORED: lambda data: {
        "alarm": _alarm_name(data),
        "outcome": Outcome.IGNORED,
    },
    RecordKind.FAILURE_HANDLED: lambda data: (
        {"alarm": _alarm_name(data)} if data.get("alarm") else {}
    ),
    RecordKind.DIAGNOSIS_MADE: lambda data: {
        "root_cause": data["root_cause"],
        "confidence": data["confidence"],
    },
    RecordKind.ACTION_DECIDED: lambda data: {
        "decision": data["action"],
        "plan": _planned(data),
        "plan_hash": data.get("plan_hash"),
        **_NOT_WAITING,
    },
    RecordKind.APPROVAL_ANSWERED: lambda _data: _NOT_WAITING,
    RecordKind.APPROVAL_EXPIRED: lambda _data: _NOT_WAITING,
    RecordKind.REPAIR_APPLIED: lambda data: {"change": _applied(data)},
    RecordKind.ROLLBACK_DONE: lambda _data: {"change": None},
    RecordKind.REPAIR_REVERTED: lambda _data: {"change": None},
    RecordKind.REPAIR_REPLACED: lambda _data: {"change": None},
    RecordKind.REPAIR_GONE: lambda _data: {"change": None},
    RecordKind.INCIDENT_CLOSED: lambda data: {
        "outcome": Outcome(data["outcome"]),
        **_NOT_WAITING,
    },
}
