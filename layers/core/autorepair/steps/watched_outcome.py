"""One look at what became of a function on which nothing was changed.

What an observing service would have done is worth what people then did, or did not have to do.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from autorepair.domain.audit import RecordKind
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.described_alarm import AlarmState
from autorepair.domain.errors import AutoRepairError, TargetNotFoundError
from autorepair.domain.evidence import MetricSeries
from autorepair.domain.recent_changes import TrailEvent
from autorepair.domain.settings_now import (
    KnownVariables,
    Standing,
    is_same_way,
    last_write,
    standing_of,
)
from autorepair.domain.watched import Aftermath, Observed, WatchedOutcome
from autorepair.ports import Ports
from autorepair.steps.recording import announce, record
from autorepair.steps.running_version import running

_log = logging.getLogger(__name__)
_LOOKED_BACK = timedelta(hours=1)
_TOLD = {
    Aftermath.RECOVERED: "it recovered, and nobody had changed the function",
    Aftermath.FIXED_OTHERWISE: "it recovered after something else of the function was changed",
    Aftermath.SAME_VALUE: "somebody made the very change",
    Aftermath.OTHER_VALUE: "somebody changed the setting to another value",
    Aftermath.STILL_FAILING: "it still fails",
    Aftermath.REPAIRED_HERE: "a later incident of this service made the change",
    Aftermath.GONE: "the function is gone",
    Aftermath.UNKNOWN: "it cannot be told",
}


def look_at_outcome(watched: WatchedOutcome, ports: Ports) -> str:
    """Look what became of the function, record it, and say when to look again, if ever.

    Raises:
        AutoRepairError: It cannot be told or recorded (yet).
    """
    observed = _observed(watched, ports)
    record(
        ports,
        watched.incident,
        key=f"drift_watch/outcome/{watched.looks + 1}",
        kind=RecordKind.OUTCOME_OBSERVED,
        summary=f"nothing was changed, and then: {observed.why}",
        data=observed.as_json(),
    )
    announce(
        ports,
        "OutcomeObserved",
        watched.incident,
        aftermath=observed.aftermath.value,
        change=watched.change.as_json(),
    )
    following = watched.next_look
    if following is None or observed.aftermath is Aftermath.GONE:
        ports.watches.end(watched)
    else:
        ports.watches.look_again(following)
    return f"{observed.aftermath.value}: {observed.why}"


def _observed(watched: WatchedOutcome, ports: Ports) -> Observed:
    try:
        configuration = ports.functions.read(watched.change.target)
    except TargetNotFoundError:
        return _said(watched, Aftermath.GONE)
    found = running(configuration, watched.change, ports)
    standing = standing_of(found, watched.change, known=_known(configuration, ports))
    # Planned on this very configuration: whatever cannot be compared has not been touched.
    if configuration.fingerprint == watched.change.planned_on:
        standing = "before"
    write = None
    if standing != "before":
        write = _write(watched, ports)
        if standing == "unknown" and write is not None:
            standing = "other"
    if standing in {"before", "unknown"}:
        return _said(watched, _without_a_write(watched, configuration, ports))
    if write is not None and write.is_own:
        return _said(watched, Aftermath.REPAIRED_HERE, write)
    return _said_of_value(watched, found, standing, write)


def _said_of_value(
    watched: WatchedOutcome,
    configuration: FunctionConfiguration,
    standing: Standing,
    write: TrailEvent | None,
) -> Observed:
    is_same = standing == "after"
    aftermath = Aftermath.SAME_VALUE if is_same else Aftermath.OTHER_VALUE
    said = _said(watched, aftermath, write)
    return said.model_copy(
        update={"is_same_way": is_same or is_same_way(configuration, watched.change)}
    )


def _said(
    watched: WatchedOutcome, aftermath: Aftermath, write: TrailEvent | None = None
) -> Observed:
    by = f" ({write.principal})" if write and write.principal else ""
    return Observed(
        aftermath=aftermath,
        why=f"{_TOLD[aftermath]}{by}",
        look=watched.looks + 1,
        withheld=watched.withheld,
        change=watched.change,
        by=write.principal if write else None,
        at=write.at if write else None,
    )


def _known(configuration: FunctionConfiguration, ports: Ports) -> KnownVariables:
    declared = {one.name: one.matches_current for one in ports.known_config.declared(configuration)}
    return KnownVariables(declared=declared)


def _write(watched: WatchedOutcome, ports: Ports) -> TrailEvent | None:
    """Find who wrote the setting last since the incident began; None where that is not known."""
    target, since = watched.change.target, watched.incident.opened_at
    try:
        events, _gaps = ports.change_log.read(target, since=since, until=ports.clock.now())
    except AutoRepairError as error:
        _log.warning("who changed %s is not known: %s", target.function_name, error)
        return None
    return last_write(events, watched.change.after, since=since)


def _without_a_write(
    watched: WatchedOutcome, configuration: FunctionConfiguration, ports: Ports
) -> Aftermath:
    is_failing = _is_failing(watched, ports)
    if is_failing is None:
        return Aftermath.UNKNOWN
    if is_failing:
        return Aftermath.STILL_FAILING
    modified = configuration.last_modified
    is_touched = modified is not None and modified > watched.incident.opened_at
    return Aftermath.FIXED_OTHERWISE if is_touched else Aftermath.RECOVERED


def _is_failing(watched: WatchedOutcome, ports: Ports) -> bool | None:
    """Say whether it still fails; None where nothing was invoked since, so that nothing tells.

    An alarm that is OK may be so for want of traffic: a job that fails every night lets it recover
    every morning. So there have to be calls, of the last hour or else since the incident ended.
    """
    state = _state_of_alarm(watched, ports)
    if state == "ALARM":
        return True
    now = ports.clock.now()
    for start in (now - _LOOKED_BACK, watched.closed_at):
        series = ports.metrics.read(watched.change.target, start=start, end=now)
        invoked = _sum(series, "Invocations") + _sum(series, "Throttles")
        failed = _sum(series, "Errors") + _sum(series, "Throttles")
        if invoked:
            return failed >= invoked / 2 if state == "OK" else failed > 0
    return None


def _state_of_alarm(watched: WatchedOutcome, ports: Ports) -> AlarmState | None:
    alarm = watched.incident.alarm
    if alarm is None or alarm.kind == "manual":
        return None
    found = ports.alarms.read([alarm.name])
    return found[0].state if found else None


def _sum(series: tuple[MetricSeries, ...], name: str) -> float:
    return sum(
        value
        for one in series
        if one.metric_name == name and one.statistic == "Sum"
        for _, value in one.points
    )
