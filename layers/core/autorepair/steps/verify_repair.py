"""VerifyRepair: does real traffic show that the change helped?"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from pydantic import ConfigDict

from autorepair.causes.weighing import diagnose
from autorepair.domain.audit import RecordKind
from autorepair.domain.change import AliasSetting, Change, ChangeRecord
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.diagnosis import Diagnosis, RootCause
from autorepair.domain.errors import AutoRepairError
from autorepair.domain.evidence import Evidence, EvidenceSummary, Invocation
from autorepair.domain.incident import Incident
from autorepair.domain.policy import Policy
from autorepair.domain.standing import standing
from autorepair.domain.unseen_failures import gaps_after
from autorepair.domain.value import Instant, Value
from autorepair.domain.verdict import judge
from autorepair.domain.verification import TrafficSample, Verdict, Verification
from autorepair.ports import LogReading, Ports
from autorepair.steps.planning import plan_step
from autorepair.steps.policy_in_force import policy_or_strictest
from autorepair.steps.recording import announce, record
from autorepair.steps.sampling import (
    LATEST,
    LOG_LAG_S,
    METRIC_LAG,
    begun_after,
    begun_long_ago,
    led_away_since,
    led_there_by_alias,
    missing_figures,
    runs_into_limit,
    sample,
    since_first_refusal,
    still_called,
)

_log = logging.getLogger(__name__)

LEAST_LOOK_BACK = timedelta(minutes=2)
"""How much of the latest log is read at least where all since the change is too much."""
LOOK_BEFORE = timedelta(minutes=15)
"""How long before the change an environment has to have been seen to be known as an old one."""
_MINUTE = timedelta(minutes=1)


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
    def version_before(self) -> str:
        """The version of which the traffic before the change was."""
        before = self.whole.before
        return before.version if isinstance(before, AliasSetting) else LATEST

    @property
    def windows_used(self) -> int:
        """How many windows of this step have passed, with the one that just ended."""
        previous = self.verification
        if previous is None or previous.next != "wait":
            return 1
        return previous.windows_used + 1


def verify_repair(given: VerifyRepairInput, ports: Ports) -> Verification:
    """Compare the traffic before and after the change, and say what follows.

    Runs again after a lost answer without harm: what was recorded of this window stands.

    Raises:
        EvidenceMissingError: The stored evidence is gone or was altered.
        TargetNotFoundError: The function was deleted since.
        AccessDeniedError, TransientServiceError: The log or the evidence cannot be read.
    """
    configuration = ports.functions.read(given.whole.target)
    if standing(configuration, given.whole.after) == given.whole.leads_to:
        found = _by_traffic(given, configuration, ports)
    else:
        found = _overtaken(given, configuration, ports)
    verification = _record(given, found, ports)
    _remember(given, verification, ports)
    is_improved = verification.verdict is Verdict.IMPROVED and verification.next == "done"
    # What an alias leads to says nothing of what `$LATEST` would do.
    if is_improved and not isinstance(given.whole.after, AliasSetting):
        _remember_as_healthy(configuration, ports)
    return verification


def _by_traffic(
    given: VerifyRepairInput, configuration: FunctionConfiguration, ports: Ports
) -> Verification:
    before = ports.evidence.get(given.evidence)
    policy, _ = policy_or_strictest(configuration, ports)
    is_refused = given.diagnosis.root_cause is RootCause.CONCURRENCY_LIMITED
    after = (
        _metrics_after(given, configuration, ports)
        if is_refused
        else _evidence_after(given, before, configuration, ports)
    )
    return _judged(given, before, after, policy)


def _overtaken(
    given: VerifyRepairInput, configuration: FunctionConfiguration, ports: Ports
) -> Verification:
    """Somebody changed the function since: what it does now says nothing of our change."""
    before = ports.evidence.get(given.evidence).of_version(given.version_before)
    is_back = standing(configuration, given.whole.before) == given.whole.planned_on
    how = "is as it was before the change" if is_back else "was changed by somebody else since"
    return Verification(
        verdict=Verdict.OVERTAKEN,
        next="done",
        reason=f"the function {how}, so it is left to them; traffic can tell nothing any more",
        before=sample(before, given.diagnosis.root_cause, setting=given.whole.before),
        after=TrafficSample(invocations=0, failures=0, same_cause=0),
        windows_used=given.windows_used,
        observed_until=ports.clock.now(),
    )


def _judged(
    given: VerifyRepairInput, before: Evidence, after: Evidence, policy: Policy
) -> Verification:
    cause, setting = given.diagnosis.root_cause, given.whole.before
    ailing = since_first_refusal(before) if cause is RootCause.CONCURRENCY_LIMITED else before
    earlier = sample(ailing.of_version(given.version_before), cause, setting=setting)
    later = sample(after, cause, setting=setting)
    step = given.change.step
    judgement = judge(
        earlier,
        later,
        early=sample(begun_long_ago(after), cause, setting=setting) if later.pending else later,
        is_partial=bool(after.gaps),
        windows_used=given.windows_used,
        rules=policy.verification,
        still_short=_is_still_short(cause, after, earlier, later),
        step=step,
        steps_allowed=step + 1 if _may_step(given, policy, before, after) else step,
    )
    return Verification(
        verdict=judgement.verdict,
        next=judgement.next,
        reason="; ".join((judgement.reason, *_left_open(after))),
        before=earlier,
        after=later,
        windows_used=given.windows_used,
        observed_until=after.window_end,
        p_value=judgement.p_value,
        without_step=judgement.without_step,
    )


def _left_open(after: Evidence) -> tuple[str, ...]:
    return tuple(gap.reason for gap in after.gaps if gap.source in {"metrics", "traffic"})


def _is_still_short(
    cause: RootCause, after: Evidence, earlier: TrafficSample, later: TrafficSample
) -> bool:
    """Whether a higher limit is what is lacking still.

    Running into the new limit is not enough: work that hangs does that at any limit. Either the
    change has let some of it through, or the rules say once more that a higher limit cures it.
    """
    if not runs_into_limit(after, cause):
        return False
    if later.rescued:
        return True
    if cause is RootCause.CONCURRENCY_LIMITED:
        return later.failure_rate < earlier.failure_rate
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
    known = (*before.invocations, *_shortly_before(given, before, configuration, ports))
    log, start = _read_since(given, configuration, now, ports)
    invocations = begun_after(
        log.invocations, given.applied_at, known=known, setting=given.whole.after
    )
    gaps = (*log.gaps, *gaps_after(before))
    if isinstance(left := given.whole.before, AliasSetting):
        invocations = led_there_by_alias(
            invocations,
            given.applied_at,
            known=known,
            bad_since=led_away_since(known, before.changes, left) or given.applied_at,
            until=now,
        )
        gaps += still_called(log.invocations, left.version, given.applied_at)
    streams = {i.stream for i in invocations}
    return Evidence(
        incident_id=given.incident.id,
        collected_at=now,
        window_start=start,
        window_end=now,
        configuration=configuration,
        invocations=invocations,
        log_lines=tuple(line for line in log.lines if line.stream in streams),
        declared=before.declared,
        callers=before.callers,
        gaps=gaps,
    )


def _metrics_after(
    given: VerifyRepairInput, configuration: FunctionConfiguration, ports: Ports
) -> Evidence:
    """Read the metrics of the whole minutes since the change, as far as they are in."""
    now = ports.clock.now()
    start = (given.applied_at + _MINUTE).replace(second=0, microsecond=0)
    end = (now - METRIC_LAG).replace(second=0, microsecond=0)
    target = given.whole.target
    read = Evidence(
        incident_id=given.incident.id,
        collected_at=now,
        window_start=start,
        window_end=max(start, end),
        configuration=configuration,
        metrics=ports.metrics.read(target, start=start, end=end) if start < end else (),
    )
    return read.model_copy(update={"gaps": missing_figures(read)})


def _shortly_before(
    given: VerifyRepairInput,
    before: Evidence,
    configuration: FunctionConfiguration,
    ports: Ports,
) -> tuple[Invocation, ...]:
    """Read which environments were at work between the evidence and the change.

    On its own, so that a loud past takes nothing from what is read of the time since. What is
    missing here makes an old environment count, which lets no change look better than it is.
    """
    start = max(before.window_end, given.applied_at - LOOK_BEFORE)
    if start >= given.applied_at:
        return ()
    return ports.logs.read(configuration, start=start, end=given.applied_at).invocations


def _read_since(
    given: VerifyRepairInput, configuration: FunctionConfiguration, now: datetime, ports: Ports
) -> tuple[LogReading, datetime]:
    """Read the log since the change; of one too long for that, the last part, but that whole."""
    log = ports.logs.read(configuration, start=given.applied_at, end=now)
    shorter = max(LEAST_LOOK_BACK, 2 * timedelta(seconds=configuration.timeout_s + LOG_LAG_S))
    start = now - shorter
    if not log.gaps or start <= given.applied_at:
        return log, given.applied_at
    return ports.logs.read(configuration, start=start, end=now), start


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
        status = "handed_over" if verification.verdict is Verdict.OVERTAKEN else "kept"
        settled = given.change.model_copy(update={"status": status})
        ports.state.remember_change(given.incident, settled)


def _remember_as_healthy(configuration: FunctionConfiguration, ports: Ports) -> None:
    """Traffic has just shown that it works; what comes after is compared with it.

    It only helps a later incident, so this one does not fail for it.
    """
    try:
        ports.snapshots.keep(configuration, "healthy")
    except AutoRepairError as error:
        _log.warning("%s was not remembered as healthy: %s", configuration.function_name, error)


def _record(given: VerifyRepairInput, found: Verification, ports: Ports) -> Verification:
    """Record what was found of this window; gives what was recorded, by an earlier run if any."""
    recorded = record(
        ports,
        given.incident,
        key=f"verify_repair/{given.change.step}/{found.windows_used}",
        kind=RecordKind.REPAIR_VERIFIED,
        summary=f"{found.verdict.value}, {found.next}: {found.reason}",
        data=found.as_json(),
    )
    verification = Verification.model_validate(recorded.entry.data)
    if verification.next != "wait":
        announce(ports, "RepairVerified", given.incident, verification=verification.as_json())
    return verification
