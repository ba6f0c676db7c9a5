"""VerifyRepair: does real traffic show that the change helped?"""

from __future__ import annotations

import logging

from pydantic import ConfigDict

from autorepair.domain.audit import RecordKind
from autorepair.domain.change import AliasSetting, Change, ChangeRecord
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.diagnosis import Diagnosis, RootCause
from autorepair.domain.errors import AutoRepairError
from autorepair.domain.evidence import Evidence, EvidenceSummary
from autorepair.domain.incident import Incident
from autorepair.domain.policy import MAX_WINDOWS, Policy, VerificationRules
from autorepair.domain.standing import runs_on, stands_after, stands_before
from autorepair.domain.value import Instant, Value
from autorepair.domain.verdict import harm_lately, judge
from autorepair.domain.verification import (
    OpenWindow,
    SeenNeed,
    TrafficSample,
    Verdict,
    Verification,
)
from autorepair.ports import Ports
from autorepair.steps.overtaking import as_it_runs
from autorepair.steps.planning import plan_step
from autorepair.steps.policy_in_force import policy_or_strictest
from autorepair.steps.probe import Asked, with_probe
from autorepair.steps.recording import announce, record
from autorepair.steps.sampling import (
    LATEST,
    begun_long_ago,
    known_kinds,
    lately,
    sample,
    since_first_refusal,
    with_calls,
    with_unseen,
)
from autorepair.steps.shortfall import shortfall
from autorepair.steps.standing_told import tell_of_standing
from autorepair.steps.traffic_since import Made, TrafficSince, by_log, by_metrics
from autorepair.steps.watch_window import (
    LONGEST_UNSEEN_S,
    is_over,
    next_window_s,
    opened,
    wait_s,
    window_s,
)

_log = logging.getLogger(__name__)


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
    def made(self) -> Made:
        """The change, and when it was made."""
        return Made(
            self.incident.id,
            self.whole,
            self.applied_at,
            accepted_at=self.change.accepted_at,
            probes=() if self.verification is None else self.verification.probes,
        )

    @property
    def version_before(self) -> str:
        """The version of which the traffic before the change was."""
        before, release = self.whole.before, self.whole.release
        if release is not None:
            return release.former
        return before.version if isinstance(before, AliasSetting) else LATEST

    @property
    def windows_used(self) -> int:
        """How many windows of this step have passed, with the one that this look is in."""
        return 1 if self.look_before is None else self.look_before.windows_used + 1

    @property
    def look_before(self) -> Verification | None:
        """The look at this step's change before this one; None for the first."""
        previous = self.verification
        return None if previous is None or previous.next != "wait" else previous

    def first_window_s(self, rules: VerificationRules) -> int:
        """How long the first window is, in seconds; of a long one only its first wait is over."""
        waited_s, plan = self.change.window_s, self.change.change
        if waited_s < LONGEST_UNSEEN_S or plan is None:
            return waited_s
        return max(waited_s, window_s(rules, self.evidence, plan))

    def within(self, rules: VerificationRules) -> OpenWindow | None:
        """Give the long window that this look is in, or at the end of; None for a short one."""
        if self.look_before is not None:
            return self.look_before.within
        return opened(self.first_window_s(rules), since=self.applied_at)


def verify_repair(given: VerifyRepairInput, ports: Ports) -> Verification:
    """Compare the traffic before and after the change, and say what follows.

    Runs again after a lost answer without harm: what was recorded of this window stands.

    Raises:
        EvidenceMissingError: The stored evidence is gone or was altered.
        TargetNotFoundError: The function was deleted since.
        AccessDeniedError, TransientServiceError: The log or the evidence cannot be read.
    """
    configuration = ports.functions.read(given.whole.target)
    if runs_on(configuration, given.whole):
        found = _by_traffic(given, configuration, ports)
    else:
        found = _overtaken(given, configuration, ports)
    verification = _record(given, found, ports)
    _remember(given, verification, ports)
    tell_of_standing(given.incident, given.made, verification, ports)
    is_improved = verification.verdict is Verdict.IMPROVED and verification.next == "done"
    # What an alias leads to says nothing of what `$LATEST` would do, nor of what others make of it.
    is_latest = not isinstance(given.whole.after, AliasSetting)
    if is_improved and is_latest and stands_after(configuration, given.whole):
        _remember_as_healthy(configuration, ports)
    return verification


