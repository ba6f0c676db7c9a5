"""What was collected around an alarm, and what could not be."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

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


class SettingChange(Value):
    """One setting of the function before and after a change; None where that is not known.

    ``name`` is the field of FunctionConfiguration. Code and keys are told by digest or ARN.
    """

    name: str
    before: str | int | None = None
    after: str | int | None = None


class VariableChange(Value):
    """What became of one environment variable; its values are only ever compared by digest."""

    name: str
    kind: Literal["added", "removed", "changed"]


class RecentChange(Value):
    """Something that was done to the function before the alarm; ``id`` is what a finding cites.

    ``cloudtrail`` holds requests, `environment` in them is only said to have been written;
    ``snapshot`` is the difference to a configuration that the service remembers, and
    ``configuration`` a change that is seen by its date and by nothing else (CloudTrail lags).
    """

    id: str
    at: Instant
    source: Literal["cloudtrail", "snapshot", "configuration"]
    event: str
    principal: str | None = None
    is_own: bool = False
    """Whether it looks like a change by this service."""
    settings: tuple[SettingChange, ...] = ()
    variables: tuple[VariableChange, ...] = ()
    writes_environment: bool = False

    def setting(self, name: str) -> SettingChange | None:
        """Find what became of a setting; None if this change left it alone."""
        return next((s for s in self.settings if s.name == name), None)


class Alias(Value):
    """A name for a published version; ``also`` are further versions and their share of traffic."""

    name: str
    version: str
    also: dict[str, float] = Field(default_factory=dict)


class PublishedVersion(Value):
    """A published version: what it runs with, for ever."""

    version: str
    code_sha256: str
    timeout_s: int
    memory_mb: int
    last_modified: Instant | None = None


class AccountConcurrency(Value):
    """How many executions the account may run at once, and how many no function has reserved."""

    limit: int
    unreserved: int


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
    changes: tuple[RecentChange, ...] = ()
    """What was done to the function lately, oldest first."""
    aliases: tuple[Alias, ...] = ()
    versions: tuple[PublishedVersion, ...] = ()
    """The newest published versions; read, as the aliases, only where traffic goes to any."""
    concurrency: AccountConcurrency | None = None
    gaps: tuple[Gap, ...] = ()

    @property
    def failures(self) -> tuple[Invocation, ...]:
        """The invocations whose caller got an error."""
        return tuple(i for i in self.invocations if i.has_failed)

    def of_version(self, version: str) -> Evidence:
        """Give what bears on one version: its invocations, and no log of another one's."""
        others = {i.stream for i in self.invocations if i.version != version}
        return self.model_copy(
            update={
                "invocations": tuple(i for i in self.invocations if i.version == version),
                "log_lines": tuple(line for line in self.log_lines if line.stream not in others),
            }
        )

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
    changes: int = 0
    first_invocation_at: Instant | None = None
    last_invocation_at: Instant | None = None
    gaps: tuple[Gap, ...]
