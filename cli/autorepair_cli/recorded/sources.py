"""The ports of a recording: the service's own adapters over the stand-in for AWS."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn, TypeVar, cast, get_args

from autorepair.aws.alarms import CloudWatchAlarms
from autorepair.aws.callers import API_GATEWAY_LIMIT_S, LambdaCallers
from autorepair.aws.digests import Digester
from autorepair.aws.evidence_store import S3EvidenceStore
from autorepair.aws.functions import LambdaFunctions
from autorepair.aws.known_config import SsmKnownConfig
from autorepair.aws.logs import CloudWatchLogs
from autorepair.aws.releases import LambdaConcurrency, LambdaReleases
from autorepair.domain.audit import AuditRecord, Entry, chain
from autorepair.domain.change import RepairKind
from autorepair.domain.circumstances import EnvironmentKey
from autorepair.domain.configuration import (
    MAX_EPHEMERAL_STORAGE_MB,
    MAX_MEMORY_MB,
    MAX_TIMEOUT_S,
    FunctionConfiguration,
)
from autorepair.domain.deployment import Stack
from autorepair.domain.evidence import (
    AccountConcurrency,
    Caller,
    CallerKind,
    Evidence,
    EvidenceSummary,
    Gap,
    MetricSeries,
)
from autorepair.domain.filtered_log import FilteredLog
from autorepair.domain.incident import Target
from autorepair.domain.ledger import Ledger
from autorepair.domain.pause import Pause
from autorepair.domain.policy import Caps, Mode, Policy
from autorepair.domain.recent_changes import TrailEvent
from autorepair.domain.snapshot import Snapshot
from autorepair.ports import Advisor, CallerReading, Concurrency, IncidentState, Ports, Snapshots
from autorepair.watch import ClosedIncident
from autorepair_cli.recorded.account import KNOWN_CONFIG, RecordedAccount
from autorepair_cli.recorded.case import Recording
from autorepair_cli.recorded.changes import recent_change, trail_event

NO_CAP_USD = 1e12
POLICY = Policy(
    modes=dict.fromkeys(RepairKind, Mode.AUTO),
    caps=Caps(
        timeout_s=MAX_TIMEOUT_S,
        memory_mb=MAX_MEMORY_MB,
        ephemeral_storage_mb=MAX_EPHEMERAL_STORAGE_MB,
        reserved_concurrency=1000,
        added_cost_usd_month=NO_CAP_USD,
    ),
)
"""Lets every kind of repair through, up to Lambda's own limits: a recording holds no policy, so
no expected answer can rest on a tighter cap."""
LAMBDA_METRICS = frozenset(
    {
        "AsyncEventAge",
        "AsyncEventsDropped",
        "AsyncEventsReceived",
        "ClaimedAccountConcurrency",
        "ConcurrentExecutions",
        "DeadLetterErrors",
        "DestinationDeliveryFailures",
        "Duration",
        "Errors",
        "Invocations",
        "IteratorAge",
        "OffsetLag",
        "PostRuntimeExtensionsDuration",
        "ProvisionedConcurrencyInvocations",
        "ProvisionedConcurrencySpilloverInvocations",
        "ProvisionedConcurrencyUtilization",
        "ProvisionedConcurrentExecutions",
        "RecursiveInvocationsDropped",
        "Throttles",
        "UnreservedConcurrentExecutions",
    }
)
"""From "Types of metrics for Lambda functions" in Lambda's developer guide."""
_QUEUE_METRICS = re.compile(r"ApproximateNumberOf|ApproximateAgeOf|NumberOf(Empty)?Messages|Sent")
_SERIES = re.compile(
    r"(?P<name>.{1,255})\.(?P<statistic>(?:p|tm|tc|ts|wm)\d{1,3}(?:\.\d{1,4})?|[A-Za-z]\w{0,30})"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class _Clock:
    """Stands still at the moment of the alarm."""

    at: datetime

    def now(self) -> datetime:
        return self.at


@dataclass(frozen=True)
class _Metrics:
    """Every recorded series, those of other namespaces too."""

    recording: Recording
    alarm_namespace: str | None

    def read(self, target: Target, *, start: datetime, end: datetime) -> tuple[MetricSeries, ...]:  # noqa: ARG002 - a port's
        metrics = self.recording.metrics
        return tuple(
            MetricSeries(
                id=f"metric/{named['name']}/{named['statistic']}",
                namespace=self._namespace_of(named["name"]),
                metric_name=named["name"],
                statistic=named["statistic"],
                period_s=metrics.period,
                points=tuple((_EPOCH + timedelta(seconds=at), value) for at, value in points),
            )
            for name, points in metrics.series.items()
            if (named := _SERIES.fullmatch(name)) is not None
        )

    def by_the_hour(
        self, target: Target, *, start: datetime, end: datetime
    ) -> tuple[MetricSeries, ...]:
        """Give what was recorded: it is all that is known of the month as well."""
        return self.read(target, start=start, end=end)

    def _namespace_of(self, name: str) -> str:
        if name in LAMBDA_METRICS:
            return "AWS/Lambda"
        if _QUEUE_METRICS.match(name):
            return "AWS/SQS"
        return self.alarm_namespace or "unknown"


@dataclass(frozen=True)
class _Callers:
    """What the mappings say, and beside it the recorded short names."""

    adapter: LambdaCallers
    recording: Recording

    def read(self, target: Target) -> CallerReading:
        found = self.adapter.read(target)
        kinds: set[str] = {caller.kind for caller in found.callers}
        kinds |= {source.kind for source in found.event_sources}
        named = (name.strip().lower() for name in self.recording.triggers)
        also = tuple(_caller(name) for name in dict.fromkeys(named) if name not in kinds)
        return CallerReading((*found.callers, *also), found.event_sources, found.gaps)


_KINDS = frozenset(get_args(CallerKind))


def _caller(name: str) -> Caller:
    if name == "apigateway":
        reason = "API Gateway gives up after 29 s (REST) or 30 s (HTTP)"
        return Caller(kind=name, source=name, timeout_limit_s=API_GATEWAY_LIMIT_S, reason=reason)
    kind = name if name in _KINDS else "other"
    return Caller.model_validate({"kind": kind, "source": name, "reason": "recorded as a caller"})


@dataclass(frozen=True)
class _ChangeLog:
    """The recorded requests; what they replaced is added in the evidence."""

    recording: Recording

    def read(
        self,
        target: Target,  # noqa: ARG002 - a port's
        *,
        since: datetime,  # noqa: ARG002 - a port's
        until: datetime,  # noqa: ARG002 - a port's
    ) -> tuple[tuple[TrailEvent, ...], tuple[Gap, ...]]:
        changes = enumerate(self.recording.recent_changes, 1)
        return tuple(trail_event(number, change) for number, change in changes), ()


@dataclass(frozen=True)
class _Concurrency:
    """The account's limits, where they were worth recording."""

    adapter: LambdaConcurrency
    recording: Recording

    def of_account(self) -> AccountConcurrency | None:
        return None if self.recording.account_settings is None else self.adapter.of_account()


class _Surroundings:
    """No deployment runs, the function's key is enrolled as the function is, no edge takes it on.

    None of it is recorded, so no expected answer can rest on it.
    """

    def owning(self, configuration: FunctionConfiguration) -> tuple[Stack, ...]:  # noqa: ARG002 - a port's
        return ()

    def read(self, key_arn: str) -> EnvironmentKey:
        return EnvironmentKey(arn=key_arn, state="Enabled", is_enrolled=True)

    def trusted_by(self, role_arn: str) -> frozenset[str]:  # noqa: ARG002 - a port's
        return frozenset()


class _Snapshots:
    """None: a recording's changes hold already what snapshots would add."""

    def of(self, target: Target) -> tuple[Snapshot, ...]:  # noqa: ARG002 - a port's
        return ()


@dataclass(frozen=True)
class _MetricFilters:
    """A metric of a namespace of its own is taken to be made of the function's log."""

    recording: Recording

    def of_metric(self, namespace: str, name: str) -> tuple[FilteredLog, ...]:  # noqa: ARG002 - a port's
        return ()

    def writers_of(self, log: FilteredLog, *, start: datetime, end: datetime) -> tuple[str, ...]:  # noqa: ARG002 - a port's
        return ()


@dataclass(frozen=True)
class _Policies:
    """The policy of every recording."""

    def current(self, *, is_fresh: bool = False) -> Policy:  # noqa: ARG002 - a port's
        return POLICY


@dataclass(frozen=True)
class _EvidenceStore:
    """Adds what only a recording knows to the evidence before it is stored."""

    adapter: S3EvidenceStore
    recording: Recording

    def put(self, evidence: Evidence) -> EvidenceSummary:
        changes = enumerate(self.recording.recent_changes, 1)
        told = {
            one.id: one for one in (recent_change(number, change) for number, change in changes)
        }
        completed = {
            "changes": tuple(told.get(change.id, change) for change in evidence.changes),
            "gaps": (*evidence.gaps, *self.recording.gaps),
        }
        return self.adapter.put(evidence.model_copy(update=completed))

    def get(self, summary: EvidenceSummary) -> Evidence:
        return self.adapter.get(summary)


@dataclass
class _Audit:
    """The chain of one run; nobody reads it afterwards."""

    records: list[AuditRecord] = field(default_factory=list)

    def append(self, entry: Entry) -> AuditRecord:
        made = chain(entry, after=self.records[-1] if self.records else None)
        self.records.append(made)
        return made

    def chain_of(self, incident_id: str) -> tuple[AuditRecord, ...]:
        return tuple(r for r in self.records if r.entry.incident_id == incident_id)


ResultT = TypeVar("ResultT")


class _State:
    """Nobody has paused a recording, and it is the function's first incident."""

    def pause_in_force(self) -> Pause | None:
        return None

    def last_closed(self, target: Target) -> ClosedIncident | None:
        del target
        return None


class _Ledger:
    """Nothing was repaired before."""

    def update(self, target: Target, revise: Callable[[Ledger], tuple[Ledger, ResultT]]) -> ResultT:
        del target
        return revise(Ledger())[1]


class _Unreachable:
    """A port that no step up to the decision speaks to."""

    def __getattr__(self, name: str) -> NoReturn:
        raise NotImplementedError(f"a recording has no {name}")


def metric_key(series: MetricSeries) -> str:
    """Name a series as a recording does."""
    return f"{series.metric_name}.{series.statistic}"


def ports_of(
    recording: Recording, *, now: datetime, alarm_namespace: str | None, advisor: Advisor
) -> Ports:
    """Build the ports of one run; the clock stands at ``now``."""
    # One stand-in for every client, and one for the ports that nothing here speaks to.
    aws, nothing = cast("Any", RecordedAccount(recording)), cast("Any", _Unreachable())
    digester = Digester(aws, "recorded")
    return Ports(
        clock=_Clock(now),
        functions=LambdaFunctions(aws, digester, nothing),
        alarms=CloudWatchAlarms(aws),
        metric_filters=_MetricFilters(recording),
        admissions=nothing,
        logs=CloudWatchLogs(aws),
        metrics=_Metrics(recording, alarm_namespace),
        callers=_Callers(LambdaCallers(aws, aws), recording),
        change_log=_ChangeLog(recording),
        releases=LambdaReleases(aws),
        concurrency=cast("Concurrency", _Concurrency(LambdaConcurrency(aws), recording)),
        stacks=_Surroundings(),
        environment_keys=_Surroundings(),
        roles=_Surroundings(),
        snapshots=cast("Snapshots", _Snapshots()),
        known_config=SsmKnownConfig(aws, aws, digester, prefix=KNOWN_CONFIG),
        policies=_Policies(),
        evidence=_EvidenceStore(S3EvidenceStore(aws, digester, bucket="recorded"), recording),
        audit=_Audit(),
        state=cast("IncidentState", _State()),
        ledger=_Ledger(),
        notifier=nothing,
        approvals=nothing,
        links=nothing,
        probes=nothing,
        own_alarms=nothing,
        unsent=nothing,
        watches=nothing,
        pace=nothing,
        announcer=nothing,
        advisor=advisor,
        executions=nothing,
        standing_alarms=nothing,
        enrolment=nothing,
        account_id=account_of(recording)[1],
        region=account_of(recording)[0],
        is_approval_required=False,
        approval_url="",
    )


def account_of(recording: Recording) -> tuple[str, str]:
    """Give Region and account of the recorded function."""
    parts = str(recording.function_configuration.get("FunctionArn", "")).split(":")
    return (parts[3], parts[4]) if len(parts) > 6 else ("us-east-1", "000000000000")  # noqa: PLR2004 - parts of an ARN
