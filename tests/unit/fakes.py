"""In-memory stand-ins for every port; each records what happened to it.

They keep the promises of `autorepair.ports`, so that a step tested here meets the same behaviour
as with the adapters: apply is a compare-and-swap, append is idempotent by key, open and close
know one incident per target.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from autorepair.domain.audit import AuditRecord, Entry, RecordKind, chain, first_break
from autorepair.domain.change import ChangeRecord
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.diagnosis import Advice, RootCause
from autorepair.domain.errors import (
    EvidenceMissingError,
    LeaseHeldError,
)
from autorepair.domain.evidence import (
    AccountConcurrency,
    Caller,
    DeclaredVariable,
    Evidence,
    EvidenceSummary,
    Gap,
    Invocation,
    LogLine,
    MetricSeries,
)
from autorepair.domain.incident import Incident, Target
from autorepair.domain.policy import Policy
from autorepair.domain.recent_changes import TrailEvent
from autorepair.domain.snapshot import Snapshot, SnapshotReason
from autorepair.ports import Lease, LogReading, OpenIncident, Ports, Releases
from autorepair.watch import ClosedIncident, Unsettled
from unit.fake_alarms import FakeAdmissions, FakeAlarms, FakeMetricFilters
from unit.fake_functions import ACCOUNT, ARN, NAME, NOW, REGION, FakeFunctions, configuration
from unit.fake_watch import FakeEnrolment, FakeExecutions, FakeStandingAlarms

__all__ = ["ACCOUNT", "ARN", "NAME", "NOW", "REGION", "FakeFunctions", "configuration"]


class FakeClock:
    def __init__(self, now: datetime = NOW) -> None:
        self.moment = now

    def now(self) -> datetime:
        return self.moment

    def advance(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


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
        self.error: Exception | None = None

    def read(self, target: Target, *, start: datetime, end: datetime) -> tuple[MetricSeries, ...]:
        del target, start, end
        if self.error is not None:
            raise self.error
        return self.series


class FakeCallers:
    def __init__(self) -> None:
        self.callers: tuple[Caller, ...] = ()
        self.gaps: tuple[Gap, ...] = ()
        self.error: Exception | None = None

    def read(self, target: Target) -> tuple[tuple[Caller, ...], tuple[Gap, ...]]:
        del target
        if self.error is not None:
            raise self.error
        return self.callers, self.gaps


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


class FakeConcurrency:
    def __init__(self) -> None:
        self.error: Exception | None = None

    def of_account(self) -> AccountConcurrency:
        if self.error is not None:
            raise self.error
        return AccountConcurrency(limit=1000, unreserved=900)


class FakeSnapshots:
    """Remembers the latest of each kind; ``errors`` are raised by the next calls of keep."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.kept: list[Snapshot] = []
        self.errors: list[Exception] = []
        self.error: Exception | None = None

    def keep(self, configuration: FunctionConfiguration, reason: SnapshotReason) -> None:
        if self.errors:
            raise self.errors.pop(0)
        now = self._clock.now()
        self.kept.append(Snapshot(reason=reason, taken_at=now, configuration=configuration))

    def of(self, target: Target) -> tuple[Snapshot, ...]:
        if self.error is not None:
            raise self.error
        mine = [s for s in self.kept if s.configuration.function_arn == target.function_arn]
        return tuple({s.reason: s for s in mine}.values())


class FakeKnownConfig:
    def __init__(self) -> None:
        self.variables: tuple[DeclaredVariable, ...] = ()
        self.error: Exception | None = None

    def declared(self, configuration: FunctionConfiguration) -> tuple[DeclaredVariable, ...]:
        del configuration
        if self.error is not None:
            raise self.error
        return self.variables


