"""What the steps need from the outside world; each Protocol has one adapter in `aws`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from autorepair.domain.approval import Approval
from autorepair.domain.audit import AuditRecord, Entry
from autorepair.domain.change import Change, ChangeRecord
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.described_alarm import DescribedAlarm
from autorepair.domain.diagnosis import Advice
from autorepair.domain.evidence import (
    AccountConcurrency,
    Alias,
    Caller,
    DeclaredVariable,
    Evidence,
    EvidenceSummary,
    Gap,
    Invocation,
    LogLine,
    MetricSeries,
    PublishedVersion,
)
from autorepair.domain.filtered_log import FilteredLog
from autorepair.domain.incident import Incident, Target
from autorepair.domain.policy import Policy
from autorepair.domain.recent_changes import TrailEvent
from autorepair.domain.snapshot import Snapshot, SnapshotReason
from autorepair.watch import ClosedIncident, Enrolment, Executions, StandingAlarms, Unsettled


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Give the present moment in UTC."""
        ...


class Functions(Protocol):
    """Reads and changes the configuration of target functions."""

    def read(self, target: Target) -> FunctionConfiguration:
        """Read the configuration of `$LATEST`, its tags and its reserved concurrency.

        Raises:
            TargetNotFoundError: There is no such function.
            AccessDeniedError: The role may not read it.
            TransientServiceError: Throttled or unavailable.
        """
        ...

    def tags(self, target: Target) -> dict[str, str]:
        """Read the function's tags: one call, where `read` takes three.

        Raises:
            TargetNotFoundError, AccessDeniedError, TransientServiceError: As for `read`.
        """
        ...

    def apply(self, change: Change) -> FunctionConfiguration:
        """Make the change by compare-and-swap and wait until it has settled.

        Applied twice it does no harm: a function that already stands where the change leads is
        given back as it is. Environment values are looked up and merged here and never leave.

        Returns:
            The settled configuration; its fingerprint is where the change led.

        Raises:
            StaleConfigurationError: The function is neither as planned on nor as planned.
            UpdateInProgressError: Another update did not settle in time.
            UpdateFailedError: Lambda reported LastUpdateStatus Failed.
            EnvironmentUnreadableError: The environment map cannot be read.
            UndeclaredValueError: A variable's source is missing or unreadable.
            ChangeRefusedError: Lambda refused the values.
            TargetNotFoundError, AccessDeniedError, TransientServiceError: As for `read`.
        """
        ...


class Alarms(Protocol):
    """Knows the present state of alarms."""

    def read(self, names: Sequence[str]) -> tuple[DescribedAlarm, ...]:
        """Describe alarms, in the order of their names; one that is gone is left out.

        Raises:
            AccessDeniedError, TransientServiceError: They cannot be read.
        """
        ...

    def silenced_by(self, alarm: DescribedAlarm) -> str | None:
        """Say what keeps the alarm's actions from running, if anything.

        Raises:
            AccessDeniedError, TransientServiceError: It cannot be told.
        """
        ...


class MetricFilters(Protocol):
    """Knows whose log lines a metric was made of."""

    def of_metric(self, namespace: str, name: str) -> tuple[FilteredLog, ...]:
        """Give the log groups whose filters feed the metric, in the order of their names.

        Raises:
            AccessDeniedError, TransientServiceError: It cannot be told.
        """
        ...

    def writers_of(self, log: FilteredLog, *, start: datetime, end: datetime) -> tuple[str, ...]:
        """Name the functions that wrote what the filter matched between two moments.

        Raises:
            AccessDeniedError, TransientServiceError: It cannot be told.
        """
        ...


class Admissions(Protocol):
    """The queue that keeps a burst of incidents from starting all at once."""

    def next_start(self, *, earliest: datetime, latest: datetime, spacing: timedelta) -> datetime:
        """Take the first free moment from ``earliest`` on; ``latest`` if there is none before it.

        Raises:
            AccessDeniedError, TransientServiceError: The queue cannot be asked.
        """
        ...


@dataclass(frozen=True)
class LogReading:
    """What was read from a log group, within the budget; ``gaps`` names what was left out."""

    lines: tuple[LogLine, ...]
    invocations: tuple[Invocation, ...]
    gaps: tuple[Gap, ...]


class Logs(Protocol):
    """Reads a function's log."""

    def read(
        self, configuration: FunctionConfiguration, *, start: datetime, end: datetime
    ) -> LogReading:
        """Read the log between two moments, paging within a budget of events, bytes and seconds.

        Raises:
            AccessDeniedError, TransientServiceError: The log cannot be read.
        """
        ...


