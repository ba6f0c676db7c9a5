"""Whether an incident's alarms still stand, and whether somebody has silenced them.

An incident may have several alarms: the one that opened it, and those that joined. One of them
that stands in ALARM and is not silenced is enough to go on. One of another alias or version says
nothing of the traffic that is to be repaired, so it does not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import ValidationError

from autorepair.domain.audit import RecordKind
from autorepair.domain.change import AliasSetting, Change
from autorepair.domain.errors import AccessDeniedError, ConfigurationError
from autorepair.domain.incident import Alarm, Incident
from autorepair.ports import Ports

MOST_JOINED = 50
"""Alarms looked at for one incident."""


@dataclass(frozen=True)
class Obstacle:
    """Why an incident's alarms do not call for a write (any more)."""

    status: Literal["recovered", "refused"]
    reason: str


def obstacle_to_a_write(
    incident: Incident, ports: Ports, *, change: Change | None = None
) -> Obstacle | None:
    """Ask CloudWatch what stands in the way of a write, if anything; a start by hand has no alarm.

    Of a ``change`` that moves an alias, that alias counts, whatever the incident is of.

    Raises:
        TransientServiceError: The same question may be answered a moment later.
    """
    alarms = _alarms_of(incident, ports, change)
    if not alarms:
        return None
    try:
        return _obstacle([alarm.name for alarm in alarms], ports)
    except (AccessDeniedError, ConfigurationError) as error:
        return Obstacle("refused", f"it cannot be told whether the alarm still stands: {error}")


def newest_standing(incident: Incident, ports: Ports, *, change: Change) -> Alarm | None:
    """Give the incident's alarm that went off last of those that stand and are not silenced.

    Raises:
        AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be told.
    """
    alarms = {alarm.name: alarm for alarm in _alarms_of(incident, ports, change)}
    if not alarms:
        return None
    found = sorted(ports.alarms.read(list(alarms)), key=lambda one: one.changed_at, reverse=True)
    loud = (one for one in found if one.state == "ALARM" and not ports.alarms.silenced_by(one))
    return next((alarms[one.name] for one in loud), None)


def silenced_by(incident: Incident, ports: Ports) -> str | None:
    """Say what silenced the incident's alarms as they came; None if one of them was not.

    Raises:
        AccessDeniedError, TransientServiceError: The incident's record cannot be read.
    """
    if incident.alarm is None or incident.alarm.silenced_by is None:
        return None
    is_any_loud = any(alarm.silenced_by is None for alarm in _alarms_of(incident, ports))
    return None if is_any_loud else incident.alarm.silenced_by


def _obstacle(names: list[str], ports: Ports) -> Obstacle | None:
    standing = [alarm for alarm in ports.alarms.read(names) if alarm.state == "ALARM"]
    if not standing:
        told = f"the alarm {names[0]} is" if len(names) == 1 else f"{', '.join(names)} are"
        return Obstacle("recovered", f"{told} no longer in ALARM")
    silencers = []
    for alarm in standing:
        silencer = ports.alarms.silenced_by(alarm)
        if silencer is None:
            return None
        silencers.append(f"the alarm {alarm.name} is silenced by {silencer}")
    return Obstacle("refused", "; ".join(silencers))


def _alarms_of(incident: Incident, ports: Ports, change: Change | None = None) -> list[Alarm]:
    """Give the incident's alarms, the one that opened it first; none for a start by hand.

    What joined is left out where it is of another alias or version.
    """
    own = incident.target.qualifier if incident.target else None
    alias = _moved_by(change) or own
    if incident.alarm is None or incident.alarm.kind == "manual":
        return []
    joined = [
        alarm
        for record in ports.audit.chain_of(incident.id)
        if record.entry.kind is RecordKind.ALARM_JOINED
        # Of the function as a whole, or recorded before qualifiers were: none.
        and (alias is None or record.entry.data.get("qualifier") in {None, alias, own})
        and (alarm := _alarm_in(record.entry.data.get("alarm"))) is not None
        and alarm.kind != "manual"
    ]
    # By name, as it came last; the one that opened the incident stays first.
    return list({alarm.name: alarm for alarm in [incident.alarm, *joined[-MOST_JOINED:]]}.values())


def _moved_by(change: Change | None) -> str | None:
    """Name the alias that the change moves, if it moves one."""
    if change is None:
        return None
    if change.release is not None:
        return change.release.alias
    return change.after.alias if isinstance(change.after, AliasSetting) else None


def _alarm_in(data: object) -> Alarm | None:
    try:
        return Alarm.model_validate(data)
    except ValidationError:
        # Recorded by an earlier version of the service: another alarm has to do.
        return None
