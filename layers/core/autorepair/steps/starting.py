"""Starting the incident of an alarm that stands in ALARM and that nobody is dealing with.

CloudWatch speaks on transitions only: an alarm whose event was lost, or that stands on after its
incident was closed, would never be heard of again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta

from autorepair.domain.errors import PolicyUnreadableError
from autorepair.domain.incident import Target
from autorepair.domain.policy import Policy
from autorepair.ports import Ports
from autorepair.watch import ClosedIncident, StandingAlarm

# The alarm's own event is given that long to arrive and to open its incident.
_EVENT_ARRIVES_WITHIN = timedelta(seconds=30)


def enrolled_alarms(ports: Ports) -> Iterator[tuple[StandingAlarm, Target]]:
    """Give the alarms in ALARM that speak of one enrolled function, with that function.

    Raises:
        AccessDeniedError, TransientServiceError: They cannot be read.
    """
    standing = [alarm for alarm in ports.standing_alarms.standing() if _is_of_one(alarm)]
    if not standing:
        return
    enrolled = ports.enrolment.function_arns()
    for alarm in standing:
        target = _target(alarm, ports)
        if target.function_arn in enrolled:
            yield alarm, target


def start(alarm: StandingAlarm, target: Target, ports: Ports) -> bool:
    """Start the alarm's incident unless one is open, was just closed, or is about to be opened.

    The execution's name is made of the alarm, the moment it went off and the incident that was
    closed last: Step Functions starts it once, however many ask, and a new one only after
    another incident has come and gone.

    Raises:
        AccessDeniedError, TransientServiceError: It cannot be started.
    """
    now = ports.clock.now()
    if now - alarm.since < _EVENT_ARRIVES_WITHIN or ports.state.open_incident(target) is not None:
        return False
    last = ports.state.last_closed(target)
    if last is not None and now - last.closed_at < _cooldown(target, ports):
        return False
    return ports.executions.start(_name(alarm, last), alarm.event)


def _is_of_one(alarm: StandingAlarm) -> bool:
    return len(alarm.function_names) == 1


def _target(alarm: StandingAlarm, ports: Ports) -> Target:
    (name,) = alarm.function_names
    partition = alarm.arn.split(":")[1]
    return Target(
        function_name=name,
        function_arn=f"arn:{partition}:lambda:{ports.region}:{ports.account_id}:function:{name}",
        account_id=ports.account_id,
        region=ports.region,
    )


def _cooldown(target: Target, ports: Ports) -> timedelta:
    try:
        policy = ports.policies.current().for_function(target.function_name)
    except PolicyUnreadableError:
        policy = Policy()
    return timedelta(seconds=policy.limits.cooldown_s)


def _name(alarm: StandingAlarm, last: ClosedIncident | None) -> str:
    about = "|".join((alarm.arn, alarm.since.isoformat(), last.incident_id if last else ""))
    return f"reconcile-{hashlib.sha256(about.encode()).hexdigest()[:32]}"
