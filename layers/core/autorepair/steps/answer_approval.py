"""A person's answer to the plan that waits for one: recorded first, then handed over."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Literal

from pydantic import Field

from autorepair.domain.approval import Approval
from autorepair.domain.audit import AuditRecord, Entry, RecordKind
from autorepair.domain.errors import (
    ContraryAnswerError,
    IncidentUnknownError,
    NotWaitingError,
    PlanChangedError,
)
from autorepair.domain.value import Value
from autorepair.ports import AnswerPorts

Records = tuple[AuditRecord, ...]
LONGEST_COMMENT = 1000
_GONE_ON = frozenset(
    {
        RecordKind.REPAIR_PLANNED,
        RecordKind.REPAIR_WITHHELD,
        RecordKind.REPAIR_APPLIED,
        RecordKind.ACTION_DECIDED,
    }
)
"""What an execution records after an answer has got through to it."""


class AnswerInput(Value):
    """Who says what to which plan; ``plan_hash`` is that of the plan the person has seen."""

    incident_id: str
    plan_hash: str
    answer: Literal["approved", "rejected"]
    by: str = Field(min_length=1)
    comment: str | None = Field(default=None, max_length=LONGEST_COMMENT)


class Answered(Value):
    """What stands in the record now; ``is_repeated`` when the same had been said before."""

    approval: Approval
    is_repeated: bool
    is_received: bool = True
    """False: recorded, and the execution did not wait for it; it may have it, or be over."""


def answer_approval(given: AnswerInput, ports: AnswerPorts) -> Answered:
    """Record the answer, then resume the execution with it.

    The first answer to a plan stands: the record is put under a key of its own, so that of two
    people who answer at the same moment one is told that it was decided already. The same answer
    again does no harm, and hands the answer over if that had failed.

    Raises:
        IncidentUnknownError: There is no record of the incident.
        PlanChangedError: Another plan waits than the one that was seen.
        ContraryAnswerError: The plan was answered differently before.
        NotWaitingError: Nothing was asked, or the question has expired, or the incident is closed.
        RecordConflictError, AccessDeniedError, TransientServiceError: It could not be recorded or
            handed over; the same answer may be given again.
    """
    records = ports.audit.chain_of(given.incident_id)
    _check_plan(given, records)
    earlier = _earlier(given, records)
    if earlier is not None:
        return _again(given, earlier, ports)
    token = _token(given, records, ports)
    mine = _entry(given, records, ports)
    stands = ports.audit.append(mine)
    if (stands.entry.at, stands.entry.data) != (mine.at, mine.data):
        # Somebody else answered between the reading and the writing.
        return _again(given, _said(stands), ports)
    is_received = _resume(given, token, records, mine, ports)
    return Answered(approval=_said(stands), is_repeated=False, is_received=is_received)


def open_question(records: Records) -> AuditRecord | None:
    """Give the record of the last question that an incident asked, None if it asked none."""
    asked = [r for r in records if r.entry.kind is RecordKind.APPROVAL_REQUESTED]
    return asked[-1] if asked else None


def _check_plan(given: AnswerInput, records: Records) -> None:
    if not records:
        raise IncidentUnknownError(f"there is no record of an incident {given.incident_id}")
    asked = open_question(records)
    if asked is None:
        raise NotWaitingError(
            f"incident {given.incident_id} has asked for no approval{_ending(records)}"
        )
    waiting = str(asked.entry.data["plan_hash"])
    if waiting != given.plan_hash:
        raise PlanChangedError(
            f"the plan of incident {given.incident_id} was made anew since: {given.plan_hash[:12]} "
            f"was answered, {waiting[:12]} waits; look at it and answer that one"
        )


def _earlier(given: AnswerInput, records: Records) -> Approval | None:
    key = _key(given)
    return next((_said(r) for r in records if r.entry.key == key), None)


def _again(given: AnswerInput, earlier: Approval, ports: AnswerPorts) -> Answered:
    if earlier.answer != given.answer:
        raise ContraryAnswerError(
            f"incident {given.incident_id} was {earlier.answer} by {earlier.by} before; "
            "the first answer stands"
        )
    # The token first: one that is of a later plan has that plan's decision in the records by now.
    token = ports.approvals.waiting_token(given.incident_id)
    records = ports.audit.chain_of(given.incident_id)
    late = next((r for r in records if r.entry.key == _late_key(_key(given))), None)
    if late is not None:
        raise NotWaitingError(f"incident {given.incident_id}: {late.entry.summary}")
    # What waits by now may be another question, of which there is no record yet.
    is_over = bool(_ending(records)) or _has_got_through(given, records)
    if token is not None and not is_over:
        # That it waits no more is how it should be: the answer got through the first time.
        with suppress(NotWaitingError):
            ports.approvals.resume(token, earlier)
    return Answered(approval=earlier, is_repeated=True)


def _has_got_through(given: AnswerInput, records: Records) -> bool:
    """Whether the execution has gone on since the answer was recorded."""
    said = next((r.seq for r in records if r.entry.key == _key(given)), None)
    return said is not None and any(r.seq > said and r.entry.kind in _GONE_ON for r in records)


def _token(given: AnswerInput, records: Records, ports: AnswerPorts) -> str:
    ending = _ending(records)
    if ending:
        raise NotWaitingError(f"incident {given.incident_id} does not wait any more{ending}")
    token = ports.approvals.waiting_token(given.incident_id)
    if token is None:
        raise NotWaitingError(
            f"incident {given.incident_id} does not wait any more: the question has expired"
        )
    return token


def _resume(
    given: AnswerInput, token: str, records: Records, mine: Entry, ports: AnswerPorts
) -> bool:
    """Hand the answer over; False: nothing waits for it, and nobody can say yet that it is late.

    Step Functions says the same of a task that expired and of one that has its answer. While the
    question lasts, this very answer may have got through already: given again by somebody else, or
    by an earlier try of this call whose receipt was lost. The records will tell.
    """
    approval = Approval(answer=given.answer, by=given.by, comment=given.comment)
    try:
        ports.approvals.resume(token, approval)
    except NotWaitingError as error:
        if _lasts(records, ports):
            return False
        late = f"the answer ({given.answer}) came too late: {error}"
        update = {
            "key": _late_key(mine.key),
            "summary": late,
            "data": {"plan_hash": given.plan_hash, "is_late": True},
        }
        ports.audit.append(mine.model_copy(update=update))
        raise NotWaitingError(f"incident {given.incident_id}: {late}") from error
    return True


def _lasts(records: Records, ports: AnswerPorts) -> bool:
    asked = open_question(records)
    seconds = asked.entry.data.get("timeout_s") if asked else None
    if asked is None or not isinstance(seconds, int):
        return False
    return ports.clock.now() < asked.entry.at + timedelta(seconds=seconds)


def _entry(given: AnswerInput, records: Records, ports: AnswerPorts) -> Entry:
    # In one line: in a list of records a line of its own could pass for another record.
    told = f": {' '.join(given.comment.split())}" if given.comment else ""
    return Entry(
        incident_id=given.incident_id,
        key=_key(given),
        kind=RecordKind.APPROVAL_ANSWERED,
        at=ports.clock.now(),
        function_name=records[0].entry.function_name,
        summary=f"{given.answer} by {given.by}{told}",
        data={
            "plan_hash": given.plan_hash,
            "answer": given.answer,
            "by": given.by,
            "comment": given.comment,
        },
    )


def _said(record: AuditRecord) -> Approval:
    data = record.entry.data
    return Approval(answer=data["answer"], by=data["by"], comment=data["comment"])


def _key(given: AnswerInput) -> str:
    return f"answer_approval/{given.plan_hash}"


def _late_key(key: str) -> str:
    return f"{key}/late"


def _ending(records: Records) -> str:
    """Say how the question or the incident ended, with a colon before it; empty while it waits."""
    asked = open_question(records)
    plan = {"plan_hash": asked.entry.data["plan_hash"]} if asked else None
    for record in reversed(records):
        if record.entry.kind is RecordKind.INCIDENT_CLOSED:
            return f": it was closed as {record.entry.data['outcome']}"
        if record.entry.kind is RecordKind.APPROVAL_EXPIRED and record.entry.data == plan:
            return ": nobody had answered in time"
    return ""
