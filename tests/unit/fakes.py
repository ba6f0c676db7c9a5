"""In-memory stand-ins for every port; each records what happened to it.

They keep the promises of `autorepair.ports`, so that a step tested here meets the same behaviour
as with the adapters: apply is a compare-and-swap, append is idempotent by key, open and close
know one incident per target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from autorepair.domain.audit import RecordKind
from autorepair.domain.incident import Incident
from autorepair.domain.policy import Policy
from autorepair.ports import Ports
from unit.fake_aftercare import FakePace, FakeWatches
from unit.fake_alarms import FakeAdmissions, FakeAlarms, FakeMetricFilters, FakeOwnAlarms
from unit.fake_evidence import (
    FakeAdvisor,
    FakeCallers,
    FakeChangeLog,
    FakeConcurrency,
    FakeEnvironmentKeys,
    FakeEvidenceStore,
    FakeKnownConfig,
    FakeLogs,
    FakeMetrics,
    FakeReleaseList,
    FakeRoles,
    FakeStacks,
    summary_of,
)
from unit.fake_functions import ACCOUNT, ARN, NAME, NOW, REGION, FakeFunctions, configuration
from unit.fake_people import (
    FakeAnnouncer,
    FakeApprovalLinks,
    FakeApprovals,
    FakeNotifier,
    FakeUnsentMessages,
    Sent,
)
from unit.fake_probes import FakeProbes
from unit.fake_rules import FakeClock, FakePolicies
from unit.fake_state import FakeAudit, FakeLedger, FakeSnapshots, FakeState
from unit.fake_watch import FakeEnrolment, FakeExecutions, FakeStandingAlarms

__all__ = [
    "ACCOUNT",
    "ARN",
    "NAME",
    "NOW",
    "REGION",
    "FakeAdmissions",
    "FakeAdvisor",
    "FakeAlarms",
    "FakeAnnouncer",
    "FakeApprovalLinks",
    "FakeApprovals",
    "FakeAudit",
    "FakeCallers",
    "FakeChangeLog",
    "FakeClock",
    "FakeConcurrency",
    "FakeEnrolment",
    "FakeEnvironmentKeys",
    "FakeEvidenceStore",
    "FakeExecutions",
    "FakeFunctions",
    "FakeKnownConfig",
    "FakeLedger",
    "FakeLogs",
    "FakeMetricFilters",
    "FakeMetrics",
    "FakeNotifier",
    "FakeOwnAlarms",
    "FakePace",
    "FakePolicies",
    "FakeProbes",
    "FakeReleaseList",
    "FakeRoles",
    "FakeSnapshots",
    "FakeStacks",
    "FakeStandingAlarms",
    "FakeState",
    "FakeUnsentMessages",
    "FakeWatches",
    "Sent",
    "World",
    "configuration",
    "summary_of",
]


@dataclass
class World:
    """All fakes of one test, with the Ports made of them."""

    clock: FakeClock = field(default_factory=FakeClock)
    functions: FakeFunctions = field(default_factory=lambda: FakeFunctions(configuration()))
    alarms: FakeAlarms = field(default_factory=FakeAlarms)
    metric_filters: FakeMetricFilters = field(default_factory=FakeMetricFilters)
    own_alarms: FakeOwnAlarms = field(default_factory=FakeOwnAlarms)
    admissions: FakeAdmissions = field(default_factory=FakeAdmissions)
    logs: FakeLogs = field(default_factory=FakeLogs)
    metrics: FakeMetrics = field(default_factory=FakeMetrics)
    callers: FakeCallers = field(default_factory=FakeCallers)
    change_log: FakeChangeLog = field(default_factory=FakeChangeLog)
    releases: FakeReleaseList = field(default_factory=FakeReleaseList)
    concurrency: FakeConcurrency = field(default_factory=FakeConcurrency)
    stacks: FakeStacks = field(default_factory=FakeStacks)
    environment_keys: FakeEnvironmentKeys = field(default_factory=FakeEnvironmentKeys)
    roles: FakeRoles = field(default_factory=FakeRoles)
    known_config: FakeKnownConfig = field(default_factory=FakeKnownConfig)
    probes: FakeProbes = field(default_factory=FakeProbes)
    policies: FakePolicies = field(default_factory=lambda: FakePolicies(Policy()))
    evidence: FakeEvidenceStore = field(default_factory=FakeEvidenceStore)
    audit: FakeAudit = field(default_factory=FakeAudit)
    ledger: FakeLedger = field(default_factory=FakeLedger)
    notifier: FakeNotifier = field(default_factory=FakeNotifier)
    approvals: FakeApprovals = field(default_factory=FakeApprovals)
    unsent: FakeUnsentMessages = field(default_factory=FakeUnsentMessages)
    watches: FakeWatches = field(default_factory=FakeWatches)
    pace: FakePace = field(default_factory=FakePace)
    announcer: FakeAnnouncer = field(default_factory=FakeAnnouncer)
    advisor: FakeAdvisor = field(default_factory=FakeAdvisor)
    executions: FakeExecutions = field(default_factory=FakeExecutions)
    standing_alarms: FakeStandingAlarms = field(default_factory=FakeStandingAlarms)
    enrolment: FakeEnrolment = field(default_factory=lambda: FakeEnrolment(ARN))
    is_approval_required: bool = False
    approval_url: str = ""
    links: FakeApprovalLinks = field(init=False)
    state: FakeState = field(init=False)
    snapshots: FakeSnapshots = field(init=False)

    def __post_init__(self) -> None:
        self.links = FakeApprovalLinks(self.clock)
        self.state = FakeState(self.clock)
        self.snapshots = FakeSnapshots(self.clock)

    @property
    def ports(self) -> Ports:
        return Ports(
            clock=self.clock,
            functions=self.functions,
            alarms=self.alarms,
            metric_filters=self.metric_filters,
            own_alarms=self.own_alarms,
            admissions=self.admissions,
            logs=self.logs,
            metrics=self.metrics,
            callers=self.callers,
            change_log=self.change_log,
            releases=self.releases,
            concurrency=self.concurrency,
            stacks=self.stacks,
            environment_keys=self.environment_keys,
            roles=self.roles,
            snapshots=self.snapshots,
            known_config=self.known_config,
            probes=self.probes,
            policies=self.policies,
            evidence=self.evidence,
            audit=self.audit,
            state=self.state,
            ledger=self.ledger,
            notifier=self.notifier,
            approvals=self.approvals,
            links=self.links,
            unsent=self.unsent,
            watches=self.watches,
            pace=self.pace,
            announcer=self.announcer,
            advisor=self.advisor,
            executions=self.executions,
            standing_alarms=self.standing_alarms,
            enrolment=self.enrolment,
            account_id=ACCOUNT,
            region=REGION,
            is_approval_required=self.is_approval_required,
            approval_url=self.approval_url,
        )

    def kinds(self, incident: Incident) -> Sequence[RecordKind]:
        return self.audit.kinds(incident.id)
