"""How a question stands that a person may hold the link to, told from its incident's records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from autorepair.domain.approval_link import ApprovalLink
from autorepair.domain.audit import AuditRecord, RecordKind
from autorepair.domain.change import Change
from autorepair.steps.answer_approval import Records
from autorepair.views.asked_plan import AskedPlan, asked_plan

_FROM_OUTSIDE = frozenset(
    {
        RecordKind.ALARM_JOINED,
        RecordKind.ALARM_IGNORED,
        RecordKind.MESSAGE_UNDELIVERED,
        RecordKind.MESSAGE_DELIVERED,
    }
)
"""Records that others than its execution add to an incident: they show nothing of its going on."""

_ACTED_ON = frozenset({RecordKind.REPAIR_PLANNED, RecordKind.REPAIR_WITHHELD})
"""What follows an approval that got through."""


class Standing(Enum):
    """What became of a question so far."""

    UNASKED = auto()
    """The message went out a moment ago, and that it did is not in the record yet.

    By the time that a form is filled in it is.
    """
    UNREADABLE = auto()
    """A record was altered, or the plan cannot be read: nobody can see what they would answer."""
    PLAN_CHANGED = auto()
    TOO_LATE = auto()
    """It was answered, and the execution waited no more, or has ended without the answer."""
    ANSWERED = auto()
    EXPIRED = auto()
    CLOSED = auto()
    """Its incident ended without an answer."""
    STOPPED = auto()
    """Somebody stopped its execution before anything was done about an answer."""
    WAITING = auto()


@dataclass(frozen=True)
class Question:
    """One question, what was asked, and how it stands."""

    standing: Standing
    plan: AskedPlan
    is_handed_over: bool
    """Whether the record shows that the execution went on with the answer."""
    is_past: bool
    """Whether its time is up by the clock; the records may lag, and be read for days after."""

    @property
    def is_open(self) -> bool:
        """Whether an answer may still do something.

        One that was recorded and perhaps not handed over may be given again.
        """
        if self.is_past:
            return False
        if self.standing is Standing.ANSWERED:
            return not self.is_handed_over
        return self.standing in {Standing.UNASKED, Standing.WAITING}


def question_of(link: ApprovalLink, records: Records, *, now: datetime) -> Question:
    """Say how the question stands that a link leads to."""
    plan = asked_plan(records, link.plan_hash)
    standing, is_past = _standing(link, records, plan), link.expires_at <= now
    if is_past and standing in {Standing.UNASKED, Standing.WAITING}:
        standing = Standing.EXPIRED
    return Question(standing, plan, _went_on(link, records), is_past)


def fingerprint_of(change: Change) -> str:
    """Give the fingerprint of what a change was planned on, empty for one planned on nothing."""
    return change.planned_on or ""


def _standing(link: ApprovalLink, records: Records, plan: AskedPlan) -> Standing:  # noqa: PLR0911 - one line for each
    if plan.change is None or not plan.may_be_answered:
        return Standing.UNREADABLE
    is_asked = _has(records, RecordKind.APPROVAL_REQUESTED, link)
    is_replaced = is_asked and plan.is_replaced
    if is_replaced or fingerprint_of(plan.change) != link.fingerprint:
        return Standing.PLAN_CHANGED
    has_expired = _has(records, RecordKind.APPROVAL_EXPIRED, link)
    if plan.is_late:
        return Standing.TOO_LATE
    if plan.said is not None:
        return _answered(link, records, plan, has_expired=has_expired)
    if has_expired:
        return Standing.EXPIRED
    if any(r.entry.kind is RecordKind.INCIDENT_CLOSED for r in records):
        return Standing.STOPPED if plan.is_stopped else Standing.CLOSED
    return Standing.WAITING if is_asked else Standing.UNASKED


def _answered(
    link: ApprovalLink, records: Records, plan: AskedPlan, *, has_expired: bool
) -> Standing:
    """Tell an answer that counts from one that was recorded and that nothing waited for."""
    if has_expired:
        return Standing.TOO_LATE
    answer = next(r for r in records if _is(r, RecordKind.APPROVAL_ANSWERED, link))
    is_acted_on = any(r.seq > answer.seq and r.entry.kind in _ACTED_ON for r in records)
    return Standing.STOPPED if plan.is_stopped and not is_acted_on else Standing.ANSWERED


def _has(records: Records, kind: RecordKind, link: ApprovalLink) -> bool:
    return any(_is(record, kind, link) for record in records)


def _is(record: AuditRecord, kind: RecordKind, link: ApprovalLink) -> bool:
    return record.entry.kind is kind and record.entry.data.get("plan_hash") == link.plan_hash


def _went_on(link: ApprovalLink, records: Records) -> bool:
    after = [r.entry.kind for r in records if r.entry.kind not in _FROM_OUTSIDE]
    is_last = bool(after) and after[-1] is RecordKind.APPROVAL_ANSWERED
    return _has(records, RecordKind.APPROVAL_ANSWERED, link) and not is_last