class Metrics(Protocol):
    """Reads CloudWatch metrics."""

    def read(self, target: Target, *, start: datetime, end: datetime) -> tuple[MetricSeries, ...]:
        """Read the function's own metrics between two moments.

        Raises:
            AccessDeniedError, TransientServiceError: They cannot be read.
        """
        ...


class Callers(Protocol):
    """Knows who invokes a function."""

    def read(self, target: Target) -> tuple[tuple[Caller, ...], tuple[Gap, ...]]:
        """Find the callers in the resource policy and the event source mappings.

        A source that cannot be read is a Gap, not an error.
        """
        ...


class ChangeLog(Protocol):
    """Knows what was done to a function lately."""

    def read(
        self, target: Target, *, since: datetime, until: datetime
    ) -> tuple[tuple[TrailEvent, ...], tuple[Gap, ...]]:
        """Find the requests that changed the function, within a budget of calls.

        Looks further back than ``since`` where the budget lasts: what was asked for before says
        what a later request replaced. A Gap says that not even all since then was read.

        Raises:
            AccessDeniedError, TransientServiceError: They cannot be read.
        """
        ...


@dataclass(frozen=True)
class Releases:
    """What is published of a function: its aliases, and the newest of its versions."""

    aliases: tuple[Alias, ...]
    versions: tuple[PublishedVersion, ...]


class ReleaseList(Protocol):
    """Knows the published versions of a function."""

    def read(self, target: Target) -> Releases:
        """List aliases and versions.

        Raises:
            AccessDeniedError, TransientServiceError: They cannot be read.
        """
        ...


class Concurrency(Protocol):
    """Knows the limits of the account."""

    def of_account(self) -> AccountConcurrency:
        """Read how much may run at once.

        Raises:
            AccessDeniedError, TransientServiceError: It cannot be read.
        """
        ...


class Snapshots(Protocol):
    """Remembers configurations; what is needed to go back to one is sealed beside it."""

    def keep(self, configuration: FunctionConfiguration, reason: SnapshotReason) -> None:
        """Remember the configuration as the function's latest of its kind, and seal its values.

        Raises:
            StaleConfigurationError: The function is no longer configured like this.
            TargetNotFoundError: There is no such function.
            AccessDeniedError, TransientServiceError: It cannot be kept.
        """
        ...

    def of(self, target: Target) -> tuple[Snapshot, ...]:
        """Give what is remembered of a function, without any value.

        Raises:
            AccessDeniedError, TransientServiceError: It cannot be read.
        """
        ...


class KnownConfig(Protocol):
    """The operator's declarations of environment variables."""

    def declared(self, configuration: FunctionConfiguration) -> tuple[DeclaredVariable, ...]:
        """List what is declared for the function: names and kinds, never values.

        Raises:
            AccessDeniedError, TransientServiceError: The declarations cannot be read.
        """
        ...


class Policies(Protocol):
    """Gives the policy in force."""

    def current(self, *, is_fresh: bool = False) -> Policy:
        """Read the policy, at most seconds old; ``is_fresh`` reads it past the cache.

        Raises:
            PolicyUnreadableError: It cannot be read or does not validate.
        """
        ...


class EvidenceStore(Protocol):
    """Keeps the full evidence."""

    def put(self, evidence: Evidence) -> EvidenceSummary:
        """Store the evidence and give the summary that points to it.

        Raises:
            AccessDeniedError, TransientServiceError: It cannot be stored.
        """
        ...

    def get(self, summary: EvidenceSummary) -> Evidence:
        """Fetch the evidence a summary points to.

        Raises:
            EvidenceMissingError: It is gone, or its digest differs.
            AccessDeniedError, TransientServiceError: It cannot be read.
        """
        ...


class AuditTrail(Protocol):
    """The append-only record of incidents."""

    def append(self, entry: Entry) -> AuditRecord:
        """Append the entry to its incident's chain.

        An entry whose key is there already is not appended again; the record there is given back.

        Raises:
            RecordConflictError: The chain kept moving.
            AccessDeniedError, TransientServiceError: It cannot be written.
        """
        ...

    def chain_of(self, incident_id: str) -> tuple[AuditRecord, ...]:
        """Read an incident's records, oldest first.

        Raises:
            RecordUnreadableError: An item is not a record any more.
            AccessDeniedError, TransientServiceError: They cannot be read.
        """
        ...


@dataclass(frozen=True)
class Lease:
    """The right to write to one function until ``expires_at``; ``fence`` only ever grows."""

    function_arn: str
    holder: str
    fence: int
    expires_at: datetime


@dataclass(frozen=True)
class OpenIncident:
    """The incident that is open on a target."""

    incident_id: str
    execution_arn: str


