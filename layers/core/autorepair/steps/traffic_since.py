"""Reads what a target does since it was changed, by its log and by its metrics."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from autorepair.domain.change import AliasSetting, Change
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.errors import AutoRepairError
from autorepair.domain.evidence import Alias, Evidence, Gap, Invocation, LogLine
from autorepair.domain.probe import ProbeResult
from autorepair.domain.signatures import signatures
from autorepair.domain.unseen_failures import gaps_after
from autorepair.ports import LogReading, Ports
from autorepair.steps.sampling import (
    LATEST,
    LOG_LAG_S,
    METRIC_LAG,
    begun_after,
    led_away_since,
    led_there_by_alias,
    missing_figures,
    shared_with_others,
    still_called,
)

_log = logging.getLogger(__name__)

LEAST_LOOK_BACK = timedelta(minutes=2)
"""How much of the latest log is read at least where all since the change is too much."""
LOOK_BEFORE = timedelta(minutes=15)
"""How long before the change an environment has to have been seen to be known as an old one."""
_MINUTE = timedelta(minutes=1)
_NOTHING = LogReading(lines=(), invocations=(), gaps=())


@dataclass(frozen=True, slots=True)
class Made:
    """A change that was made: what it amounts to, and when it was sent and had settled."""

    incident_id: str
    whole: Change
    applied_at: datetime
    accepted_at: datetime | None = None
    probes: tuple[ProbeResult, ...] = ()
    """The service's own invocations since; they are no traffic."""

    @property
    def qualifier(self) -> str | None:
        """By which alias or version the changed function is called; None for `$LATEST`."""
        release = self.whole.release
        return self.whole.target.qualifier if release is None else release.alias


@dataclass(frozen=True, slots=True)
class TrafficSince:
    """What runs with the change, the metrics since, and how failures before it are known to speak.

    ``after`` is what a verdict rests on: the log, or the metrics where only they tell.
    """

    after: Evidence
    metrics: Evidence
    kinds: frozenset[str] = frozenset()


def by_log(
    made: Made, before: Evidence, configuration: FunctionConfiguration, ports: Ports
) -> TrafficSince:
    """Read what the environments started after the change have logged up to now.

    The metrics stand beside it: refused calls leave no line in the log. They are one more thing to
    look at, so that a verdict does not fail for them.
    """
    shortly = _shortly_before(made, before, configuration, ports)
    after = _evidence_after(made, before, shortly.invocations, configuration, ports)
    try:
        metrics = _metrics_after(made, configuration, ports)
    except AutoRepairError as error:
        _log.warning("the metrics since the change could not be read: %s", error)
        gap = Gap(source="metrics", reason="whether calls were refused is not known")
        metrics = after.model_copy(update={"metrics": (), "gaps": (gap,)})
    kinds = _kinds(shortly.invocations, shortly.lines)
    return TrafficSince(after, metrics, kinds)


def by_metrics(made: Made, configuration: FunctionConfiguration, ports: Ports) -> TrafficSince:
    """Read the metrics of the whole minutes since the change, as far as they are in."""
    metrics = _metrics_after(made, configuration, ports)
    return TrafficSince(metrics, metrics)


def _kinds(invocations: tuple[Invocation, ...], lines: tuple[LogLine, ...]) -> frozenset[str]:
    return frozenset(kind.template for kind in signatures(invocations, lines))


def _evidence_after(
    made: Made,
    before: Evidence,
    shortly: tuple[Invocation, ...],
    configuration: FunctionConfiguration,
    ports: Ports,
) -> Evidence:
    now = ports.clock.now()
    known = (*before.invocations, *shortly)
    log, start = _read_since(made, configuration, now, ports)
    log = _without_probes(log, made.probes)
    release = made.whole.release
    invocations = begun_after(
        log.invocations,
        made.applied_at,
        known=known,
        setting=made.whole.after,
        accepted_at=made.accepted_at,
        version=LATEST if release is None else release.published or LATEST,
    )
    gaps = (*log.gaps, *gaps_after(before))
    if isinstance(left := made.whole.before, AliasSetting):
        invocations = led_there_by_alias(
            invocations,
            made.applied_at,
            known=known,
            bad_since=led_away_since(known, before.changes, left) or made.applied_at,
            until=now,
        )
        gaps += still_called(log.invocations, left.version, made.applied_at)
    elif release is not None:
        if not release.staying:
            # Other aliases that stay on the former version call it by right.
            gaps += still_called(log.invocations, release.former, made.applied_at)
        now_there, unread = _aliases_by_now(made, ports)
        aliases = (*before.aliases, *now_there)
        gaps += (*shared_with_others(release, aliases, before.invocations), *unread)
    streams = {i.stream for i in invocations}
    return Evidence(
        incident_id=made.incident_id,
        collected_at=now,
        window_start=start,
        window_end=now,
        configuration=configuration,
        invocations=invocations,
        log_lines=tuple(line for line in log.lines if line.stream in streams),
        declared=before.declared,
        callers=before.callers,
        gaps=gaps,
    )