def _by_traffic(
    given: VerifyRepairInput, configuration: FunctionConfiguration, ports: Ports
) -> Verification:
    before = ports.evidence.get(given.evidence)
    policy = _policy(given, configuration, ports)
    configuration = as_it_runs(configuration, given.whole, before.configuration)
    is_refused = given.diagnosis.root_cause is RootCause.CONCURRENCY_LIMITED
    seen = (
        by_metrics(given.made, configuration, ports)
        if is_refused
        else by_log(given.made, before, configuration, ports)
    )
    found = _judged(given, before, seen, policy)
    if found.windows_used < given.windows_used:
        return found
    asked = Asked(
        incident=given.incident,
        made=given.made,
        cause=given.diagnosis.root_cause,
        kinds=known_kinds(before.of_version(given.version_before)),
        key=f"verify_repair/{given.change.step}/{found.windows_used}/probe",
    )
    return with_probe(found, asked, configuration, policy, ports)


def _policy(given: VerifyRepairInput, configuration: FunctionConfiguration, ports: Ports) -> Policy:
    """Read the policy; while that cannot be done, the windows do not end.

    Nobody knows then what is to become of a change of which traffic cannot tell.
    """
    policy, unread = policy_or_strictest(configuration, ports)
    if unread is None:
        return policy
    windows = min(MAX_WINDOWS, max(policy.verification.max_windows, given.windows_used + 1))
    rules = policy.verification.model_copy(update={"max_windows": windows})
    return policy.model_copy(update={"verification": rules})


def _overtaken(
    given: VerifyRepairInput, configuration: FunctionConfiguration, ports: Ports
) -> Verification:
    """Somebody changed the function since: what it does now says nothing of our change."""
    before = ports.evidence.get(given.evidence).of_version(given.version_before)
    is_back = stands_before(configuration, given.whole)
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
    given: VerifyRepairInput, before: Evidence, seen: TrafficSince, policy: Policy
) -> Verification:
    cause, setting = given.diagnosis.root_cause, given.whole.before
    earlier, later = _sample_before(given, before), _sample_after(given, before, seen)
    within = given.within(policy.verification)
    if within is not None:
        found = _looked_into(within, given, before, seen, policy.verification)
        if found is not None:
            return found
    lacking = shortfall(cause, seen.after, earlier=earlier, later=later)
    step = given.change.step
    may_step = _may_step(given, policy, before, seen.after, lacking.need)
    judgement = judge(
        earlier,
        later,
        early=sample(begun_long_ago(seen.after), cause, setting=setting)
        if later.pending
        else later,
        is_partial=bool(seen.after.gaps),
        windows_used=given.windows_used,
        rules=policy.verification,
        shortage=lacking.shortage,
        step=step,
        steps_allowed=step + 1 if may_step else step,
        looks_within=0 if within is None else within.looks,
    )
    window = _next_window_s(given, policy, seen) if judgement.next == "wait" else 0
    return Verification(
        verdict=judgement.verdict,
        next=judgement.next,
        reason="; ".join((judgement.reason, *_left_open(seen))),
        before=earlier,
        after=later,
        windows_used=given.windows_used,
        observed_until=seen.after.window_end,
        p_value=judgement.p_value,
        without_step=judgement.without_step,
        window_s=min(LONGEST_UNSEEN_S, window),
        within=opened(window, since=seen.after.collected_at),
        probes=given.made.probes,
        need=lacking.need if judgement.next == "step" else None,
    )


def _sample_before(given: VerifyRepairInput, before: Evidence) -> TrafficSample:
    cause, setting = given.diagnosis.root_cause, given.whole.before
    is_refused = cause is RootCause.CONCURRENCY_LIMITED
    ailing = since_first_refusal(before) if is_refused else before
    earlier = sample(ailing.of_version(given.version_before), cause, setting=setting)
    if is_refused:
        return earlier
    usual = None if before.traffic is None else before.traffic.usual
    return with_calls(earlier, before).model_copy(update={"usual": usual})


