"""What an incident's records tell of one plan that a person was asked about."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Literal, TypeVar, get_args

from pydantic import ValidationError

from autorepair.domain.audit import AuditRecord, RecordKind, first_break
from autorepair.domain.change import Change
from autorepair.domain.decision import Decision
from autorepair.domain.diagnosis import Diagnosis
from autorepair.domain.errors import NothingKeptError
from autorepair.domain.evidence import EvidenceSummary
from autorepair.domain.failure import Undo
from autorepair.domain.incident import Alarm, Outcome, Target
from autorepair.domain.value import Instant, Value
from autorepair.views.patch import Kept, kept_change
from autorepair.views.story import Records

V = TypeVar("V", bound=Value)


class Said(Value):
    """A person's answer, as it was recorded."""

    answer: Literal["approved", "rejected"]
    by: str
    comment: str | None = None
    at: Instant


class AskedPlan(Value):
    """What can be read of the plan and of what became of it; None where nothing can."""

    incident_id: str
    execution_arn: str = ""
    target: Target | None = None
    alarm: Alarm | None = None
    evidence: EvidenceSummary | None = None
    diagnosis: Diagnosis | None = None
    decision: Decision | None = None
    until: Instant | None = None
    """When the question expires."""
    said: Said | None = None
    is_late: bool = False
    """Whether the answer came when nothing waited for it any more."""
    is_replaced: bool = False
    """Whether another plan of the incident was asked about later."""
    outcome: Outcome | None = None
    stopped: Undo | None = None
    """What became of its changes where somebody stopped the execution; None: nobody did."""
    kept: Kept | None = None
    altered_at: int | None = None
    """The number of the first record that does not follow from the one before it."""

    @property
    def change(self) -> Change | None:
        """The change that was planned."""
        return self.decision.change if self.decision else None

    @property
    def function_name(self) -> str:
        """The function's name, empty if no record tells it."""
        return self.target.function_name if self.target else ""

    @property
    def is_stopped(self) -> bool:
        """Whether somebody stopped the incident's execution."""
        return self.stopped is not None

    @property
    def may_be_answered(self) -> bool:
        """Whether a person can see what they would answer, and the record holds together."""
        return self.change is not None and self.altered_at is None


def asked_plan(records: Records, plan_hash: str) -> AskedPlan:
    """Read the records; what another version of the service wrote is left out, not guessed."""
    opened = _last(records, RecordKind.INCIDENT_OPENED)
    decision = _decision(records, plan_hash)
    target = decision.change.target if decision and decision.change else None
    return AskedPlan(
        incident_id=records[0].entry.incident_id if records else "",
        execution_arn=str(opened.get("execution") or ""),
        target=target or _parsed(Target, opened.get("target")),
        alarm=_parsed(Alarm, opened.get("alarm")),
        evidence=_parsed(EvidenceSummary, _last(records, RecordKind.EVIDENCE_COLLECTED)),
        diagnosis=_parsed(Diagnosis, _last(records, RecordKind.DIAGNOSIS_MADE)),
        decision=decision,
        until=_until(records, plan_hash),
        said=_said(records, plan_hash),
        is_late=any(
            record.entry.data.get("is_late") is True
            for record in _of_plan(records, RecordKind.APPROVAL_ANSWERED, plan_hash)
        ),
        is_replaced=_is_replaced(records, plan_hash),
        outcome=_outcome(records),
        stopped=_stopped(records),
        kept=_kept(records),
        altered_at=first_break(records),
    )


def _last(records: Records, kind: RecordKind) -> dict[str, Any]:
    return next((r.entry.data for r in reversed(records) if r.entry.kind is kind), {})


def _of_plan(records: Records, kind: RecordKind, plan_hash: str) -> Iterator[AuditRecord]:
    for record in records:
        if record.entry.kind is kind and record.entry.data.get("plan_hash") == plan_hash:
            yield record


def _parsed(model: type[V], data: object) -> V | None:
    try:
        return model.model_validate(data)
    except ValidationError:
        return None


def _decision(records: Records, plan_hash: str) -> Decision | None:
    made = list(_of_plan(records, RecordKind.ACTION_DECIDED, plan_hash))
    return _parsed(Decision, made[-1].entry.data) if made else None


def _until(records: Records, plan_hash: str) -> Instant | None:
    asked = next(_of_plan(records, RecordKind.APPROVAL_REQUESTED, plan_hash), None)
    if asked is None or not isinstance(seconds := asked.entry.data.get("timeout_s"), int):
        return None
    return asked.entry.at + timedelta(seconds=seconds)


def _said(records: Records, plan_hash: str) -> Said | None:
    for record in _of_plan(records, RecordKind.APPROVAL_ANSWERED, plan_hash):
        data = {name: record.entry.data.get(name) for name in ("answer", "by", "comment")}
        if (said := _parsed(Said, {**data, "at": record.entry.at})) is not None:
            return said
    return None


def _is_replaced(records: Records, plan_hash: str) -> bool:
    asked = _last(records, RecordKind.APPROVAL_REQUESTED).get("plan_hash")
    return asked is not None and asked != plan_hash


def _outcome(records: Records) -> Outcome | None:
    told = _last(records, RecordKind.INCIDENT_CLOSED).get("outcome")
    return Outcome(told) if isinstance(told, str) and told in set(Outcome) else None


def _stopped(records: Records) -> Undo | None:
    handled = _last(records, RecordKind.FAILURE_HANDLED)
    told = handled.get("undo")
    is_stopped = handled.get("execution") == "ABORTED"
    return next((undo for undo in get_args(Undo) if is_stopped and undo == told), None)


def _kept(records: Records) -> Kept | None:
    try:
        return kept_change(records)
    except (NothingKeptError, ValueError):
        return None
