"""ExecuteRepair: check everything once more, write it down, then write it."""

from __future__ import annotations

import math

from pydantic import ConfigDict

from autorepair.domain.approval import Approval
from autorepair.domain.audit import RecordKind
from autorepair.domain.change import (
    Change,
    ChangeRecord,
    ReservedConcurrencySetting,
    Setting,
    TimeoutSetting,
)
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.decision import Decision
from autorepair.domain.diagnosis import Diagnosis
from autorepair.domain.errors import (
    AccessDeniedError,
    ChangeRefusedError,
    EnvironmentUnreadableError,
    LeaseHeldError,
    PolicyUnreadableError,
    StaleConfigurationError,
    TargetNotFoundError,
    TransientServiceError,
    UndeclaredValueError,
    UpdateInProgressError,
)
from autorepair.domain.evidence import EvidenceSummary
from autorepair.domain.incident import Incident
from autorepair.domain.policy import Policy, VerificationRules
from autorepair.domain.standing import standing
from autorepair.domain.value import Value
from autorepair.ports import Ports
from autorepair.repairs.guardrails import decide
from autorepair.steps.alarm_standing import obstacle_to_a_write
from autorepair.steps.leasing import leased
from autorepair.steps.overtaking import difference, may_hold
from autorepair.steps.policy_in_force import policy_for
from autorepair.steps.recording import announce, record
from autorepair.steps.sampling import LOG_LAG_S, METRIC_WINDOW_S

DAY_S = 86_400
LONGEST_WATCH_S = 3 * DAY_S
"""All windows together; leaves the state machine (60 days) room for the answer of a person."""


class ExecuteRepairInput(Value):
    """What this state reads of the state data."""

    model_config = ConfigDict(extra="ignore")

    incident: Incident
    evidence: EvidenceSummary
    diagnosis: Diagnosis
    decision: Decision
    approval: Approval | None = None
    change: ChangeRecord | None = None

    @property
    def plan(self) -> Change:
        """The change that was decided on.

        Raises:
            ValueError: The decision holds none, so this state should not have been entered.
        """
        if self.decision.change is None:
            raise ValueError(f"incident {self.incident.id}: nothing was decided to be changed")
        return self.decision.change

    @property
    def origin(self) -> Change | None:
        """What the steps before this one changed and left in place."""
        return self.change.in_place if self.change is not None else None

    def is_planned_on(self, configuration: FunctionConfiguration) -> bool:
        """Whether the function is as it was when the change was planned."""
        return standing(configuration, self.plan.before) == self.plan.planned_on

    @property
    def has_consent(self) -> bool:
        """Whether a person agreed to this very plan: only a decision that asked is answered."""
        return (
            self.decision.action == "ask"
            and self.approval is not None
            and self.approval.answer == "approved"
        )


