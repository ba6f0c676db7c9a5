"""Which functions an alarm is about, where its event alone does not say.

In this order, each only where the one before found none:

1. the functions that the alarm's own metrics name;
2. of a composite alarm: what its children that stand in ALARM name, down to `DEEPEST` levels;
3. of a metric that a metric filter makes of a log: the functions whose log that is.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from autorepair.domain.described_alarm import DescribedAlarm, WatchedMetric, children_of
from autorepair.domain.filtered_log import FilteredLog, function_of_group
from autorepair.ports import Ports
from autorepair.steps.alarm_event import (
    FunctionReference,
    Sighting,
    evaluated_since,
    functions_of,
)

DEEPEST = 5
"""Composite alarms of composite alarms; deeper ones are nobody's design."""
MOST_ALARMS = 100
"""Looked at below one composite alarm, its whole tree together."""
MOST_FUNCTIONS = 10
"""Looked at for one alarm: each costs a read of Lambda's control plane."""
MOST_LOGS = 10
"""Searched for one alarm: CloudWatch Logs takes five searches a second of the whole account."""
_NAMESPACES_OF_AWS = "AWS/"
_DELIVERY = timedelta(minutes=1)
"""A line may reach the log that much after the invocation that the metric dates it by."""


def functions_named(sighting: Sighting, ports: Ports) -> tuple[FunctionReference, ...]:
    """Give the functions, those of one alarm in the order of their names.

    Raises:
        MalformedEventError: A metric names a function by no function's name.
        AccessDeniedError, TransientServiceError: What has to be asked cannot be.
    """
    if sighting.functions:
        return _ordered(sighting.functions)
    metrics = sighting.metrics
    if sighting.rule is not None:
        metrics = _metrics_below(sighting.rule, ports)
        named = functions_of(metrics)
        if named:
            return _ordered(named)
    since = evaluated_since(sighting.alarm)
    return _ordered(_writers(metrics, since=since, ports=ports))


def _ordered(functions: Iterable[FunctionReference]) -> tuple[FunctionReference, ...]:
    return tuple(sorted(functions, key=lambda one: one.function_name))


def _metrics_below(rule: str, ports: Ports) -> tuple[WatchedMetric, ...]:
    """Give the metrics of every alarm below a rule that stands in ALARM, of this account only."""
    seen: set[str] = set()
    found: list[DescribedAlarm] = []
    names = children_of(rule)
    for _ in range(DEEPEST):
        fresh = [name for name in names if name not in seen][: MOST_ALARMS - len(seen)]
        if not fresh:
            break
        seen.update(fresh)
        alarms = [alarm for alarm in ports.alarms.read(fresh) if alarm.state == "ALARM"]
        found += alarms
        names = tuple(name for alarm in alarms if alarm.rule for name in children_of(alarm.rule))
    metrics = (metric for alarm in found for metric in alarm.metrics)
    return tuple(m for m in metrics if m.account_id in {None, ports.account_id})


def _writers(
    metrics: Iterable[WatchedMetric], *, since: datetime, ports: Ports
) -> tuple[FunctionReference, ...]:
    """Give the functions of whose logs the metrics are made."""
    names = {(metric.namespace, metric.name) for metric in metrics}
    logs = {
        log
        for namespace, name in sorted((n, m) for n, m in names if n and m)
        if not namespace.startswith(_NAMESPACES_OF_AWS)
        for log in ports.metric_filters.of_metric(namespace, name)
    }
    searched = sorted(logs, key=lambda log: (log.log_group, log.pattern))[:MOST_LOGS]
    if len(logs) == 1 and function_of_group(searched[0].log_group):
        return _named_by_group(searched)
    return _seen_writing(searched, since=since, ports=ports) or _named_by_group(searched)


def _seen_writing(
    logs: Iterable[FilteredLog], *, since: datetime, ports: Ports
) -> tuple[FunctionReference, ...]:
    """Ask each log who wrote what its filter counts: several functions may feed one metric."""
    found: dict[str, FunctionReference] = {}
    for log in logs:
        writers = ports.metric_filters.writers_of(
            log, start=since - _DELIVERY, end=ports.clock.now()
        )
        for name in writers:
            is_own = function_of_group(log.log_group) == name
            reference = FunctionReference(
                function_name=name, log_group=None if is_own else log.log_group
            )
            found.setdefault(name, reference)
    return tuple(found.values())


def _named_by_group(logs: Iterable[FilteredLog]) -> tuple[FunctionReference, ...]:
    names = {function_of_group(log.log_group) for log in logs}
    return tuple(FunctionReference(function_name=name) for name in names if name)
