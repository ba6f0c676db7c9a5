"""ParseAlarmEvent: whose alarm is it, and does it open an incident?"""

from __future__ import annotations

import hashlib
from typing import Any

from pydantic import ConfigDict

from autorepair.domain.audit import RecordKind
from autorepair.domain.configuration import SERVICE_PREFIX
from autorepair.domain.errors import (
    MalformedEventError,
    PolicyUnreadableError,
    TargetNotFoundError,
)
from autorepair.domain.incident import Incident, Target
from autorepair.domain.policy import Policy
from autorepair.domain.value import Instant, Value
from autorepair.ports import Ports
from autorepair.steps.alarm_event import FunctionReference, Sighting, read_event
from autorepair.steps.recording import announce, record


class ParseAlarmEventInput(Value):
    """The raw event and what the state machine says of the execution."""

    model_config = ConfigDict(extra="ignore")

    event: dict[str, Any]
    execution_arn: str
    started_at: Instant


LONGEST_REASON = 1000
"""A malformed event may have faults without end."""


class _NotOursError(Exception):
    """The alarm leads to no incident; the message says why. Never leaves this module."""

    def __init__(self, reason: str, target: Target | None = None) -> None:
        super().__init__(reason)
        self.target = target


def parse_alarm_event(given: ParseAlarmEventInput, ports: Ports) -> Incident:
    """Open the incident of the alarm's target, join the one that is open, or say why not.

    Raises:
        AccessDeniedError, TransientServiceError: The target cannot be read, or nothing recorded.
    """
    blank = _blank_incident(given)
    try:
        sighting = read_event(given.event, started_at=given.started_at)
    except MalformedEventError as error:
        return _ignore(blank, str(error), ports)
    seen = blank.model_copy(update={"alarm": sighting.alarm})
    try:
        target = _enrolled_target(sighting, ports)
    except _NotOursError as error:
        return _ignore(seen.model_copy(update={"target": error.target}), str(error), ports)
    opened = seen.model_copy(
        update={
            "disposition": "opened",
            "reason": sighting.alarm.reason or "the alarm is in ALARM",
            "target": target,
            "settle_s": 0 if sighting.alarm.kind == "manual" else _settle_s(target, ports),
        }
    )
    return _open(opened, ports)


def incident_id_of(execution_arn: str, *, started_at: Instant) -> str:
    """Derive the incident's id from its execution, so that a retry finds the same one."""
    digest = hashlib.sha256(execution_arn.encode()).hexdigest()
    return f"inc-{started_at:%Y%m%d}-{digest[:10]}"


def _blank_incident(given: ParseAlarmEventInput) -> Incident:
    return Incident(
        id=incident_id_of(given.execution_arn, started_at=given.started_at),
        disposition="ignored",
        reason="",
        target=None,
        alarm=None,
        execution_arn=given.execution_arn,
        opened_at=given.started_at,
    )


def _enrolled_target(sighting: Sighting, ports: Ports) -> Target:
    if sighting.state != "ALARM":
        raise _NotOursError(f"the alarm's state is {sighting.state}, not ALARM")
    strangers = sorted(sighting.accounts - {ports.account_id})
    if strangers:
        raise _NotOursError(f"the alarm belongs to another account: {', '.join(strangers)}")
    if sighting.region is not None and sighting.region != ports.region:
        raise _NotOursError(f"the alarm belongs to another Region: {sighting.region}")
    target = _target(_only_function(sighting), sighting, ports)
    if target.function_name.startswith(SERVICE_PREFIX):
        raise _NotOursError(f"{target.function_name} belongs to this service itself", target)
    try:
        configuration = ports.functions.read(target)
    except TargetNotFoundError as error:
        raise _NotOursError(f"there is no function {target.function_name}", target) from error
    if not configuration.is_enrolled:
        raise _NotOursError(
            f"{target.function_name} does not carry the tag auto-repair=enabled", target
        )
    return target


def _only_function(sighting: Sighting) -> FunctionReference:
    if sighting.alarm.kind == "composite":
        raise _NotOursError(
            "a composite alarm names no metric; its children raise incidents of their own"
        )
    if not sighting.functions:
        raise _NotOursError(
            f"no metric of the alarm ({sighting.alarm.namespace or 'no namespace'}) has a "
            "FunctionName dimension in AWS/Lambda"
        )
    if len(sighting.functions) > 1:
        names = ", ".join(sorted(f.function_name for f in sighting.functions))
        raise _NotOursError(f"the alarm speaks of several functions: {names}")
    return sighting.functions[0]


def _target(function: FunctionReference, sighting: Sighting, ports: Ports) -> Target:
    partition = _partition(sighting.alarm.arn, ports.region)
    arn = f"arn:{partition}:lambda:{ports.region}:{ports.account_id}:function"
    return Target(
        function_name=function.function_name,
        function_arn=f"{arn}:{function.function_name}",
        account_id=ports.account_id,
        region=ports.region,
        qualifier=function.qualifier,
    )


def _partition(alarm_arn: str, region: str) -> str:
    if alarm_arn.startswith("arn:"):
        return alarm_arn.split(":")[1]
    prefixes = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
    return next((p for start, p in prefixes.items() if region.startswith(start)), "aws")


def _settle_s(target: Target, ports: Ports) -> int:
    try:
        return ports.policies.current().for_function(target.function_name).settle_s
    except PolicyUnreadableError:
        return Policy().settle_s


def _ignore(incident: Incident, reason: str, ports: Ports) -> Incident:
    ignored = incident.model_copy(update={"reason": reason[:LONGEST_REASON]})
    alarm = ignored.alarm
    record(
        ports,
        ignored,
        key="parse_alarm_event",
        kind=RecordKind.ALARM_IGNORED,
        summary=f"ignored: {ignored.reason}",
        data={"alarm": alarm.as_json() if alarm else None, "execution": ignored.execution_arn},
    )
    return ignored


def _open(incident: Incident, ports: Ports) -> Incident:
    standing = ports.state.open(incident)
    if standing.incident_id != incident.id:
        return _join(incident, standing.incident_id, ports)
    record(
        ports,
        incident,
        key="parse_alarm_event",
        kind=RecordKind.INCIDENT_OPENED,
        summary=f"opened for {incident.subject.function_name}: {incident.reason}",
        data={
            "alarm": incident.alarm.as_json() if incident.alarm else None,
            "execution": incident.execution_arn,
            "target": incident.subject.as_json(),
        },
    )
    announce(
        ports,
        "IncidentOpened",
        incident,
        alarm=incident.alarm.name if incident.alarm else None,
        opened_at=incident.opened_at.isoformat(),
    )
    return incident


def _join(incident: Incident, open_incident_id: str, ports: Ports) -> Incident:
    name = incident.alarm.name if incident.alarm else "?"
    record(
        ports,
        incident,
        incident_id=open_incident_id,
        key=f"parse_alarm_event/joined/{incident.id}",
        kind=RecordKind.ALARM_JOINED,
        summary=f"alarm {name} joined: {incident.reason}",
        data={"alarm": incident.alarm.as_json() if incident.alarm else None},
    )
    return incident.model_copy(
        update={
            "disposition": "joined",
            "reason": f"incident {open_incident_id} is open on this function",
            "joined_incident_id": open_incident_id,
            "settle_s": 0,
        }
    )
