"""CollectMetricsAndLogs: everything that can be known about the target around the alarm."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from pydantic import ConfigDict

from autorepair.domain.audit import RecordKind
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.errors import AutoRepairError
from autorepair.domain.evidence import (
    DeclaredVariable,
    Evidence,
    EvidenceSummary,
    Gap,
    MetricSeries,
    RecentChange,
)
from autorepair.domain.incident import Incident, Target
from autorepair.domain.measured_traffic import MONTH, measured_traffic
from autorepair.domain.recent_changes import TrailEvent, recent_changes
from autorepair.domain.signatures import signatures
from autorepair.domain.snapshot import Snapshot
from autorepair.domain.traffic import Traffic
from autorepair.domain.trends import environments, onset
from autorepair.domain.unseen_failures import with_counted_failures
from autorepair.domain.value import Value
from autorepair.ports import CallerReading, LogReading, Ports, Releases
from autorepair.steps.alarm_event import evaluated_since
from autorepair.steps.recording import record

_log = logging.getLogger(__name__)
LEAST_LOOK_BACK = timedelta(minutes=15)
LONGEST_LOOK_BACK = timedelta(hours=3)
"""An alarm that has stood for longer is judged by what goes wrong now."""
SHORTEST_WINDOW = timedelta(minutes=2)
"""Less than that shows no metric."""
MOST_LOOK_BACK = timedelta(days=1)
"""However long the periods are that the alarm evaluates."""
LATEST = "$LATEST"
# Gaps travel in the state data and in messages.
MOST_GAPS, LONGEST_REASON = 5, 300
T = TypeVar("T")
# What stands for a source that could not be read.
_NO_LOG = LogReading(lines=(), invocations=(), gaps=())
_NO_CALLERS = CallerReading(callers=(), event_sources=(), gaps=())
_NO_EVENTS: tuple[tuple[TrailEvent, ...], tuple[Gap, ...]] = ((), ())
_NO_METRICS: tuple[MetricSeries, ...] = ()
_NOTHING_DECLARED: tuple[DeclaredVariable, ...] = ()
_NO_SNAPSHOTS: tuple[Snapshot, ...] = ()
_NO_RELEASES = Releases(aliases=(), versions=())


class CollectMetricsAndLogsInput(Value):
    """What this state reads of the state data."""

    model_config = ConfigDict(extra="ignore")

    incident: Incident


def collect_metrics_and_logs(given: CollectMetricsAndLogsInput, ports: Ports) -> EvidenceSummary:
    """Collect the evidence, keep it whole, and give the summary that points to it.

    A source that cannot be read becomes a Gap. Only the configuration has to be there: nothing
    can be said of a function whose configuration is unknown. Runs again after a lost answer
    without harm: the evidence that was recorded first stands.

    Raises:
        TargetNotFoundError: The function was deleted since the alarm.
        AccessDeniedError, TransientServiceError: The configuration could not be read, or the
            evidence not kept.
    """
    incident = given.incident
    configuration = ports.functions.read(incident.subject)
    now = ports.clock.now()
    start = window_start(incident, configuration, opened_at=incident.opened_at)
    start = min(max(start, _last_write(incident, ports) or start), now - SHORTEST_WINDOW)
    evidence = _gather(incident, configuration, start=start, end=now, ports=ports)
    summary = ports.evidence.put(evidence)
    recorded = record(
        ports,
        incident,
        key="collect_metrics_and_logs",
        kind=RecordKind.EVIDENCE_COLLECTED,
        summary=(
            f"{summary.invocations} invocations, {summary.failures} failed, "
            f"{summary.log_lines} log lines, {summary.changes} recent changes, "
            f"{len(summary.gaps)} gaps"
        ),
        data=summary.as_json(),
    )
    return EvidenceSummary.model_validate(recorded.entry.data)


def window_start(
    incident: Incident, configuration: FunctionConfiguration, *, opened_at: datetime
) -> datetime:
    """Say from when to look.

    Lambda stamps metrics and START lines with the beginning of an invocation, so a time-out of
    ``timeout_s`` seen at the alarm began that long before it: look back twice that and some more.

    An alarm may have stood for weeks before anybody looks, with a function enrolled today or after
    each cooldown: what was wrong then may have been mended long ago.
    """
    changed_at, evaluated = opened_at, timedelta()
    if incident.alarm is not None:
        changed_at = max(incident.alarm.changed_at, opened_at - LONGEST_LOOK_BACK)
        evaluated = incident.alarm.changed_at - evaluated_since(incident.alarm)
    longest_invocation = timedelta(seconds=2 * configuration.timeout_s + 300)
    start = changed_at - max(LEAST_LOOK_BACK, longest_invocation, evaluated)
    return max(start, opened_at - MOST_LOOK_BACK)


def _last_write(incident: Incident, ports: Ports) -> datetime | None:
    """Say since when the function has been as the incident before this one left it.

    What failed before that repair says nothing of what it is like now. None if nothing was
    written, or if it cannot be told: the window is only wider then.
    """
    try:
        last = ports.state.last_closed(incident.subject)
        change = None if last is None else ports.state.change_of(last.incident_id)
    except AutoRepairError as error:
        _log.warning("what the last incident changed could not be read: %s", error)
        return None
    if last is None or change is None or change.applied_at is None:
        return None
    return change.applied_at if change.status == "kept" else last.closed_at


def _gather(
    incident: Incident,
    configuration: FunctionConfiguration,
    *,
    start: datetime,
    end: datetime,
    ports: Ports,
) -> Evidence:
    target = incident.subject
    sources = _Sources()
    log = sources.read(
        "logs",
        lambda: ports.logs.read(configuration, start=start, end=end),
        _NO_LOG,
    )
    sources.also(log.gaps)
    callers = sources.read("callers", lambda: ports.callers.read(target), _NO_CALLERS)
    sources.also(callers.gaps)
    releases = _NO_RELEASES
    if _is_published(target, log):
        releases = sources.read("releases", lambda: ports.releases.read(target), _NO_RELEASES)
    metrics = sources.read(
        "metrics", lambda: ports.metrics.read(target, start=start, end=end), _NO_METRICS
    )
    evidence = Evidence(
        incident_id=incident.id,
        collected_at=end,
        window_start=start,
        window_end=end,
        configuration=configuration,
        alarm=incident.alarm,
        invocations=log.invocations,
        log_lines=log.lines,
        metrics=metrics,
        callers=callers.callers,
        event_sources=callers.event_sources,
        declared=sources.read(
            "known_config", lambda: ports.known_config.declared(configuration), _NOTHING_DECLARED
        ),
        changes=_changes(target, configuration, since=start, until=end, read=sources, ports=ports),
        aliases=releases.aliases,
        versions=releases.versions,
        concurrency=sources.read("concurrency", ports.concurrency.of_account, None),
        traffic=sources.read(
            "traffic",
            lambda: _traffic(target, metrics, log, since=start, until=end, ports=ports),
            None,
        ),
        gaps=sources.gaps,
    )
    return _summed_up(with_counted_failures(evidence))


def _traffic(  # noqa: PLR0913 - what is read, and of which time
    target: Target,
    metrics: tuple[MetricSeries, ...],
    log: LogReading,
    *,
    since: datetime,
    until: datetime,
    ports: Ports,
) -> Traffic:
    """Look back a whole month: what a change costs is reckoned by the month."""
    hours = ports.metrics.by_the_hour(target, start=until - MONTH, end=until)
    return measured_traffic(hours, metrics, log.invocations, since=since, until=until)


def _summed_up(evidence: Evidence) -> Evidence:
    """Add what the log says of all failures, and of each environment."""
    seen = evidence.invocations
    return evidence.model_copy(
        update={
            "signatures": signatures(seen, evidence.log_lines),
            "environments": environments(seen),
            "onset": onset(seen, evidence.changes),
        }
    )


def _changes(  # noqa: PLR0913 - two sources, and what both are read for
    target: Target,
    configuration: FunctionConfiguration,
    *,
    since: datetime,
    until: datetime,
    read: _Sources,
    ports: Ports,
) -> tuple[RecentChange, ...]:
    events, gaps = read.read(
        "changes", lambda: ports.change_log.read(target, since=since, until=until), _NO_EVENTS
    )
    read.also(gaps)
    snapshots = read.read("snapshots", lambda: ports.snapshots.of(target), _NO_SNAPSHOTS)
    return recent_changes(events, snapshots, configuration, since=since)


def _is_published(target: Target, log: LogReading) -> bool:
    """Whether traffic goes to a version or an alias, as far as the alarm and the log tell."""
    return target.qualifier is not None or any(i.version != LATEST for i in log.invocations)


class _Sources:
    """Reads one source after the other; one that fails gives nothing and says so as a Gap."""

    def __init__(self) -> None:
        self._gaps: list[Gap] = []

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What could not be read."""
        return tuple(self._gaps)

    def read(self, source: str, read: Callable[[], T], nothing: T) -> T:
        """Read a source; ``nothing`` stands for one that fails."""
        try:
            return read()
        except AutoRepairError as error:
            self.also((Gap(source=source, reason=f"{type(error).__name__}: {error}"),))
            return nothing

    def also(self, gaps: tuple[Gap, ...]) -> None:
        """Add what a source itself says it left out, within bounds."""
        self._gaps += [
            gap.model_copy(update={"reason": gap.reason[:LONGEST_REASON]})
            for gap in gaps[:MOST_GAPS]
        ]
        if len(gaps) > MOST_GAPS:
            more = f"{len(gaps) - MOST_GAPS} more could not be read"
            self._gaps.append(Gap(source=gaps[0].source, reason=more))
