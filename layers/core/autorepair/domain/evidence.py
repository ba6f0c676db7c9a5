"""What was collected around an alarm, and what could not be."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.incident import Alarm
from autorepair.domain.traffic import Traffic
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
    is_suspected: bool = False
    """Whether it failed by words alone that the function may have logged and gone on."""
    is_only_counted: bool = False
    """Whether only the metrics tell that it failed, and nothing in the log does."""

    @property
    def ended_at(self) -> datetime | None:
        """When it ended; None where its duration is not told."""
        if self.duration_ms is None:
            return None
        return self.started_at + timedelta(milliseconds=self.duration_ms)

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


CallerKind = Literal[
    "apigateway", "alb", "function-url", "sqs", "sns", "s3", "eventbridge", "kinesis", "dynamodb",
    "msk", "iot", "stepfunctions", "other",
]  # fmt: skip


class Caller(Value):
    """Something that invokes the function, with the limit it puts on a timeout."""

    kind: CallerKind
    source: str
    timeout_limit_s: float | None = None
    """A timeout above this does not help, or breaks, this caller; None when it sets none."""
    timeout_advised_s: float | None = None
    """The longest timeout that AWS advises for this caller; kept where the need allows it."""
    reason: str = ""


class EventSource(Value):
    """A queue or stream that Lambda polls for the function, and how it deals with failures."""

    kind: Literal["sqs", "kinesis", "dynamodb", "msk", "mq", "other"]
    source: str
    state: str = "Enabled"
    batch_size: int | None = None
    has_partial_responses: bool = False
    """Whether the function may report single records of a batch as failed."""
    most_retries: int | None = None
    """How often a stream's batch is tried again; None for until it expires, or a queue's rule."""
    last_result: str = ""
    most_receives: int | None = None
    """After how many receives a queue hands a message to its dead-letter queue; None for never."""


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
    alias: str | None = None
    """The alias that was moved; the setting ``function_version`` says from where to where."""
    note: str = ""
    """What else is told of the change, masked: words written by others."""

    def setting(self, name: str) -> SettingChange | None:
        """Find what became of a setting; None if this change left it alone."""
        return next((s for s in self.settings if s.name == name), None)


class Alias(Value):
    """A name for a published version; ``also`` are further versions and their share of traffic."""

    name: str
    version: str
    also: dict[str, float] = Field(default_factory=dict)
    differs: tuple[str, ...] | None = None
    """In what its version is not as `$LATEST` is, by name; None where that was not read."""
    has_snap_start: bool = False
    """Whether its version is started from a snapshot of its memory."""
    has_provisioned_concurrency: bool = False
    """Whether any hangs on the alias or on its version."""


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


class Signature(Value):
    """What failures of one kind say: ``template`` is their words with all that varies masked."""

    template: str
    count: int
    """How many failures among what was read say this."""
    first_at: Instant
    last_at: Instant
    first_line_id: str


class EnvironmentTrend(Value):
    """How one execution environment did from its first to its last invocation.

    The slopes are least squares over the invocations' order: per invocation.
    """

    stream: str
    version: str
    invocations: int
    failures: int
    first_at: Instant
    last_at: Instant
    memory_mb: int | None = None
    first_used_mb: int | None = None
    last_used_mb: int | None = None
    used_slope_mb: float = 0.0
    duration_slope_ms: float = 0.0


class Onset(Value):
    """When the failures began, as far as the log was read, and what was changed before."""

    first_failure_at: Instant
    last_success_before: Instant | None = None
    """When the last success before it began; None where the failures go back to the beginning."""
    changes: tuple[str, ...] = ()
    """The ids of the changes in the hour before it, the latest first."""


class Evidence(Value):
    """Everything that was collected; kept whole in the evidence bucket."""

    incident_id: str
    collected_at: Instant
    window_start: Instant
    window_end: Instant
    configuration: FunctionConfiguration
    alarm: Alarm | None = None
    """The alarm that opened the incident; None for a manual start."""
    invocations: tuple[Invocation, ...] = ()
    log_lines: tuple[LogLine, ...] = ()
    metrics: tuple[MetricSeries, ...] = ()
    callers: tuple[Caller, ...] = ()
    event_sources: tuple[EventSource, ...] = ()
    declared: tuple[DeclaredVariable, ...] = ()
    changes: tuple[RecentChange, ...] = ()
    """What was done to the function lately, oldest first."""
    aliases: tuple[Alias, ...] = ()
    versions: tuple[PublishedVersion, ...] = ()
    """The newest published versions; read, as the aliases, only where traffic goes to any."""
    concurrency: AccountConcurrency | None = None
    traffic: Traffic | None = None
    """How much it is called in a month; None where that could not be read."""
    signatures: tuple[Signature, ...] = ()
    """What the failures say, the most frequent first."""
    environments: tuple[EnvironmentTrend, ...] = ()
    """The environments that served the most, oldest first."""
    onset: Onset | None = None
    """When it began; None where nothing failed."""
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


class RecentDeployment(Value):
    """What was deployed in the hour before the failures began, and since, taken together."""

    at: Instant
    """When the last of it was."""
    told: str
    """What that was, and by whom."""
    is_code: bool
    """Whether it changed what is run, or nobody can say (yet) that it did not."""
    is_since: bool = False
    """Whether any of it came after the first failure, so that it may have mended what failed."""
    settings: tuple[str, ...] = ()
    """The settings that were lowered, or set from what is not known; FunctionConfiguration's."""
    variables: tuple[str, ...] = ()
    """The environment variables that were changed, as far as they are known by name."""
    writes_environment: bool = False
    """Whether the environment was written without anybody knowing which variables."""


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
    log_group: str | None = None
    first_invocation_at: Instant | None = None
    last_invocation_at: Instant | None = None
    recent_deployment: RecentDeployment | None = None
    traffic: Traffic | None = None
    concurrency: AccountConcurrency | None = None
    gaps: tuple[Gap, ...]
