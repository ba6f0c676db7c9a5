"""Sources of evidence, and where it is kept, in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from autorepair.domain.catalogue import CatalogueEntry
from autorepair.domain.circumstances import EnvironmentKey
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.deployment import Stack, recent_deployment
from autorepair.domain.diagnosis import Advice, RootCause
from autorepair.domain.errors import EvidenceMissingError
from autorepair.domain.evidence import (
    AccountConcurrency,
    Alias,
    Caller,
    DeclaredVariable,
    EventSource,
    Evidence,
    EvidenceSummary,
    Gap,
    Invocation,
    LogLine,
    MetricSeries,
)
from autorepair.domain.incident import Target
from autorepair.domain.recent_changes import TrailEvent
from autorepair.ports import CallerReading, LogReading, Releases
from unit.fake_functions import NOW


class FakeLogs:
    def __init__(self) -> None:
        self.lines: list[LogLine] = []
        self.invocations: list[Invocation] = []
        self.gaps: list[Gap] = []
        self.error: Exception | None = None
        self.reads: list[tuple[datetime, datetime]] = []

    def read(
        self, configuration: FunctionConfiguration, *, start: datetime, end: datetime
    ) -> LogReading:
        del configuration
        self.reads.append((start, end))
        if self.error is not None:
            raise self.error
        return LogReading(
            lines=tuple(line for line in self.lines if start <= line.at <= end),
            invocations=tuple(i for i in self.invocations if start <= i.started_at <= end),
            gaps=tuple(self.gaps),
        )


class FakeMetrics:
    def __init__(self) -> None:
        self.series: tuple[MetricSeries, ...] = ()
        self.hours: tuple[MetricSeries, ...] = CALLED_ONCE_A_DAY
        self.asked_by_the_hour: list[tuple[datetime, datetime]] = []
        self.error: Exception | None = None

    def read(self, target: Target, *, start: datetime, end: datetime) -> tuple[MetricSeries, ...]:
        del target, start, end
        if self.error is not None:
            raise self.error
        return self.series

    def by_the_hour(
        self, target: Target, *, start: datetime, end: datetime
    ) -> tuple[MetricSeries, ...]:
        del target
        self.asked_by_the_hour.append((start, end))
        if self.error is not None:
            raise self.error
        return self.hours


def by_the_hour(
    name: str, statistic: str, *values: float, until: datetime = NOW, hours_apart: int = 1
) -> MetricSeries:
    """One value for an hour each, the last of them for the hour before ``until``."""
    begin = until - timedelta(hours=hours_apart * (len(values) - 1) + 1)
    return MetricSeries(
        id=f"metric/{name}/{statistic}",
        namespace="AWS/Lambda",
        metric_name=name,
        statistic=statistic,
        period_s=3600,
        points=tuple(
            (begin + timedelta(hours=hours_apart * number), value)
            for number, value in enumerate(values)
        ),
    )


CALLED_ONCE_A_DAY = (
    by_the_hour("Invocations", "Sum", *[1.0] * 30, hours_apart=24),
    by_the_hour("Errors", "Sum", *[0.0] * 30, hours_apart=24),
    by_the_hour("Duration", "Average", *[2500.0] * 30, hours_apart=24),
    by_the_hour("ConcurrentExecutions", "Maximum", *[1.0] * 30, hours_apart=24),
)


class FakeCallers:
    def __init__(self) -> None:
        self.callers: tuple[Caller, ...] = ()
        self.event_sources: tuple[EventSource, ...] = ()
        self.gaps: tuple[Gap, ...] = ()
        self.error: Exception | None = None

    def read(self, target: Target) -> CallerReading:
        del target
        if self.error is not None:
            raise self.error
        return CallerReading(self.callers, self.event_sources, self.gaps)


class FakeChangeLog:
    def __init__(self) -> None:
        self.events: tuple[TrailEvent, ...] = ()
        self.gaps: tuple[Gap, ...] = ()
        self.error: Exception | None = None

    def read(
        self, target: Target, *, since: datetime, until: datetime
    ) -> tuple[tuple[TrailEvent, ...], tuple[Gap, ...]]:
        del target, since, until
        if self.error is not None:
            raise self.error
        return self.events, self.gaps


class FakeReleaseList:
    def __init__(self) -> None:
        self.releases = Releases(aliases=(), versions=())
        self.error: Exception | None = None
        self.reads = 0

    def read(self, target: Target) -> Releases:
        del target
        self.reads += 1
        if self.error is not None:
            raise self.error
        return self.releases

    def aliases(self, target: Target) -> tuple[Alias, ...]:
        del target
        if self.error is not None:
            raise self.error
        return self.releases.aliases


class FakeStacks:
    def __init__(self) -> None:
        self.stacks: tuple[Stack, ...] = ()
        self.error: Exception | None = None

    def owning(self, configuration: FunctionConfiguration) -> tuple[Stack, ...]:
        del configuration
        if self.error is not None:
            raise self.error
        return self.stacks


class FakeEnvironmentKeys:
    """Every key is enabled and enrolled, but for those in ``keys``."""

    def __init__(self) -> None:
        self.keys: dict[str, EnvironmentKey] = {}

    def read(self, key_arn: str) -> EnvironmentKey:
        usable = EnvironmentKey(arn=key_arn, state="Enabled", is_enrolled=True)
        return self.keys.get(key_arn, usable)


class FakeRoles:
    def __init__(self) -> None:
        self.services = frozenset({"lambda.amazonaws.com"})
        self.error: Exception | None = None

    def trusted_by(self, role_arn: str) -> frozenset[str]:
        del role_arn
        if self.error is not None:
            raise self.error
        return self.services


class FakeConcurrency:
    def __init__(self) -> None:
        self.unreserved = 900
        self.error: Exception | None = None

    def of_account(self) -> AccountConcurrency:
        if self.error is not None:
            raise self.error
        return AccountConcurrency(limit=1000, unreserved=self.unreserved)


class FakeKnownConfig:
    def __init__(self) -> None:
        self.variables: tuple[DeclaredVariable, ...] = ()
        self.error: Exception | None = None

    def declared(self, configuration: FunctionConfiguration) -> tuple[DeclaredVariable, ...]:
        del configuration
        if self.error is not None:
            raise self.error
        return self.variables


class FakeEvidenceStore:
    def __init__(self) -> None:
        self.kept: dict[str, Evidence] = {}

    def put(self, evidence: Evidence) -> EvidenceSummary:
        key = f"incidents/{evidence.incident_id}/evidence-{len(self.kept) + 1}.json"
        self.kept[key] = evidence
        return summary_of(evidence, key=key)

    def get(self, summary: EvidenceSummary) -> Evidence:
        if summary.key not in self.kept:
            raise EvidenceMissingError(f"{summary.key} is gone")
        return self.kept[summary.key]


def summary_of(evidence: Evidence, *, key: str) -> EvidenceSummary:
    return EvidenceSummary(
        bucket="evidence",
        key=key,
        sha256=hashlib.sha256(evidence.model_dump_json().encode()).hexdigest(),
        collected_at=evidence.collected_at,
        window_start=evidence.window_start,
        window_end=evidence.window_end,
        invocations=len(evidence.invocations),
        failures=len(evidence.failures),
        log_lines=len(evidence.log_lines),
        changes=len(evidence.changes),
        log_group=evidence.configuration.log_group,
        first_invocation_at=min((i.started_at for i in evidence.invocations), default=None),
        last_invocation_at=max((i.started_at for i in evidence.invocations), default=None),
        recent_deployment=recent_deployment(evidence),
        traffic=evidence.traffic,
        concurrency=evidence.concurrency,
        gaps=evidence.gaps,
    )


class FakeAdvisor:
    def __init__(self) -> None:
        self.advice = Advice(root_cause=RootCause.UNKNOWN, why="nothing stands out")
        self.error: Exception | None = None
        self.asked = 0

    def advise(self, evidence: Evidence, catalogue: Sequence[CatalogueEntry]) -> Advice:
        del evidence, catalogue
        self.asked += 1
        if self.error is not None:
            raise self.error
        return self.advice
