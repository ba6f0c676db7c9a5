"""An alarm joins the incident that is open on its function; people are told if a change stands."""

from __future__ import annotations

from datetime import timedelta

from autorepair.domain.audit import RecordKind
from autorepair.domain.change import Change
from autorepair.domain.incident import Incident
from autorepair.ports import Ports
from autorepair.steps.recording import record
from autorepair.steps.standing_told import tell_once

OF_BEFORE = timedelta(minutes=10)
"""An alarm this soon after a change may well be about what was before it.

If it is not, it stands an hour later, and people are told then (`standing_told`).
"""


def join(incident: Incident, open_incident_id: str, ports: Ports) -> None:
    """Record that the alarm joined; once an incident, tell people that it did so after a repair.

    What it means is for verification to say, and the next look may be an hour away: people can
    look sooner. A message that cannot be sent holds nothing up, and the next alarm tries again.

    Raises:
        RecordConflictError, AccessDeniedError, TransientServiceError: It could not be recorded.
    """
    name = incident.alarm.name if incident.alarm else "?"
    record(
        ports,
        incident,
        incident_id=open_incident_id,
        key=f"parse_alarm_event/joined/{incident.id}",
        kind=RecordKind.ALARM_JOINED,
        summary=f"alarm {name} joined: {incident.reason}",
        data={
            "alarm": incident.alarm.as_json() if incident.alarm else None,
            "qualifier": incident.target.qualifier if incident.target else None,
            "execution": incident.execution_arn,
        },
    )
    change = _in_place(incident, open_incident_id, ports)
    if change is not None:
        tell_once(incident, open_incident_id, change, ports)


def _in_place(incident: Incident, open_incident_id: str, ports: Ports) -> Change | None:
    """Give the change that the alarm may be about; whoever starts by hand knows of it."""
    alarm = incident.alarm
    if alarm is None or alarm.kind == "manual":
        return None
    remembered = ports.state.change_of(open_incident_id)
    if remembered is None or remembered.applied_at is None:
        return None
    return remembered.in_place if alarm.changed_at - remembered.applied_at >= OF_BEFORE else None
