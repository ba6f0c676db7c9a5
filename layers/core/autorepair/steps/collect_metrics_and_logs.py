"""CollectMetricsAndLogs: everything that can be known about the target around the alarm."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from pydantic import ConfigDict

from autorepair.domain.audit import RecordKind
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.errors import AccessDeniedError, TransientServiceError
from autorepair.domain.evidence import (
    Caller,
    DeclaredVariable,
    Evidence,
    EvidenceSummary,
    Gap,
    MetricSeries,
)
from autorepair.domain.incident import Incident
from autorepair.domain.value import Value
from autorepair.ports import LogReading, Ports
from autorepair.steps.alarm_event import evaluated_since
from autorepair.steps.recording import record

LEAST_LOOK_BACK = timedelta(minutes=15)
T = TypeVar("T")


class CollectMetricsAndLogsInput(Value):
    """What this state reads of the state data."""

    model_config = ConfigDict(extra="ignore")

    incident: Incident


def collect_metrics_and_logs(given: CollectMetricsAndLogsInput, ports: Ports) -> EvidenceSummary:
    """Collect the evidence, keep it whole, and give the summary that points to it.

    A source that cannot be read becomes a Gap. Only the configuration has to be there: nothing
    can be said of a function whose configuration is unknown.

    Raises:
        TargetNotFoundError: The function was deleted since the alarm.
        AccessDeniedError, TransientServiceError: The configuration could not be read, or the
            evidence not kept.
    """
    incident = given.incident
    configuration = ports.functions.read(incident.subject)
    now = ports.clock.now()
    start = window_start(incident, configuration, opened_at=incident.opened_at)
    evidence = _gather(incident, configuration, start=start, end=now, ports=ports)
    summary = ports.evidence.put(evidence)
    record(
        ports,
        incident,
        key="collect_metrics_and_logs",
        kind=RecordKind.EVIDENCE_COLLECTED,
        summary=(
            f"{summary.invocations} invocations, {summary.failures} failed, "
            f"{summary.log_lines} log lines, {len(summary.gaps)} gaps"
        ),
        data=summary.as_json(),
    )
    return summary


def window_start(
    incident: Incident, configuration: FunctionConfiguration, *, opened_at: datetime
) -> datetime:
    """Say from when to look.

    Lambda stamps metrics and START lines with the beginning of an invocation, so a time-out of
    ``timeout_s`` seen at the alarm began that long before it: look back twice that and some more.
    """
    changed_at, looked_from = opened_at, opened_at
    if incident.alarm is not None:
        changed_at = incident.alarm.changed_at
        looked_from = evaluated_since(incident.alarm)
    longest_invocation = timedelta(seconds=2 * configuration.timeout_s + 300)
    return min(changed_at - LEAST_LOOK_BACK, changed_at - longest_invocation, looked_from)


def _gather(
    incident: Incident,
    configuration: FunctionConfiguration,
    *,
    start: datetime,
    end: datetime,
    ports: Ports,
) -> Evidence:
    target = incident.subject
    no_log = LogReading(lines=(), invocations=(), gaps=())
    no_metrics: tuple[MetricSeries, ...] = ()
    no_callers: tuple[tuple[Caller, ...], tuple[Gap, ...]] = ((), ())
    nothing_declared: tuple[DeclaredVariable, ...] = ()
    log, log_gap = _or_gap(
        "logs", lambda: ports.logs.read(configuration, start=start, end=end), no_log
    )
    metrics, metrics_gap = _or_gap(
        "metrics", lambda: ports.metrics.read(target, start=start, end=end), no_metrics
    )
    (callers, caller_gaps), callers_gap = _or_gap(
        "callers", lambda: ports.callers.read(target), no_callers
    )
    declared, declared_gap = _or_gap(
        "known_config", lambda: ports.known_config.declared(configuration), nothing_declared
    )
    return Evidence(
        incident_id=incident.id,
        collected_at=end,
        window_start=start,
        window_end=end,
        configuration=configuration,
        invocations=log.invocations,
        log_lines=log.lines,
        metrics=metrics,
        callers=callers,
        declared=declared,
        gaps=(*log.gaps, *caller_gaps, *log_gap, *metrics_gap, *callers_gap, *declared_gap),
    )


def _or_gap(source: str, read: Callable[[], T], nothing: T) -> tuple[T, tuple[Gap, ...]]:
    """Read a source; one that fails gives ``nothing`` and says so as a Gap."""
    try:
        return read(), ()
    except (AccessDeniedError, TransientServiceError) as error:
        return nothing, (Gap(source=source, reason=f"{type(error).__name__}: {error}"),)