class _WithheldError(Exception):
    """The change must not be made (any more). Never leaves this module."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class _OvertakenError(Exception):
    """The change may have been written, and is not all that was. Never leaves this module."""


def execute_repair(given: ExecuteRepairInput, ports: Ports) -> ChangeRecord:
    """Make the planned change, or say why not.

    Runs again after a lost answer without harm: what was applied is given back, what may have
    been written is finished. What was written and then overtaken by somebody's own change counts
    as applied without it being known where it led: VerifyRepair leaves that to them. The
    write-ahead record and the remembered change come first, so that whoever finds this execution
    dead knows what to undo.

    Raises:
        UpdateFailedError: Lambda could not put the change into effect; it has to be undone.
        UpdateInProgressError: The change was written but did not settle in time.
        AccessDeniedError: Refused after the write, so that nobody knows where it stands.
        TransientServiceError: The same call may work a moment later.
    """
    remembered = _remembered(given, ports)
    if remembered is not None and remembered.status == "applied":
        return _applied(given, remembered, ports)
    try:
        has_begun = remembered is not None
        policy = _may_write(given, ports, has_begun=has_begun)
        return _applied(given, _write(given, policy, ports, has_begun=has_begun), ports)
    except _WithheldError as error:
        return _withheld(given, error, ports)


def window_s(rules: VerificationRules, evidence: EvidenceSummary, plan: Change) -> int:
    """Say how long one verification window is, in seconds.

    At the rate seen before the alarm, all windows together have to show ``min_invocations``; and
    an invocation that runs into a new timeout has to be able to do so within one, and whole minutes
    of metrics have to come in.
    """
    gap_s = _gap_s(evidence) or 0.0
    needed_s = math.ceil(rules.min_invocations * gap_s / rules.max_windows)
    longest_s = min(DAY_S, LONGEST_WATCH_S // rules.max_windows)
    return max(rules.window_s, _shortest_s(plan.after), min(longest_s, needed_s))


def _shortest_s(after: Setting) -> int:
    match after:
        case TimeoutSetting():
            return after.timeout_s + LOG_LAG_S
        case ReservedConcurrencySetting():
            return METRIC_WINDOW_S
        case _:
            return 0


def _gap_s(evidence: EvidenceSummary) -> float | None:
    """Give the mean time from one invocation to the next, in seconds; None if nothing was seen.

    Of a single invocation only this is known: there was one in the whole span looked at.
    """
    first, last = evidence.first_invocation_at, evidence.last_invocation_at
    if not evidence.invocations:
        return None
    if evidence.invocations == 1 or first is None or last is None:
        return (evidence.window_end - evidence.window_start).total_seconds()
    return (last - first).total_seconds() / (evidence.invocations - 1)


def _remembered(given: ExecuteRepairInput, ports: Ports) -> ChangeRecord | None:
    """Give what an earlier run of this very step began, if there was one."""
    record_ = ports.state.remembered_change(given.incident)
    if record_ is None or record_.change is None or record_.step != given.decision.step:
        return None
    is_same = record_.change.plan_hash == given.plan.plan_hash
    return record_ if is_same and record_.status in {"planned", "applied"} else None


def _may_write(given: ExecuteRepairInput, ports: Ports, *, has_begun: bool) -> Policy:
    """Re-check what may have changed since the decision.

    A write that may have happened already is not held up: its outcome has to be learnt first.
    """
    try:
        configuration = ports.functions.read(given.plan.target)
    except TargetNotFoundError as error:
        raise _WithheldError("refused", f"the function is gone: {error}") from error
    has_moved = not given.is_planned_on(configuration)
    try:
        policy = policy_for(configuration, ports, is_fresh=True)
    except PolicyUnreadableError as error:
        if has_begun and has_moved:
            return Policy()
        raise _WithheldError("refused", f"there is no policy to act under: {error}") from error
    if not (has_begun and has_moved):
        _check_guards(given, configuration, policy, ports)
        _remember_configuration(given, configuration, ports)
    return policy


def _check_guards(
    given: ExecuteRepairInput, configuration: FunctionConfiguration, policy: Policy, ports: Ports
) -> None:
    if ports.state.is_paused():
        raise _WithheldError("paused", "an operator has paused all repairs")
    obstacle = obstacle_to_a_write(given.incident, ports)
    if obstacle is not None:
        raise _WithheldError(obstacle.status, obstacle.reason)
    if not given.is_planned_on(configuration):
        what = difference(configuration, given.plan)
        raise _stale(given, f"the function has changed since: {what}")
    ruling = decide(
        given.plan,
        given.diagnosis,
        policy,
        configuration,
        step=given.decision.step,
        is_paused=False,
        gaps=given.evidence.gaps,
        now=ports.clock.now(),
    )
    allowed = {"apply", "ask"} if given.has_consent else {"apply"}
    if ruling.action not in allowed:
        raise _WithheldError("refused", f"no longer allowed ({ruling.action}): {ruling.reason}")


def _remember_configuration(
    given: ExecuteRepairInput, configuration: FunctionConfiguration, ports: Ports
) -> None:
    """Nothing is changed that could not be put back: no snapshot, no write."""
    try:
        ports.snapshots.keep(configuration, "before_change")
    except StaleConfigurationError as error:
        raise _stale(given, str(error)) from error
    except TargetNotFoundError as error:
        raise _WithheldError("refused", f"the function is gone: {error}") from error
    except AccessDeniedError as error:
        raise _WithheldError("refused", f"the configuration cannot be kept: {error}") from error


def _stale(given: ExecuteRepairInput, why: str) -> _WithheldError:
    """A plan that was overtaken is made anew once; the second time it is given up."""
    if given.decision.is_replanned:
        return _WithheldError("refused", f"{why}, for the second time")
    return _WithheldError("stale", why)


def _write(
    given: ExecuteRepairInput, policy: Policy, ports: Ports, *, has_begun: bool
) -> ChangeRecord:
    try:
        with leased(given.plan.target, given.incident, ports):
            planned = _write_ahead(given, ports)
            applied = _landed(given, planned, policy, ports)
            ports.state.remember_change(given.incident, applied)
    except LeaseHeldError as error:
        if has_begun:
            # What was begun may be in place: it is neither refused nor forgotten.
            raise TransientServiceError(f"the lease is taken, try again: {error}") from error
        raise _WithheldError("refused", f"somebody else is writing to it: {error}") from error
    return applied


def _landed(
    given: ExecuteRepairInput, planned: ChangeRecord, policy: Policy, ports: Ports
) -> ChangeRecord:
    landed = {"status": "applied", "reason": given.decision.reason}
    try:
        leads_to = standing(_apply(given, ports), given.plan.after)
    except _OvertakenError as error:
        # Nobody knows where it led, and there is nothing to wait for.
        overtaken = {"reason": str(error), "applied_at": ports.clock.now(), "window_s": 0}
        return planned.model_copy(update=landed | overtaken)
    return planned.model_copy(
        update={
            **landed,
            "change": given.plan.model_copy(update={"leads_to": leads_to}),
            "applied_at": ports.clock.now(),
            "window_s": window_s(policy.verification, given.evidence, given.plan),
        }
    )


def _write_ahead(given: ExecuteRepairInput, ports: Ports) -> ChangeRecord:
    planned = ChangeRecord(
        status="planned",
        reason=given.decision.reason,
        change=given.plan,
        step=given.decision.step,
        origin=given.origin,
    )
    record(
        ports,
        given.incident,
        key=f"execute_repair/{_attempt(given)}/planned",
        kind=RecordKind.REPAIR_PLANNED,
        summary=f"about to {given.plan.kind.value}: {given.decision.reason}",
        data={
            "change": given.plan.as_json(),
            "plan_hash": given.decision.plan_hash,
            "approved_by": given.approval.by if given.approval and given.has_consent else None,
        },
    )
    ports.state.remember_change(given.incident, planned)
    return planned


def _apply(given: ExecuteRepairInput, ports: Ports) -> FunctionConfiguration:
    try:
        return ports.functions.apply(given.plan)
    except StaleConfigurationError as error:
        _insist_on_not_written(given, error, ports)
        raise _stale(given, str(error)) from error
    except (EnvironmentUnreadableError, UndeclaredValueError, ChangeRefusedError) as error:
        _insist_on_not_written(given, error, ports)
        raise _WithheldError("refused", str(error)) from error
    except TargetNotFoundError as error:
        raise _WithheldError("refused", f"the function is gone: {error}") from error
    except (UpdateInProgressError, AccessDeniedError) as error:
        # Both may come before the write or after it; only before it is it a mere refusal.
        if given.is_planned_on(ports.functions.read(given.plan.target)):
            raise _WithheldError("refused", str(error)) from error
        raise


def _insist_on_not_written(given: ExecuteRepairInput, error: Exception, ports: Ports) -> None:
    """A write that may have landed must not be taken for one that was never made.

    Raises:
        _OvertakenError: The function is not as planned on and holds what was to be written.
    """
    try:
        configuration = ports.functions.read(given.plan.target)
    except TargetNotFoundError:
        return
    if not given.is_planned_on(configuration) and may_hold(configuration, given.plan.after):
        raise _OvertakenError(
            "the change may have been written, and somebody has changed the function since, so "
            f"it is left to them: {error}"
        ) from error


def _applied(given: ExecuteRepairInput, applied: ChangeRecord, ports: Ports) -> ChangeRecord:
    change, did = applied.change, given.plan.kind.value
    if change is None or change.leads_to is None:
        # Not "applied": nobody knows what of it is in force.
        _record_write(given, applied, RecordKind.REPAIR_OVERTAKEN, applied.reason, ports)
        return applied
    told = f"{did} applied; traffic is watched for {applied.window_s} s"
    _record_write(given, applied, RecordKind.REPAIR_APPLIED, told, ports)
    announce(ports, "RepairApplied", given.incident, change=change.as_json(), step=applied.step)
    return applied


def _record_write(
    given: ExecuteRepairInput, applied: ChangeRecord, kind: RecordKind, told: str, ports: Ports
) -> None:
    record(
        ports,
        given.incident,
        key=f"execute_repair/{_attempt(given)}/{kind.value.removeprefix('repair_')}",
        kind=kind,
        summary=told,
        data=applied.as_json(),
    )


def _withheld(given: ExecuteRepairInput, error: _WithheldError, ports: Ports) -> ChangeRecord:
    withheld = ChangeRecord.model_validate(
        {
            "status": error.status,
            "reason": str(error),
            "change": given.plan,
            "step": given.decision.step,
            "origin": given.origin,
        }
    )
    record(
        ports,
        given.incident,
        key=f"execute_repair/{_attempt(given)}/{error.status}",
        kind=RecordKind.REPAIR_WITHHELD,
        summary=f"{error.status}: {error}",
        data={"status": error.status, "change": given.plan.as_json()},
    )
    if ports.state.remembered_change(given.incident) is not None:
        ports.state.remember_change(given.incident, withheld)
    return withheld


def _attempt(given: ExecuteRepairInput) -> str:
    return f"{given.decision.step}{'/replanned' if given.decision.is_replanned else ''}"
