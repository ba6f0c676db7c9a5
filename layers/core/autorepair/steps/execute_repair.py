"""ExecuteRepair: check everything once more, write it down, then write it."""

from __future__ import annotations

from pydantic import ConfigDict

from autorepair.domain.approval import Approval
from autorepair.domain.audit import RecordKind
from autorepair.domain.change import Change, ChangeRecord
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.decision import Decision, RefusalCode
from autorepair.domain.diagnosis import Diagnosis
from autorepair.domain.errors import (
    AccessDeniedError,
    ChangeRefusedError,
    EnvironmentUnreadableError,
    LeaseHeldError,
    LeaseLostError,
    PolicyUnreadableError,
    StaleConfigurationError,
    TargetNotFoundError,
    TransientServiceError,
    UndeclaredValueError,
    UpdateInProgressError,
)
from autorepair.domain.evidence import EvidenceSummary
from autorepair.domain.incident import Incident
from autorepair.domain.ledger import History
from autorepair.domain.policy import Policy
from autorepair.domain.standing import standing, stands_before
from autorepair.domain.value import Value
from autorepair.ports import Ports
from autorepair.repairs.guardrails import decide
from autorepair.steps.alarm_standing import obstacle_to_a_write
from autorepair.steps.leasing import HeldLease, leased
from autorepair.steps.overtaking import difference, may_hold
from autorepair.steps.own_alarms import fit_own_alarms
from autorepair.steps.policy_in_force import policy_for
from autorepair.steps.reckoning import history_of, reckoned, release
from autorepair.steps.recording import announce, record
from autorepair.steps.surroundings import circumstances_of
from autorepair.steps.watch_window import window_s


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
        return stands_before(configuration, self.plan)

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
    pause = ports.state.pause_in_force()
    if pause is not None:
        raise _WithheldError("paused", pause.told())
    obstacle = obstacle_to_a_write(given.incident, ports)
    if obstacle is not None:
        raise _WithheldError(obstacle.status, obstacle.reason)
    if not given.is_planned_on(configuration):
        what = difference(configuration, given.plan)
        raise _stale(given, f"the function has changed since: {what}")
    _book(given, configuration, policy, ports)


def _book(
    given: ExecuteRepairInput, configuration: FunctionConfiguration, policy: Policy, ports: Ports
) -> None:
    """Lay the guardrails over the plan once more, and book it in the same breath."""
    circumstances = circumstances_of(given.plan, configuration, ports)
    now = ports.clock.now()

    def rule(history: History) -> Decision:
        return decide(
            given.plan,
            given.diagnosis,
            policy,
            configuration,
            step=given.decision.step,
            history=history,
            seen=given.evidence,
            circumstances=circumstances,
            now=now,
        )

    allowed = frozenset({"apply", "ask"} if given.has_consent else {"apply"})
    ruling = reckoned(
        given.incident,
        given.diagnosis.root_cause,
        policy.breaker,
        history_of(given.incident, given.origin, ports),
        rule,
        ports,
        books=allowed,
    )
    is_news = _is_news(given, ruling)
    if ruling.action in allowed and not is_news:
        return
    is_storm = ruling.refusal is not None and ruling.refusal.code is RefusalCode.BREAKER
    if (is_storm or is_news) and not given.decision.is_replanned:
        # Decided anew, it asks.
        raise _WithheldError("stale", f"no longer unattended: {ruling.reason}")
    raise _WithheldError("refused", f"no longer allowed ({ruling.action}): {ruling.reason}")


def _is_news(given: ExecuteRepairInput, ruling: Decision) -> bool:
    """Whether a deployment has begun of which whoever decided or agreed did not know."""
    if ruling.refusal is None or ruling.refusal.code is not RefusalCode.DEPLOYMENT_RUNNING:
        return False
    known = given.decision.refusal
    return ruling.action == "ask" and (known is None or known.code is not ruling.refusal.code)


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
        with leased(given.plan.target, given.incident, ports) as held:
            planned = _write_ahead(given, held, ports)
            applied = _landed(given, planned, policy, held, ports)
            ports.state.remember_change(given.incident, applied)
    except LeaseLostError as error:
        # Part of it may be written: it is neither refused nor forgotten.
        raise TransientServiceError(f"the lease was lost, try again: {error}") from error
    except LeaseHeldError as error:
        if has_begun:
            # What was begun may be in place: it is neither refused nor forgotten.
            raise TransientServiceError(f"the lease is taken, try again: {error}") from error
        raise _WithheldError("refused", f"somebody else is writing to it: {error}") from error
    return applied


def _landed(
    given: ExecuteRepairInput,
    planned: ChangeRecord,
    policy: Policy,
    held: HeldLease,
    ports: Ports,
) -> ChangeRecord:
    landed = {"status": "applied", "reason": given.decision.reason}
    try:
        made = _apply(given, held, ports)
    except _OvertakenError as error:
        # Nobody knows where it led, and there is nothing to wait for.
        overtaken = {"reason": str(error), "applied_at": ports.clock.now(), "window_s": 0}
        return planned.model_copy(update=landed | overtaken)
    return planned.model_copy(
        update={
            **landed,
            "change": given.plan.led(
                leads_to=standing(made, given.plan.after), version=made.alias_version
            ),
            "accepted_at": held.proved_at,
            "applied_at": ports.clock.now(),
            "window_s": window_s(policy.verification, given.evidence, given.plan),
        }
    )


def _write_ahead(given: ExecuteRepairInput, held: HeldLease, ports: Ports) -> ChangeRecord:
    planned = ChangeRecord(
        status="planned",
        reason=given.decision.reason,
        change=given.plan,
        step=given.decision.step,
        origin=given.origin,
        fence=held.fence,
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
            "fence": held.fence,
            "approved_by": given.approval.by if given.approval and given.has_consent else None,
        },
    )
    ports.state.remember_change(given.incident, planned)
    return planned


def _apply(given: ExecuteRepairInput, held: HeldLease, ports: Ports) -> FunctionConfiguration:
    try:
        return ports.functions.apply(given.plan, guard=held.prove)
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
    notes = fit_own_alarms(change, given.incident, ports)
    applied = applied.model_copy(update={"notes": notes})
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
    if given.origin is None:
        release(given.incident, ports)
    return withheld


def _attempt(given: ExecuteRepairInput) -> str:
    return f"{given.decision.step}{'/replanned' if given.decision.is_replanned else ''}"
