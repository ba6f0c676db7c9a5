"""Ready-made values for the tests of the steps and views."""

from __future__ import annotations

from datetime import datetime, timedelta

from autorepair.domain.change import (
    Change,
    ChangeRecord,
    MemorySetting,
    RepairKind,
    RollbackRecord,
    TimeoutSetting,
)
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.course import Course
from autorepair.domain.decision import Decision
from autorepair.domain.diagnosis import Diagnosis, RootCause, TimeoutNeed
from autorepair.domain.evidence import (
    Evidence,
    EvidenceSummary,
    Invocation,
    InvocationStatus,
    LogLine,
)
from autorepair.domain.incident import Alarm, Incident, Target
from autorepair.domain.policy import Mode, Policy, VerificationRules
from autorepair.domain.verification import TrafficSample, Verdict, Verification
from unit.fakes import ACCOUNT, ARN, NAME, NOW, REGION, World, configuration
from unit.logbook import QUIET

TARGET = Target(function_name=NAME, function_arn=ARN, account_id=ACCOUNT, region=REGION)
ALARM = Alarm(
    name="patient-slow-invoice-errors",
    arn=f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:patient-slow-invoice-errors",
    kind="metric",
    namespace="AWS/Lambda",
    metric_name="Errors",
    changed_at=NOW - timedelta(minutes=1),
    reason="Threshold Crossed",
)
INCIDENT = Incident(
    id="inc-20260304-0123456789",
    disposition="opened",
    reason="Threshold Crossed",
    target=TARGET,
    alarm=ALARM,
    execution_arn=f"arn:aws:states:{REGION}:{ACCOUNT}:execution:repair:one",
    opened_at=NOW,
)
AUTO = Policy(modes=dict.fromkeys(RepairKind, Mode.AUTO))
ASK = Policy(modes=dict.fromkeys(RepairKind, Mode.ASK))


def auto(**verification: int | str) -> Policy:
    """A policy under which everything is unattended, with other rules of verification."""
    rules = VerificationRules.model_validate(verification)
    return AUTO.model_copy(update={"verification": rules})


def incident(**changes: object) -> Incident:
    return INCIDENT.model_copy(update=changes)


def invocation(
    status: InvocationStatus = "timeout",
    *,
    at: datetime = NOW - timedelta(minutes=5),
    stream: str = "old",
    duration_ms: float = 3000.0,
    memory_mb: int = 128,
    used_mb: int = 60,
    number: int = 1,
) -> Invocation:
    return Invocation(
        request_id=f"{stream}-{number}-{at:%H%M%S}",
        started_at=at,
        stream=stream,
        status=status,
        duration_ms=duration_ms,
        memory_mb=memory_mb,
        max_memory_used_mb=used_mb,
        report_id=f"report-{stream}-{number}-{at:%H%M%S}",
    )


def invocations(
    count: int,
    status: InvocationStatus = "timeout",
    *,
    at: datetime = NOW - timedelta(minutes=5),
    stream: str = "old",
    duration_ms: float = 3000.0,
    memory_mb: int = 128,
    used_mb: int = 60,
) -> list[Invocation]:
    return [
        invocation(
            status,
            at=at + timedelta(seconds=n),
            stream=stream,
            duration_ms=duration_ms,
            memory_mb=memory_mb,
            used_mb=used_mb,
            number=n,
        )
        for n in range(count)
    ]


def slow_invocations() -> list[Invocation]:
    """Four time-outs beside four that just made it: slow work, not hanging work."""
    start = NOW - timedelta(minutes=6)
    made_it = [
        invocation("success", at=start + timedelta(seconds=n), duration_ms=2600.0, number=n)
        for n in range(4)
    ]
    return [*made_it, *invocations(4)]


def evidence(
    *seen: Invocation,
    configured: FunctionConfiguration | None = None,
    lines: tuple[LogLine, ...] = (),
) -> Evidence:
    return Evidence(
        incident_id=INCIDENT.id,
        collected_at=NOW,
        window_start=NOW - timedelta(minutes=15),
        window_end=NOW,
        configuration=configured or configuration(),
        invocations=seen,
        log_lines=lines,
        traffic=QUIET,
    )


def kept(world: World, *seen: Invocation) -> EvidenceSummary:
    """Put evidence into the store of the world."""
    return world.evidence.put(evidence(*(seen or tuple(slow_invocations()))))


DIAGNOSIS = Diagnosis(
    root_cause=RootCause.TIMEOUT_TOO_LOW,
    confidence=0.9,
    source="rules",
    why="4 time-outs at 3 s beside 4 invocations that finished just below",
    cites=("report-1", "report-2"),
    need=TimeoutNeed(duration_ms=6000.0, basis="doubled"),
    is_repairable=True,
)


def change(before_s: int = 3, after_s: int = 6, *, is_applied: bool = False) -> Change:
    return Change(
        target=TARGET,
        before=TimeoutSetting(timeout_s=before_s),
        after=TimeoutSetting(timeout_s=after_s),
        planned_on=configuration(timeout_s=before_s).fingerprint,
        leads_to=configuration(timeout_s=after_s).fingerprint if is_applied else None,
    )


def memory_change() -> Change:
    return Change(
        target=TARGET,
        before=MemorySetting(memory_mb=128),
        after=MemorySetting(memory_mb=384),
        planned_on=configuration().fingerprint,
    )


def decision(**changes: object) -> Decision:
    plain = Decision(
        action="apply", reason="slow work", change=change(), plan_hash=change().plan_hash
    )
    return plain.model_copy(update=changes)


def applied(**changes: object) -> ChangeRecord:
    plain = ChangeRecord(
        status="applied",
        reason="slow work",
        change=change(is_applied=True),
        applied_at=NOW,
        window_s=600,
    )
    return plain.model_copy(update=changes)


def verification(**changes: object) -> Verification:
    plain = Verification(
        verdict=Verdict.IMPROVED,
        next="done",
        reason="none of 10 failed",
        before=TrafficSample(invocations=8, failures=4, same_cause=4),
        after=TrafficSample(invocations=10, failures=0, same_cause=0),
        windows_used=1,
        observed_until=NOW,
    )
    return plain.model_copy(update=changes)


def rollback(**changes: object) -> RollbackRecord:
    plain = RollbackRecord(
        status="restored",
        reason="the function is configured as before the change",
        change=change(is_applied=True).inverse(),
        restored_at=NOW,
    )
    return plain.model_copy(update=changes)


def course(**keys: object) -> Course:
    plain = Course(incident=INCIDENT, diagnosis=DIAGNOSIS, decision=decision())
    return plain.model_copy(update=keys)
