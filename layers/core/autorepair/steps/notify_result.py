"""NotifyResult: tell people how it ended, and close the incident."""

from __future__ import annotations

from autorepair.domain.course import Course, outcome_of
from autorepair.domain.notification import Notification
from autorepair.ports import Ports
from autorepair.steps.closing import close
from autorepair.views.message import result_message

KEY = "notify_result"


class NotifyResultInput(Course):
    """The whole state data."""


def notify_result(given: NotifyResultInput, ports: Ports) -> Notification:
    """Send the message and close the incident; running again sends nothing twice.

    Raises:
        AccessDeniedError, TransientServiceError: The message or the record did not get through.
        RecordConflictError: The chain kept moving.
    """
    outcome = outcome_of(given)
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


def _message_id_of_earlier_run(given: NotifyResultInput, ports: Ports) -> str | None:
    for entry in (record.entry for record in ports.audit.chain_of(given.incident.id)):
        if entry.key == KEY:
            return str(entry.data["message_id"])
    return None
