"""NotifyResult: tell people how it ended, and close the incident."""

from __future__ import annotations

from autorepair.domain.audit import AuditRecord, RecordKind
from autorepair.domain.course import Course, outcome_of
from autorepair.domain.errors import AutoRepairError, TransientServiceError
from autorepair.domain.incident import Outcome
from autorepair.domain.notification import Notification
from autorepair.domain.value import Instant
from autorepair.ports import Ports
from autorepair.steps.closing import close, keep_remembered
from autorepair.steps.recording import record
from autorepair.steps.telling import tell
from autorepair.steps.watching import watch
from autorepair.views.message import result_message

KEY = "notify_result"


class NotifyResultInput(Course):
    """The whole state data."""


def notify_result(given: NotifyResultInput, ports: Ports) -> Notification:
    """Send the message and close the incident.

    Once the closing is recorded, running again sends nothing. An end between the message and the
    record tells people twice: the other order could leave them untold. A message that cannot be
    sent does not change how the incident ended: that is recorded, and reconcile sends it. What
    cannot be watched is told all the same, and that it is not watched.

    Raises:
        AccessDeniedError, TransientServiceError: The record did not get through, or the watch may
            a moment later.
        RecordConflictError: The chain kept moving.
    """
    outcome = outcome_of(given)
    if outcome is Outcome.EXPIRED:
        _record_silence(given, ports)
    earlier = _closing_of_earlier_run(given, ports)
    if earlier is None:
        # What people are told to stay is never taken back, whatever fails from here on.
        keep_remembered(given.incident, ports)
        unwatched = _unwatched(given, outcome, ports)
        answered_at = _answered_at(given, ports)
        message = result_message(_with_note(given, unwatched), outcome, answered_at=answered_at)
        message_id = tell(message, given.incident, outcome, ports, key=KEY)
        data = {"message_id": message_id, **({"unwatched": unwatched} if unwatched else {})}
    else:
        data = earlier.entry.data
        message_id = data["message_id"]
    last = close(given.incident, outcome, ports, key=KEY, data=data)
    return Notification(outcome=outcome, message_id=message_id, head_hash=last.hash)


def _unwatched(given: NotifyResultInput, outcome: Outcome, ports: Ports) -> str | None:
    """Have it watched what becomes of it; says why not where trying again would not help."""
    try:
        watch(given, outcome, ports)
    except TransientServiceError:
        raise
    except AutoRepairError as error:
        return f"what becomes of it is not watched: {error}"
    return None


def _with_note(given: NotifyResultInput, note: str | None) -> NotifyResultInput:
    if note is None or given.change is None:
        return given
    noted = given.change.model_copy(update={"notes": (*given.change.notes, note)})
    return given.model_copy(update={"change": noted})


def _record_silence(given: NotifyResultInput, ports: Ports) -> None:
    """Nobody else can: a question that expires runs no code of ours before this state."""
    plan_hash = given.decision.plan_hash if given.decision else None
    record(
        ports,
        given.incident,
        key=f"{KEY}/expired/{plan_hash}",
        kind=RecordKind.APPROVAL_EXPIRED,
        summary="nobody answered in time: that is a no",
        data={"plan_hash": plan_hash},
    )


def _answered_at(given: NotifyResultInput, ports: Ports) -> Instant | None:
    """Say when the answer that the execution got was recorded; one that came too late is none."""
    if given.approval is None:
        return None
    told = given.approval.model_dump()
    answers = (
        said.entry
        for said in reversed(ports.audit.chain_of(given.incident.id))
        if said.entry.kind is RecordKind.APPROVAL_ANSWERED
    )
    return next((one.at for one in answers if {k: one.data.get(k) for k in told} == told), None)


def _closing_of_earlier_run(given: NotifyResultInput, ports: Ports) -> AuditRecord | None:
    chain = ports.audit.chain_of(given.incident.id)
    return next((said for said in chain if said.entry.key == KEY), None)