def _sample_after(given: VerifyRepairInput, before: Evidence, seen: TrafficSince) -> TrafficSample:
    cause = given.diagnosis.root_cause
    later = sample(seen.after, cause, setting=given.whole.before)
    if cause is RootCause.CONCURRENCY_LIMITED:
        return later
    later = with_calls(later, seen.metrics)
    return with_unseen(later, seen.after, cause, known=known_kinds(before) | seen.kinds)


def _looked_into(
    within: OpenWindow,
    given: VerifyRepairInput,
    before: Evidence,
    seen: TrafficSince,
    rules: VerificationRules,
) -> Verification | None:
    """Look for harm only; None where there is none, and the window is over."""
    last = given.look_before
    since = given.applied_at if last is None else last.observed_until
    recent = TrafficSince(lately(seen.after, since), lately(seen.metrics, since), seen.kinds)
    earlier, later = _sample_before(given, before), _sample_after(given, before, recent)
    harm = harm_lately(earlier, later, rules=rules, looks_within=within.looks)
    now = seen.after.collected_at
    if harm is None and is_over(within, now):
        return None
    looked = Verification(
        verdict=Verdict.INSUFFICIENT_TRAFFIC,
        next="wait",
        reason=f"no harm is to be seen; what it helps is judged at {within.ends_at:%Y-%m-%d %H:%M}",
        before=earlier,
        after=later,
        windows_used=given.windows_used - 1,
        observed_until=seen.after.window_end,
        window_s=wait_s(within, now),
        within=within,
        probes=given.made.probes,
    )
    if harm is None:
        return looked
    found = {"verdict": harm.verdict, "next": harm.next, "reason": harm.reason}
    ended = {"windows_used": given.windows_used, "window_s": 0, "within": None}
    return looked.model_copy(update=found | ended | {"p_value": harm.p_value})


def _next_window_s(given: VerifyRepairInput, policy: Policy, seen: TrafficSince) -> int:
    rules = policy.verification
    return next_window_s(
        rules,
        given.evidence.traffic,
        first_s=given.first_window_s(rules),
        elapsed_s=(seen.after.collected_at - given.applied_at).total_seconds(),
        windows_left=rules.max_windows - given.windows_used,
    )


def _left_open(seen: TrafficSince) -> tuple[str, ...]:
    gaps = (*seen.after.gaps, *seen.metrics.gaps)
    return tuple(gap.reason for gap in gaps if gap.source in {"metrics", "traffic"})


def _may_step(
    given: VerifyRepairInput, policy: Policy, before: Evidence, after: Evidence, need: SeenNeed
) -> bool:
    """Whether a further step is left: within the policy's number, and one that can be planned."""
    step = given.change.step + 1
    # A further step of a version starts from `$LATEST`, which may be somebody else's by now.
    is_ours = stands_after(after.configuration, given.whole)
    if step > policy.limits.steps_per_incident or not is_ours:
        return False
    planned = plan_step(
        given.incident.subject,
        after.configuration,
        given.diagnosis,
        policy,
        before,
        step=step,
        origin=given.whole,
        seen=need,
    )
    return isinstance(planned, Change)


def _remember(given: VerifyRepairInput, verification: Verification, ports: Ports) -> None:
    """A change that stays is no longer half done: nobody is to undo it behind a dead execution.

    Neither is one that has helped, whatever becomes of the further step.
    """
    has_helped = verification.next == "step" and verification.without_step == "keep"
    if verification.next == "done" or has_helped:
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
    """Record what was found of this window; gives what was recorded, by an earlier run if any.

    A look into a window that found no harm leaves no record: a week has many of them.
    """
    key = f"verify_repair/{given.change.step}/{given.windows_used}"
    if found.windows_used < given.windows_used:
        chain = ports.audit.chain_of(given.incident.id)
        said = (one.entry.data for one in chain if one.entry.key == key)
        return next((Verification.model_validate(data) for data in said), found)
    recorded = record(
        ports,
        given.incident,
        key=key,
        kind=RecordKind.REPAIR_VERIFIED,
        summary=f"{found.verdict.value}, {found.next}: {found.reason}",
        data=found.as_json(),
    )
    verification = Verification.model_validate(recorded.entry.data)
    if verification.next != "wait":
        announce(ports, "RepairVerified", given.incident, verification=verification.as_json())
    return verification
