"""ParseAlarmEvent: whose alarm is it, and does it open an incident?"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from pydantic import ConfigDict

from autorepair.domain.audit import RecordKind
from autorepair.domain.errors import (
    AccessDeniedError,
    ConfigurationError,
    MalformedEventError,
    PolicyUnreadableError,
    TransientServiceError,
)
from autorepair.domain.incident import Alarm, Incident, Target
from autorepair.domain.policy import Policy
from autorepair.domain.value import Instant, Value
from autorepair.ports import Ports
from autorepair.steps.admission import admitted_after_s
from autorepair.steps.alarm_event import LONGEST_REASON, Sighting, printable, read_event
from autorepair.steps.enrolled_targets import (
    NotOursError,
    enrolled_targets,
    require_this_account,
    target_named,
    target_of,
)
from autorepair.steps.intake import blank_incident, opened_before, opened_on
from autorepair.steps.joining import join
from autorepair.steps.recording import announce, record
from autorepair.steps.superseding import open_on_target
from autorepair.watch import ClosedIncident

_log = logging.getLogger(__name__)


class ParseAlarmEventInput(Value):
    """The raw event, which may be any JSON, and what the state machine says of the execution."""

    model_config = ConfigDict(extra="ignore")

    event: Any
    execution_arn: str
    started_at: Instant


def parse_alarm_event(given: ParseAlarmEventInput, ports: Ports) -> Incident:
    """Open the incident of the alarm's target, join the one that is open, or say why not.

    A retry of a run that opened the incident gives that incident, whatever has changed since.

    Raises:
        AccessDeniedError, TransientServiceError: The target cannot be read, or nothing recorded.
    """
    blank = blank_incident(given.execution_arn, started_at=given.started_at)
    earlier = opened_before(blank, ports)
    if earlier is not None:
        return earlier
    try:
        sighting = read_event(given.event, started_at=given.started_at)
    except MalformedEventError as error:
        return _turn_away(blank, str(error), ports)
    seen = blank.model_copy(update={"alarm": sighting.alarm})
    try:
        return _open_or_join(seen, sighting, ports)
    except NotOursError as error:
        away = seen.model_copy(update={"target": error.target})
        named = [target_of(one, sighting, ports) for one in sighting.functions]
        return _unless_open(away, named, str(error), ports)
    except MalformedEventError as error:
        return _turn_away(seen, str(error), ports)


def _open_or_join(seen: Incident, sighting: Sighting, ports: Ports) -> Incident:
    require_this_account(sighting, ports)
    named = target_named(sighting, ports)
    if sighting.state != "ALARM":
        raise NotOursError(f"the alarm's state is {sighting.state}, not ALARM", named)
    targets = enrolled_targets(sighting, ports)
    alarm = _as_it_stands(sighting.alarm, ports)
    if alarm is None:
        back = f"the alarm {sighting.alarm.name} is no longer in ALARM"
        recovered = seen.model_copy(update={"disposition": "recovered", "target": targets[0]})
        return _unless_open(recovered, targets, back, ports)
    update = {"alarm": alarm, "reason": alarm.reason or "the alarm is in ALARM"}
    return _first_to_open(seen.model_copy(update=update), targets, ports, waits_s=sighting.wait_s)


def _as_it_stands(alarm: Alarm, ports: Ports) -> Alarm | None:
    """Give the alarm with what silences it now; None if it is back to OK since its event.

    An alarm that is gone, or cannot be asked about just now, goes on: this is only the first
    look. Nothing is written before ExecuteRepair has had an answer.
    """
    if alarm.kind == "manual":
        return alarm
    try:
        described = ports.alarms.read([alarm.name])
        now = described[0] if described else None
        if now is None:
            return alarm
        if now.state != "ALARM" and now.changed_at >= alarm.changed_at:
            return None
        silencer = ports.alarms.silenced_by(now) or alarm.silenced_by
    except (AccessDeniedError, ConfigurationError, TransientServiceError) as error:
        _log.warning("the alarm %s could not be asked about: %s", alarm.name, error)
        return alarm
    return alarm.model_copy(update={"silenced_by": silencer})


def _first_to_open(
    seen: Incident, targets: tuple[Target, ...], ports: Ports, *, waits_s: int
) -> Incident:
    """Open the incident on the first function that has none; join those that stand before it.

    One execution has one incident. Of several functions the others are named in the record; the
    next one gets its turn when the alarm comes again, by an alarm of its own, or from reconcile.
    """
    standing_ids = []
    own = opened_on(seen, targets, ports) if len(targets) > 1 else None
    for target in (own,) if own else _longest_without_first(targets, ports):
        opened = seen.model_copy(update={"disposition": "opened", "target": target})
        standing = open_on_target(opened, ports)
        if standing.incident_id == opened.id:
            others = tuple(t.function_name for t in targets if t != target)
            return _open(opened, ports, waits_s=waits_s, others=others)
        join(opened, standing.incident_id, ports)
        standing_ids.append(standing.incident_id)
    return seen.model_copy(
        update={
            "disposition": "joined",
            "target": targets[0],
            "reason": f"incident {standing_ids[0]} is open on this function",
            "joined_incident_id": standing_ids[0],
        }
    )


def _longest_without_first(targets: tuple[Target, ...], ports: Ports) -> tuple[Target, ...]:
    """Put those first whose last incident is longest ago, so that each gets its turn."""
    if len(targets) == 1:
        return targets
    closed = {target: ports.state.last_closed(target) for target in targets}
    return tuple(sorted(targets, key=lambda one: _closed_at(closed[one])))


def _unless_open(
    incident: Incident, targets: Iterable[Target], reason: str, ports: Ports
) -> Incident:
    """Turn the alarm away; but an incident that stands open already has to be gone through.

    Nobody else would close it, and the function's next alarm would join what nobody works on. What
    has changed since is looked at again before anything is written.
    """
    target = opened_on(incident, targets, ports)
    if target is None:
        return _turn_away(incident, reason, ports)
    update = {
        "disposition": "opened",
        "target": target,
        "reason": printable(reason)[:LONGEST_REASON],
    }
    return _open(incident.model_copy(update=update), ports, waits_s=0, others=())


def _closed_at(last: ClosedIncident | None) -> float:
    return 0.0 if last is None else last.closed_at.timestamp()


def _settle_s(incident: Incident, policy: Policy, *, waits_s: int) -> int:
    """Give the settle window, which lasts at least until a suppressor has had time to speak up."""
    if incident.alarm is None or incident.alarm.kind == "manual":
        return 0
    return max(policy.for_function(incident.subject.function_name).settle_s, waits_s)


def _policy(ports: Ports) -> Policy:
    try:
        return ports.policies.current()
    except PolicyUnreadableError:
        return Policy()


def _turn_away(incident: Incident, reason: str, ports: Ports) -> Incident:
    turned_away = incident.model_copy(update={"reason": printable(reason)[:LONGEST_REASON]})
    alarm = turned_away.alarm
    record(
        ports,
        turned_away,
        key="parse_alarm_event",
        kind=RecordKind.ALARM_IGNORED,
        summary=f"{turned_away.disposition}: {turned_away.reason}",
        data={
            "disposition": turned_away.disposition,
            "alarm": alarm.as_json() if alarm else None,
            "execution": turned_away.execution_arn,
        },
    )
    return turned_away


def _open(incident: Incident, ports: Ports, *, waits_s: int, others: tuple[str, ...]) -> Incident:
    policy = _policy(ports)
    settle_s = _settle_s(incident, policy, waits_s=waits_s)
    spacing_s = policy.limits.incident_spacing_s
    admitted = incident.model_copy(
        update={"settle_s": admitted_after_s(settle_s, ports, spacing_s=spacing_s)}
    )
    alarm, name = admitted.alarm, admitted.subject.function_name
    also = f" (the alarm is also about {', '.join(others)})" if others else ""
    record(
        ports,
        admitted,
        key="parse_alarm_event",
        kind=RecordKind.INCIDENT_OPENED,
        summary=f"opened for {name}{also}: {admitted.reason}",
        data={
            "alarm": alarm.as_json() if alarm else None,
            "execution": admitted.execution_arn,
            "target": admitted.subject.as_json(),
            "reason": admitted.reason,
            "settle_s": admitted.settle_s,
            "queued_s": admitted.settle_s - settle_s,
            "other_functions": list(others),
        },
    )
    announce(
        ports,
        "IncidentOpened",
        admitted,
        alarm=alarm.name if alarm else None,
        opened_at=admitted.opened_at.isoformat(),
    )
    return admitted