class IncidentState(Protocol):
    """The mutable state of the service: open incidents, leases, the pause flag, task tokens."""

    def open(self, incident: Incident) -> OpenIncident:
        """Open the incident on its target, or give the one that is open there already.

        Opening the same incident twice (a retry) gives that incident.
        """
        ...

    def close(self, incident: Incident) -> None:
        """Close the incident if it is the one that is open; closing twice does no harm."""
        ...

    def open_incident(self, target: Target) -> OpenIncident | None:
        """Give the incident that is open on the target."""
        ...

    def unsettled(self) -> Iterator[Unsettled]:
        """List incidents that are open or have an unfinished change; may lag by a moment."""
        ...

    def last_closed(self, target: Target) -> ClosedIncident | None:
        """Give the incident that was closed last on the target."""
        ...

    def acquire_lease(self, target: Target, *, holder: str, seconds: int) -> Lease:
        """Take the write lease of a target; its holder may take it again.

        Raises:
            LeaseHeldError: Somebody else holds it.
        """
        ...

    def release_lease(self, lease: Lease) -> None:
        """Give the lease back; one that was lost meanwhile is left alone."""
        ...

    def is_paused(self) -> bool:
        """Whether an operator has paused all writes."""
        ...

    def remember_change(self, incident: Incident, record: ChangeRecord) -> None:
        """Keep what an incident is writing or has written, for whoever has to finish or undo it."""
        ...

    def remembered_change(self, incident: Incident) -> ChangeRecord | None:
        """Give what `remember_change` kept."""
        ...

    def keep_task_token(self, incident: Incident, token: str, *, seconds: int) -> None:
        """Keep the token that resumes a waiting execution; a newer one takes its place."""
        ...


class Approvals(Protocol):
    """The executions that wait for a person."""

    def waiting_token(self, incident_id: str) -> str | None:
        """Give the token that resumes the incident's execution; None when it is no longer kept.

        Raises:
            AccessDeniedError, TransientServiceError: It cannot be read.
        """
        ...

    def resume(self, token: str, approval: Approval) -> None:
        """Hand the answer to the execution that waits for it.

        Raises:
            NotWaitingError: It waits no more: answered before, expired, or ended.
            AccessDeniedError, TransientServiceError: The answer did not get through.
        """
        ...


class AuditSearch(Protocol):
    """Finds records across incidents; what was written a moment ago may still be missing."""

    def of_span(self, since: datetime, until: datetime) -> tuple[AuditRecord, ...]:
        """Give every record of a span of time, oldest first.

        Raises:
            RecordUnreadableError: An item is not a record.
            AccessDeniedError, TransientServiceError: They cannot be read.
        """
        ...

    def of_function(
        self, function_name: str, since: datetime, until: datetime
    ) -> tuple[AuditRecord, ...]:
        """Give a function's records of a span of time, oldest first.

        Raises:
            RecordUnreadableError, AccessDeniedError, TransientServiceError: As for `of_span`.
        """
        ...


class Notifier(Protocol):
    """Tells people."""

    def publish(self, *, subject: str, message: str, attributes: dict[str, str]) -> str:
        """Send a message; gives its id.

        Raises:
            AccessDeniedError, TransientServiceError: It cannot be sent.
        """
        ...


class Announcer(Protocol):
    """Tells other systems, on the service's own event bus."""

    def announce(self, detail_type: str, detail: dict[str, Any]) -> None:
        """Put one event on the bus.

        Raises:
            AccessDeniedError, TransientServiceError: It cannot be put.
        """
        ...


class Advisor(Protocol):
    """Is asked when rules leave the cause open."""

    def advise(self, evidence: Evidence) -> Advice:
        """Say what the cause may be; `unknown` is a good answer."""
        ...


@dataclass(frozen=True)
class Ports:
    """Everything a step may speak to, and what the deployment says of itself."""

    clock: Clock
    functions: Functions
    alarms: Alarms
    metric_filters: MetricFilters
    admissions: Admissions
    logs: Logs
    metrics: Metrics
    callers: Callers
    change_log: ChangeLog
    releases: ReleaseList
    concurrency: Concurrency
    snapshots: Snapshots
    known_config: KnownConfig
    policies: Policies
    evidence: EvidenceStore
    audit: AuditTrail
    state: IncidentState
    notifier: Notifier
    announcer: Announcer
    advisor: Advisor
    executions: Executions
    standing_alarms: StandingAlarms
    enrolment: Enrolment
    account_id: str
    region: str
    is_approval_required: bool


@dataclass(frozen=True)
class AnswerPorts:
    """What it takes to answer a plan: less than a step has, for this runs outside the machine."""

    clock: Clock
    audit: AuditTrail
    approvals: Approvals