class FakePolicies:
    """``policy`` is in force; ``freshly`` is what a read past the cache finds, if it differs."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.freshly: Policy | None = None
        self.error: Exception | None = None
        self.reads: list[bool] = []

    def current(self, *, is_fresh: bool = False) -> Policy:
        self.reads.append(is_fresh)
        if self.error is not None:
            raise self.error
        return self.freshly if is_fresh and self.freshly is not None else self.policy


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
        first_invocation_at=min((i.started_at for i in evidence.invocations), default=None),
        last_invocation_at=max((i.started_at for i in evidence.invocations), default=None),
        gaps=evidence.gaps,
    )


class FakeAudit:
    def __init__(self) -> None:
        self.chains: dict[str, list[AuditRecord]] = {}
        self.error: Exception | None = None

    def append(self, entry: Entry) -> AuditRecord:
        if self.error is not None:
            raise self.error
        records = self.chains.setdefault(entry.incident_id, [])
        known = next((r for r in records if r.entry.key == entry.key), None)
        if known is not None:
            return known
        record = chain(entry, after=records[-1] if records else None)
        records.append(record)
        return record

    def chain_of(self, incident_id: str) -> tuple[AuditRecord, ...]:
        return tuple(self.chains.get(incident_id, ()))

    def kinds(self, incident_id: str) -> list[RecordKind]:
        return [record.entry.kind for record in self.chain_of(incident_id)]

    def told(self) -> str:
        return repr(self.chains)

    def is_whole(self) -> bool:
        return all(first_break(tuple(records)) is None for records in self.chains.values())


class FakeState:
    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.open_on: dict[str, OpenIncident] = {}
        self.leases: dict[str, Lease] = {}
        self.fence = 0
        self.has_pause = False
        self.remembered: dict[str, list[ChangeRecord]] = {}
        self.tokens: dict[str, tuple[str, int]] = {}
        self.incidents: dict[str, Incident] = {}
        self.closed: dict[str, ClosedIncident] = {}

    def open(self, incident: Incident) -> OpenIncident:
        self.incidents.setdefault(incident.id, incident)
        mine = OpenIncident(incident_id=incident.id, execution_arn=incident.execution_arn)
        return self.open_on.setdefault(incident.subject.function_arn, mine)

    def open_incident(self, target: Target) -> OpenIncident | None:
        return self.open_on.get(target.function_arn)

    def unsettled(self) -> Iterator[Unsettled]:
        opened = {standing.incident_id for standing in self.open_on.values()}
        changed = {key for key, kept in self.remembered.items() if kept[-1].is_unsettled}
        for key in [*sorted(opened), *sorted(changed)]:
            yield Unsettled(self.incidents[key], self.incidents[key].opened_at)

    def last_closed(self, target: Target) -> ClosedIncident | None:
        return self.closed.get(target.function_arn)

    def close(self, incident: Incident) -> None:
        at = self._clock.now()
        self.closed[incident.subject.function_arn] = ClosedIncident(incident.id, at)
        standing = self.open_on.get(incident.subject.function_arn)
        if standing is not None and standing.incident_id == incident.id:
            del self.open_on[incident.subject.function_arn]

    def acquire_lease(self, target: Target, *, holder: str, seconds: int) -> Lease:
        held = self.leases.get(target.function_arn)
        if held and held.holder != holder and held.expires_at > self._clock.now():
            raise LeaseHeldError(f"{held.holder} holds the lease of {target.function_name}")
        self.fence += 1
        expires_at = self._clock.now() + timedelta(seconds=seconds)
        lease = Lease(target.function_arn, holder, self.fence, expires_at)
        self.leases[target.function_arn] = lease
        return lease

    def release_lease(self, lease: Lease) -> None:
        if self.leases.get(lease.function_arn) == lease:
            del self.leases[lease.function_arn]

    def is_paused(self) -> bool:
        return self.has_pause

    def remember_change(self, incident: Incident, record: ChangeRecord) -> None:
        self.incidents.setdefault(incident.id, incident)
        self.remembered.setdefault(incident.id, []).append(record)

    def remembered_change(self, incident: Incident) -> ChangeRecord | None:
        kept = self.remembered.get(incident.id)
        return kept[-1] if kept else None

    def keep_task_token(self, incident: Incident, token: str, *, seconds: int) -> None:
        self.tokens[incident.id] = (token, seconds)


@dataclass(frozen=True)
class Sent:
    subject: str
    message: str
    attributes: dict[str, str]


class FakeNotifier:
    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.error: Exception | None = None

    def publish(self, *, subject: str, message: str, attributes: dict[str, str]) -> str:
        if self.error is not None:
            raise self.error
        self.sent.append(Sent(subject, message, attributes))
        return f"message-{len(self.sent)}"


class FakeAnnouncer:
    def __init__(self) -> None:
        self.announced: list[tuple[str, dict[str, Any]]] = []
        self.error: Exception | None = None

    def announce(self, detail_type: str, detail: dict[str, Any]) -> None:
        if self.error is not None:
            raise self.error
        self.announced.append((detail_type, detail))

    @property
    def types(self) -> list[str]:
        return [detail_type for detail_type, _ in self.announced]


class FakeAdvisor:
    def __init__(self) -> None:
        self.advice = Advice(root_cause=RootCause.UNKNOWN, why="nothing stands out")
        self.error: Exception | None = None
        self.asked = 0

    def advise(self, evidence: Evidence) -> Advice:
        del evidence
        self.asked += 1
        if self.error is not None:
            raise self.error
        return self.advice


@dataclass
class World:
    """All fakes of one test, with the Ports made of them."""

    clock: FakeClock = field(default_factory=FakeClock)
    functions: FakeFunctions = field(default_factory=lambda: FakeFunctions(configuration()))
    alarms: FakeAlarms = field(default_factory=FakeAlarms)
    metric_filters: FakeMetricFilters = field(default_factory=FakeMetricFilters)
    admissions: FakeAdmissions = field(default_factory=FakeAdmissions)
    logs: FakeLogs = field(default_factory=FakeLogs)
    metrics: FakeMetrics = field(default_factory=FakeMetrics)
    callers: FakeCallers = field(default_factory=FakeCallers)
    change_log: FakeChangeLog = field(default_factory=FakeChangeLog)
    releases: FakeReleaseList = field(default_factory=FakeReleaseList)
    concurrency: FakeConcurrency = field(default_factory=FakeConcurrency)
    known_config: FakeKnownConfig = field(default_factory=FakeKnownConfig)
    policies: FakePolicies = field(default_factory=lambda: FakePolicies(Policy()))
    evidence: FakeEvidenceStore = field(default_factory=FakeEvidenceStore)
    audit: FakeAudit = field(default_factory=FakeAudit)
    notifier: FakeNotifier = field(default_factory=FakeNotifier)
    announcer: FakeAnnouncer = field(default_factory=FakeAnnouncer)
    advisor: FakeAdvisor = field(default_factory=FakeAdvisor)
    executions: FakeExecutions = field(default_factory=FakeExecutions)
    standing_alarms: FakeStandingAlarms = field(default_factory=FakeStandingAlarms)
    enrolment: FakeEnrolment = field(default_factory=lambda: FakeEnrolment(ARN))
    is_approval_required: bool = False
    state: FakeState = field(init=False)
    snapshots: FakeSnapshots = field(init=False)

    def __post_init__(self) -> None:
        self.state = FakeState(self.clock)
        self.snapshots = FakeSnapshots(self.clock)

    @property
    def ports(self) -> Ports:
        return Ports(
            clock=self.clock,
            functions=self.functions,
            alarms=self.alarms,
            metric_filters=self.metric_filters,
            admissions=self.admissions,
            logs=self.logs,
            metrics=self.metrics,
            callers=self.callers,
            change_log=self.change_log,
            releases=self.releases,
            concurrency=self.concurrency,
            snapshots=self.snapshots,
            known_config=self.known_config,
            policies=self.policies,
            evidence=self.evidence,
            audit=self.audit,
            state=self.state,
            notifier=self.notifier,
            announcer=self.announcer,
            advisor=self.advisor,
            executions=self.executions,
            standing_alarms=self.standing_alarms,
            enrolment=self.enrolment,
            account_id=ACCOUNT,
            region=REGION,
            is_approval_required=self.is_approval_required,
        )

    def kinds(self, incident: Incident) -> Sequence[RecordKind]:
        return self.audit.kinds(incident.id)
