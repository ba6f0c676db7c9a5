"""What was collected around an alarm, and what could not be."""

from __future__ import annotations

from typing import Literal

from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.value import Instant, Value

InvocationStatus = Literal["success", "error", "timeout", "out_of_memory", "crash", "unfinished"]


class Gap(Value):
    """A source that could not be read in full: never to be mistaken for "nothing wrong"."""

    source: str
    reason: str


class LogLine(Value):
    """One log event (a stack trace stays one event); ``id`` is what a finding cites."""

    id: str
    at: Instant
    stream: str
    message: str
    request_id: str | None = None


class Invocation(Value):
    """One invocation put together from its platform log lines."""

    request_id: str
    started_at: Instant
    stream: str
    version: str = "$LATEST"
    status: InvocationStatus
    duration_ms: float | None = None
    memory_mb: int | None = None
    max_memory_used_mb: int | None = None
    init_ms: float | None = None
    error_type: str | None = None
    report_id: str | None = None
    """The id of the log line with the figures."""

    @property
    def has_failed(self) -> bool:
        """Whether the caller got an error."""
        return self.status not in {"success", "unfinished"}


class MetricSeries(Value):
    """Datapoints of one metric, oldest first, as (moment, value)."""

    id: str
    namespace: str
    metric_name: str
    statistic: str
    period_s: int
    points: tuple[tuple[Instant, float], ...]

    @property
    def total(self) -> float:
        """The sum over all datapoints."""
        return sum(value for _, value in self.points)


class Caller(Value):
    """Something that invokes the function, with the limit it puts on a timeout."""

    kind: Literal["apigateway", "sqs", "stepfunctions", "alb", "eventbridge", "sns", "s3", "other"]
    source: str
    timeout_limit_s: float | None = None
    """A timeout above this does not help, or breaks, this caller; None when it sets none."""
    reason: str = ""


class DeclaredVariable(Value):
    """An environment variable for which the operator has declared a source, or its absence."""

    name: str
    kind: Literal["literal", "ssm", "secretsmanager", "absent"]
    matches_current: bool | None = None
    """Whether the function has exactly the declared value now; None when that is not known."""


class Evidence(Value):
    """Everything that was collected; kept whole in the evidence bucket."""

    incident_id: str
    collected_at: Instant
    window_start: Instant
    window_end: Instant
    configuration: FunctionConfiguration
    invocations: tuple[Invocation, ...] = ()
    log_lines: tuple[LogLine, ...] = ()
    metrics: tuple[MetricSeries, ...] = ()
    callers: tuple[Caller, ...] = ()
    declared: tuple[DeclaredVariable, ...] = ()
    gaps: tuple[Gap, ...] = ()

    @property
    def failures(self) -> tuple[Invocation, ...]:
        """The invocations whose caller got an error."""
        return tuple(i for i in self.invocations if i.has_failed)

    def metric(self, name: str, statistic: str) -> MetricSeries | None:
        """Find a series of the function's own metrics; None if it was not collected."""
        return next(
            (m for m in self.metrics if (m.metric_name, m.statistic) == (name, statistic)), None
        )


class EvidenceSummary(Value):
    """The bounded part of the evidence that travels as `$.evidence`, with the pointer to it all."""

    bucket: str
    key: str
    sha256: str
    collected_at: Instant
    window_start: Instant
    window_end: Instant
    invocations: int
    failures: int
    log_lines: int
    first_invocation_at: Instant | None = None
    last_invocation_at: Instant | None = None
    gaps: tuple[Gap, ...]
