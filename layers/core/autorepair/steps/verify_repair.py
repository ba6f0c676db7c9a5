"""VerifyRepair: does real traffic show that the change helped?"""

from __future__ import annotations

from datetime import timedelta

from pydantic import ConfigDict

from autorepair.causes.weighing import diagnose
from autorepair.domain.audit import RecordKind
from autorepair.domain.change import Change, ChangeRecord
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.diagnosis import Diagnosis, RootCause
from autorepair.domain.evidence import Evidence, EvidenceSummary
from autorepair.domain.incident import Incident
from autorepair.domain.policy import Policy
from autorepair.domain.value import Instant, Value
from autorepair.domain.verdict import judge
from autorepair.domain.verification import TrafficSample, Verification
from autorepair.ports import Ports
from autorepair.steps.planning import plan_step
from autorepair.steps.policy_in_force import policy_or_strictest
from autorepair.steps.recording import announce, record
from autorepair.steps.sampling import begun_after, runs_into_limit, sample

LOOK_BEFORE = timedelta(minutes=15)
"""How long before the change an environment has to have been seen to be known as an old one."""


class VerifyRepairInput(Value):
    """What this state reads of the state data."""

    model_config = ConfigDict(extra="ignore")

    incident: Incident
    evidence: EvidenceSummary
    diagnosis: Diagnosis
    change: ChangeRecord
    verification: Verification | None = None

    @property
    def applied_at(self) -> Instant:
        """When the change had settled.

        Raises:
            ValueError: Nothing was applied, so this state should not have been entered.
        """
        if self.change.applied_at is None:
            raise ValueError(f"incident {self.incident.id}: there is no change to verify")
        return self.change.applied_at

    @property
    def whole(self) -> Change:
        """What the incident has changed so far, all steps together.

        Raises:
            ValueError: Nothing is in place, so this state should not have been entered.
        """
        if self.change.in_place is None:
            raise ValueError(f"incident {self.incident.id}: there is no change to verify")
        return self.change.in_place

    @property
    def windows_used(self) -> int:
        """How many windows of this step have passed, with the one that just ended."""
        previous = self.verification
        if previous is None or previous.next != "wait":
            return 1
        return previous.windows_used + 1


def verify_repair(given: VerifyRepairInput, ports: Ports) -> Verification:
    """Compare the traffic before and after the change, and say what follows.

    Raises:
        EvidenceMissingError: The stored evidence is gone or was altered.
        TargetNotFoundError: The function was deleted since.
        AccessDeniedError, TransientServiceError: The log or the evidence cannot be read.
    """
    before = ports.evidence.get(given.evidence)
    configuration = ports.functions.read(given.incident.subject)
    policy, _ = policy_or_strictest(configuration, ports)
    after = _evidence_after(given, before, configuration, ports)
    verification = _judged(given, before, after, policy)
    _remember(given, verification, ports)
    _record(given, verification, ports)
    return verification


def _judged(
    given: VerifyRepairInput, before: Evidence, after: Evidence, policy: Policy
) -> Verification:
    cause, setting = given.diagnosis.root_cause, given.whole.before
    earlier = sample(before, cause, setting=setting)
    later = sample(
        after,
        cause,
        setting=setting,
        has_always_failed=0 < earlier.invocations == earlier.same_cause,
    )
    step = given.change.step
    judgement = judge(
        earlier,
        later,
        windows_used=given.windows_used,
        rules=policy.verification,
        still_short=_is_still_short(cause, after, later),
        step=step,
        steps_allowed=step + 1 if _may_step(given, policy, before, after) else step,
    )
    return Verification(
        verdict=judgement.verdict,
        next=judgement.next,
        reason=judgement.reason,
        before=earlier,
        after=later,
        windows_used=given.windows_used,
        observed_until=after.window_end,
        p_value=judgement.p_value,
    )


def _is_still_short(cause: RootCause, after: Evidence, later: TrafficSample) -> bool:
    """Whether a higher limit is what is lacking still.

    Running into the new limit is not enough: work that hangs does that at any limit. Either the
    change has let some of it through, or the rules say once more that a higher limit cures it.
    """
    if not runs_into_limit(after, cause):
        return False
    if later.rescued:
        return True
    again = diagnose(after)
    return again.root_cause is cause and again.is_repairable


def _evidence_after(
    given: VerifyRepairInput,
    before: Evidence,
    configuration: FunctionConfiguration,
    ports: Ports,
) -> Evidence:
    """Read what the environments started after the change have logged up to now."""
    now = ports.clock.now()
    start = max(before.window_end, given.applied_at - LOOK_BEFORE)
    log = ports.logs.read(configuration, start=min(start, given.applied_at), end=now)
    invocations = begun_after(log.invocations, given.applied_at, known=before.invocations)
    streams = {i.stream for i in invocations}
    return Evidence(
        incident_id=given.incident.id,
        collected_at=now,
        window_start=given.applied_at,
        window_end=now,
        configuration=configuration,
        invocations=invocations,
        log_lines=tuple(line for line in log.lines if line.stream in streams),
        declared=before.declared,
        callers=before.callers,
        gaps=log.gaps,
    )


def _may_step(given: VerifyRepairInput, policy: Policy, before: Evidence, after: Evidence) -> bool:
    """Whether a further step is left: within the policy's number, and one that can be planned."""
    step = given.change.step + 1
    if step > policy.limits.steps_per_incident:
        return False
    planned = plan_step(
        given.incident.subject, after.configuration, given.diagnosis, policy, before, step=step
    )
    return isinstance(planned, Change)


def _remember(given: VerifyRepairInput, verification: Verification, ports: Ports) -> None:
    """A change that stays is no longer half done: nobody is to undo it behind a dead execution."""
    if verification.next == "done":
        kept = given.change.model_copy(update={"status": "kept"})
        ports.state.remember_change(given.incident, kept)


def _record(given: VerifyRepairInput, verification: Verification, ports: Ports) -> None:
    record(
        ports,
        given.incident,
        key=f"verify_repair/{given.change.step}/{verification.windows_used}",
        kind=RecordKind.REPAIR_VERIFIED,
        summary=f"{verification.verdict.value}, {verification.next}: {verification.reason}",
        data=verification.as_json(),
    )
    if verification.next != "wait":
        announce(ports, "RepairVerified", given.incident, verification=verification.as_json())
