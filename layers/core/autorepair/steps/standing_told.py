"""People are told, once an incident, of an alarm that stands while its change is watched."""

from __future__ import annotations

import logging
from datetime import timedelta

from autorepair.domain.audit import RecordKind
from autorepair.domain.change import Change
from autorepair.domain.errors import AutoRepairError
from autorepair.domain.incident import Incident
from autorepair.domain.verification import Verification
from autorepair.ports import Ports
from autorepair.steps.alarm_standing import newest_standing
from autorepair.steps.recording import record
from autorepair.steps.traffic_since import Made
from autorepair.views.joined import joined_message

_log = logging.getLogger(__name__)
STANDS_FOR = timedelta(hours=1)
"""So long after a change most alarms no longer look at what was before it."""
_TOLD = "parse_alarm_event/joined/told"


def tell_of_standing(incident: Incident, made: Made, found: Verification, ports: Ports) -> None:
    """Tell people of an alarm that stands an hour after the change, where that is watched on.

    CloudWatch speaks on transitions only: one that went off right after the change, when it might
    have been about what was before, is not heard of again, and windows may last for days. Nothing
    is held up by it: what cannot be looked at or told is tried again at the next look.
    """
    if found.next != "wait" or ports.clock.now() - made.applied_at < STANDS_FOR:
        return
    try:
        alarm = newest_standing(incident, ports, change=made.whole)
        if alarm is not None:
            standing = incident.model_copy(update={"alarm": alarm})
            tell_once(standing, incident.id, made.whole, ports)
    except AutoRepairError as error:
        _log.warning("the alarms of %s could not be looked at: %s", incident.id, error)


def tell_once(incident: Incident, open_incident_id: str, change: Change, ports: Ports) -> None:
    """Tell people that the alarm stands, unless they have been told of one of the incident.

    A message that cannot be sent holds nothing up, and the next alarm or look tries again.

    Raises:
        RecordConflictError, AccessDeniedError, TransientServiceError: It could not be recorded.
    """
    if any(one.entry.key == _TOLD for one in ports.audit.chain_of(open_incident_id)):
        return
    message = joined_message(incident, open_incident_id, change)
    try:
        message_id = ports.notifier.publish(
            subject=message.subject,
            message=message.body,
            attributes={"kind": "alarm_joined"},
        )
    except AutoRepairError as error:
        _log.warning("people were not told of an alarm of %s: %s", open_incident_id, error)
        return
    record(
        ports,
        incident,
        incident_id=open_incident_id,
        key=_TOLD,
        kind=RecordKind.MESSAGE_DELIVERED,
        summary="people were told that an alarm stands while the change is watched",
        data={"subject": message.subject, "message_id": message_id},
    )
