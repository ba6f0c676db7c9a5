"""NotifyResult: tell people how it ended, and close the incident."""

from __future__ import annotations

from autorepair.domain.audit import RecordKind
from autorepair.domain.course import Course, outcome_of
from autorepair.domain.incident import Outcome
from autorepair.domain.notification import Notification
from autorepair.ports import Ports
from autorepair.steps.closing import close
from autorepair.steps.recording import record
from autorepair.views.message import result_message

KEY = "notify_result"


class NotifyResultInput(Course):
    """The whole state data."""


def notify_result(given: NotifyResultInput, ports: Ports) -> Notification:
    """Send the message and close the incident.

    Once the closing is recorded, running again sends nothing. An end between the message and the
    record tells people twice: the other order could leave them untold.

    Raises:
        AccessDeniedError, TransientServiceError: The message or the record did not get through.
        RecordConflictError: The chain kept moving.
    """
    outcome = outcome_of(given)
    if outcome is Outcome.EXPIRED:
        _record_silence(given, ports)
    message_id = _message_id_of_earlier_run(given, ports)
    if message_id is None:
        message = result_message(given, outcome)
        message_id = ports.notifier.publish(
            subject=message.subject,
            message=message.body,
            attributes={"kind": "incident_closed", "outcome": outcome.value},
        )
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


def _message_id_of_earlier_run(given: NotifyResultInput, ports: Ports) -> str | None:
    for said in ports.audit.chain_of(given.incident.id):
        if said.entry.key == KEY:
            return str(said.entry.data["message_id"])
    return None
