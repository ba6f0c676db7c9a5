"""Starting the incident of an alarm that stands in ALARM and that nobody is dealing with.

CloudWatch speaks on transitions only: an alarm whose event was lost, or that stands on after its
incident was closed, would never be heard of again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta

from autorepair.domain.configuration import SERVICE_PREFIX
from autorepair.domain.errors import MalformedEventError, PolicyUnreadableError
from autorepair.domain.incident import Target
from autorepair.domain.policy import Policy
from autorepair.ports import Ports
from autorepair.steps.alarm_event import read_event
from autorepair.steps.alarm_targets import MOST_FUNCTIONS, functions_named
from autorepair.steps.enrolled_targets import NotOursError, require_this_account, target_of
from autorepair.watch import ClosedIncident, StandingAlarm

# The alarm's own event is given that long to arrive and to open its incident.
_EVENT_ARRIVES_WITHIN = timedelta(seconds=30)


class Starter:
    """Starts incidents in one run of reconcile: one execution for each function."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._enrolled: frozenset[str] = frozenset()
        self._dealt_with: set[str] = set()

    def alarms(self) -> Iterator[StandingAlarm]:
        """Give the alarms in ALARM; who is enrolled is only asked if there are any.

        Raises:
            AccessDeniedError, TransientServiceError: They cannot be read.
        """
        ports = self._ports
        for number, alarm in enumerate(ports.standing_alarms.standing()):
            if number == 0:
                self._enrolled = ports.enrolment.function_arns()
            yield alarm

    def start(self, alarm: StandingAlarm) -> int:
        """Start an incident for each enrolled function of the alarm that needs one; how many.

        One that has an open incident, had one just now, or got one from another alarm in this run,
        needs none.

        Raises:
            AccessDeniedError, TransientServiceError: It cannot be told, or not be started.
        """
        if self._ports.clock.now() - alarm.since < _EVENT_ARRIVES_WITHIN:
            return 0
        return sum(self._start_for(target, alarm) for target in self._targets(alarm))

    def _targets(self, alarm: StandingAlarm) -> list[Target]:
        """Give those of the functions that the intake of the alarm's event would look at."""
        ports = self._ports
        try:
            sighting = read_event(alarm.event, started_at=ports.clock.now())
            require_this_account(sighting, ports)
            named = functions_named(sighting, ports)[:MOST_FUNCTIONS]
        except (MalformedEventError, NotOursError):
            return []
        targets = [target_of(reference, sighting, ports) for reference in named]
        return [target for target in targets if self._is_ours(target)]

    def _is_ours(self, target: Target) -> bool:
        is_own = target.function_name.startswith(SERVICE_PREFIX)
        return target.function_arn in self._enrolled and not is_own

    def _start_for(self, target: Target, alarm: StandingAlarm) -> bool:
        ports = self._ports
        if target.function_arn in self._dealt_with:
            return False
        if ports.state.open_incident(target) is not None:
            return False
        last = ports.state.last_closed(target)
        if last is not None and ports.clock.now() - last.closed_at < _cooldown(target, ports):
            return False
        self._dealt_with.add(target.function_arn)
        return ports.executions.start(_name(alarm, target, last, ports), alarm.event)


def _cooldown(target: Target, ports: Ports) -> timedelta:
    try:
        policy = ports.policies.current().for_function(target.function_name)
    except PolicyUnreadableError:
        policy = Policy()
    return timedelta(seconds=policy.limits.cooldown_s)


def _name(alarm: StandingAlarm, target: Target, last: ClosedIncident | None, ports: Ports) -> str:
    """Name the execution by what is known: Step Functions starts it once, however many ask.

    The hour is a part of it: an execution that opened no incident is not the last attempt.
    """
    known = (
        alarm.arn,
        alarm.since.isoformat(),
        target.function_arn,
        last.incident_id if last else "",
        f"{ports.clock.now():%Y-%m-%dT%H}",
    )
    return f"reconcile-{hashlib.sha256('|'.join(known).encode()).hexdigest()[:32]}"
