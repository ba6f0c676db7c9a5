"""What the steps need from the outside world; each Protocol has one adapter in `aws`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from autorepair.domain.audit import AuditRecord, Entry
from autorepair.domain.change import Change, ChangeRecord
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.diagnosis import Advice
from autorepair.domain.evidence import (
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

    def is_in_alarm(self, name: str) -> bool:
        """Whether the alarm stands in ALARM now (an alarm that is gone does not)."""
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
        """Read an incident's records, oldest first."""
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
    logs: Logs
    metrics: Metrics
    callers: Callers
    known_config: KnownConfig
    policies: Policies
    evidence: EvidenceStore
    audit: AuditTrail
    state: IncidentState
    notifier: Notifier
    announcer: Announcer
    advisor: Advisor
    account_id: str
    region: str
    is_approval_required: bool
