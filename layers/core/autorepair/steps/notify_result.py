"""NotifyResult: tell people how it ended, and close the incident."""

from __future__ import annotations

from autorepair.domain.audit import AuditRecord, RecordKind
from autorepair.domain.course import Course, outcome_of
from autorepair.domain.incident import Outcome
from autorepair.domain.notification import Notification
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
    sent does not change how the incident ended: that is recorded, and reconcile sends it.

    Raises:
        AccessDeniedError, TransientServiceError: The record, or the watch, did not get through.
        RecordConflictError: The chain kept moving.
    """
    outcome = outcome_of(given)
    if outcome is Outcome.EXPIRED:
        _record_silence(given, ports)
    earlier = _closing_of_earlier_run(given, ports)
    if earlier is None:
        # What people are told to stay is never taken back, whatever fails from here on.
        keep_remembered(given.incident, ports)
        watch(given, outcome, ports)
        message = result_message(given, outcome)
        message_id = tell(message, given.incident, outcome, ports, key=KEY)
    else:
        message_id = earlier.entry.data["message_id"]
    last = close(given.incident, outcome, ports, key=KEY, data={"message_id": message_id})
    return Notification(outcome=outcome, message_id=message_id, head_hash=last.hash)


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


def _closing_of_earlier_run(given: NotifyResultInput, ports: Ports) -> AuditRecord | None:
    chain = ports.audit.chain_of(given.incident.id)
    return next((said for said in chain if said.entry.key == KEY), None)
