"""What the steps need from the outside world; each Protocol has one adapter in `aws`."""

from __future__ import annotations

from dataclasses import dataclass

from autorepair.ports.aftercare import Pace, Watches
from autorepair.ports.alarm import Admissions, Alarms, MetricFilters, OwnAlarms
from autorepair.ports.evidence import (
    Advisor,
    CallerReading,
    Callers,
    ChangeLog,
    EvidenceStore,
    LogReading,
    Logs,
    Metrics,
)
from autorepair.ports.function import (
    Concurrency,
    EnvironmentKeys,
    Functions,
    KnownConfig,
    ReleaseList,
    Releases,
    Roles,
    Snapshots,
    Stacks,
)
from autorepair.ports.incident import (
    AuditSearch,
    AuditTrail,
    IncidentState,
    Lease,
    OpenIncident,
    RepairLedger,
)
from autorepair.ports.people import (
    Announcer,
    ApprovalLinks,
    Approvals,
    Notifier,
    UnsentMessages,
)
from autorepair.ports.probe import ProbeAnswer, Probes
from autorepair.ports.rules import Clock, Policies
from autorepair.watch import Enrolment, Executions, StandingAlarms

__all__ = [
    "Admissions",
    "Advisor",
    "Alarms",
    "Announcer",
    "AnswerPorts",
    "ApprovalLinks",
    "Approvals",
    "AuditSearch",
    "AuditTrail",
    "CallerReading",
    "Callers",
    "ChangeLog",
    "Clock",
    "Concurrency",
    "EnvironmentKeys",
    "EvidenceStore",
    "Functions",
    "IncidentState",
    "KnownConfig",
    "Lease",
    "LogReading",
    "Logs",
    "MetricFilters",
    "Metrics",
    "Notifier",
    "OpenIncident",
    "OwnAlarms",
    "Pace",
    "Policies",
    "Ports",
    "ProbeAnswer",
    "Probes",
    "ReleaseList",
    "Releases",
    "RepairLedger",
    "Roles",
    "Snapshots",
    "Stacks",
    "UnsentMessages",
    "Watches",
]


@dataclass(frozen=True)
class Ports:
    """Everything a step may speak to, and what the deployment says of itself."""

    clock: Clock
    functions: Functions
    alarms: Alarms
    metric_filters: MetricFilters
    own_alarms: OwnAlarms
    admissions: Admissions
    logs: Logs
    metrics: Metrics
    callers: Callers
    change_log: ChangeLog
    releases: ReleaseList
    concurrency: Concurrency
    stacks: Stacks
    environment_keys: EnvironmentKeys
    roles: Roles
    snapshots: Snapshots
    known_config: KnownConfig
    probes: Probes
    policies: Policies
    evidence: EvidenceStore
    audit: AuditTrail
    state: IncidentState
    ledger: RepairLedger
    notifier: Notifier
    approvals: Approvals
    links: ApprovalLinks
    unsent: UnsentMessages
    watches: Watches
    pace: Pace
    announcer: Announcer
    advisor: Advisor
    executions: Executions
    standing_alarms: StandingAlarms
    enrolment: Enrolment
    account_id: str
    region: str
    is_approval_required: bool
    approval_url: str
    """Where the approval page is, without a slash at its end; empty where none is deployed."""


@dataclass(frozen=True)
class AnswerPorts:
    """What it takes to answer a plan: less than a step has, for this runs outside the machine."""

    clock: Clock
    audit: AuditTrail
    approvals: Approvals