def _aliases_by_now(made: Made, ports: Ports) -> tuple[tuple[Alias, ...], tuple[Gap, ...]]:
    """List the aliases: one may have been pointed at the new version since it was published."""
    try:
        return ports.releases.aliases(made.whole.target), ()
    except AutoRepairError as error:
        _log.warning("the aliases could not be listed: %s", error)
        return (), (Gap(source="traffic", reason="who else calls the version cannot be told"),)


def _without_probes(log: LogReading, probes: tuple[ProbeResult, ...]) -> LogReading:
    """Leave out what the service itself has invoked.

    Of a probe that was not answered only the moment is known: then something since is left out in
    its place, so that it proves nothing.
    """
    out = {probe.request_id for probe in probes if probe.request_id is not None}
    for probe in probes:
        if probe.request_id is None:
            since = (i for i in log.invocations if i.started_at >= probe.at)
            most_telling = max(
                (i for i in since if i.request_id not in out), key=_how_telling, default=None
            )
            out |= set() if most_telling is None else {most_telling.request_id}
    return LogReading(
        lines=tuple(line for line in log.lines if line.request_id not in out),
        invocations=tuple(i for i in log.invocations if i.request_id not in out),
        gaps=log.gaps,
    )


def _how_telling(invocation: Invocation) -> tuple[bool, bool, float]:
    """Put first what speaks most for a change: a success, and of those the longest.

    A long one may be proof by itself. Where nothing has succeeded, the probe has failed or has not
    ended.
    """
    is_success = invocation.status == "success"
    has_ended = invocation.status != "unfinished"
    return is_success, is_success or not has_ended, invocation.duration_ms or 0.0


def _metrics_after(made: Made, configuration: FunctionConfiguration, ports: Ports) -> Evidence:
    now = ports.clock.now()
    start = (made.applied_at + _MINUTE).replace(second=0, microsecond=0)
    end = (now - METRIC_LAG).replace(second=0, microsecond=0)
    target = made.whole.target
    read = Evidence(
        incident_id=made.incident_id,
        collected_at=now,
        window_start=start,
        window_end=max(start, end),
        configuration=configuration,
        metrics=ports.metrics.read(target, start=start, end=end) if start < end else (),
    )
    return read.model_copy(update={"gaps": missing_figures(read)})


def _shortly_before(
    made: Made, before: Evidence, configuration: FunctionConfiguration, ports: Ports
) -> LogReading:
    """Read what was at work between the evidence and the change.

    On its own, so that a loud past takes nothing from what is read of the time since. What is
    missing here makes an old environment count, which lets no change look better than it is.
    """
    start = max(before.window_end, made.applied_at - LOOK_BEFORE)
    if start >= made.applied_at:
        return _NOTHING
    return ports.logs.read(configuration, start=start, end=made.applied_at)


def _read_since(
    made: Made, configuration: FunctionConfiguration, now: datetime, ports: Ports
) -> tuple[LogReading, datetime]:
    """Read the log since the change; of one too long for that, the last part, but that whole."""
    log = ports.logs.read(configuration, start=made.applied_at, end=now)
    shorter = max(LEAST_LOOK_BACK, 2 * timedelta(seconds=configuration.timeout_s + LOG_LAG_S))
    start = now - shorter
    if not log.gaps or start <= made.applied_at:
        return log, made.applied_at
    return ports.logs.read(configuration, start=start, end=now), start
