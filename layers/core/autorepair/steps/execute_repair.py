"""ExecuteRepair: check everything once more, write it down, then write it."""

from __future__ import annotations

from autorepair.domain.audit import RecordKind
from autorepair.domain.change import ChangeRecord, RollbackRecord
from autorepair.domain.configuration import FunctionConfiguration
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
from autorepair.domain.policy import Policy
from autorepair.domain.standing import standing
from autorepair.ports import Ports
from autorepair.steps.leasing import HeldLease, leased
from autorepair.steps.overtaking import may_hold
from autorepair.steps.own_alarms import fit_own_alarms
from autorepair.steps.planned_write import (
    ExecuteRepairInput,
    WithheldError,
    check_guards,
    stale,
)
from autorepair.steps.policy_in_force import policy_for
from autorepair.steps.reckoning import release
from autorepair.steps.recording import announce, record
from autorepair.steps.undoing import undo
from autorepair.steps.watch_window import first_wait_s

__all__ = ["ExecuteRepairInput", "execute_repair"]


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
    begun = _remembered(given, ports)
    if begun is not None and begun.status == "applied":
        return _applied(given, begun, ports)
    try:
        policy = _may_write(given, ports, has_begun=begun is not None)
        written = _write(given, policy, ports, has_begun=begun is not None)
    except WithheldError as error:
        if begun is None:
            return _withheld(given, error, ports)
        return _cut_short(given, begun, error, ports)
    return _applied(given, written, ports)


def _remembered(given: ExecuteRepairInput, ports: Ports) -> ChangeRecord | None:
    """Give what an earlier run of this very step began, if there was one."""
    record_ = ports.state.remembered_change(given.incident)
    if record_ is None or record_.change is None or record_.step != given.decision.step:
        return None
    is_same = record_.change.plan_hash == given.plan.plan_hash
    return record_ if is_same and record_.status in {"planned", "applied"} else None


def _may_write(given: ExecuteRepairInput, ports: Ports, *, has_begun: bool) -> Policy:
    """Re-check what may have changed since the decision.

    A write that traffic may feel already is not held up: its outcome has to be learnt first. With
    the alias where it was, traffic feels nothing of what was written to `$LATEST`.
    """
    try:
        configuration = ports.functions.read(given.plan.target)
    except TargetNotFoundError as error:
        raise WithheldError("refused", f"the function is gone: {error}") from error
    is_half_made = has_begun and given.may_be_half_made(configuration)
    is_in_force = has_begun and not (is_half_made or given.is_planned_on(configuration))
    try:
        policy = policy_for(configuration, ports, is_fresh=True)
    except PolicyUnreadableError as error:
        if is_in_force:
            return Policy()
        raise WithheldError("refused", f"there is no policy to act under: {error}") from error
    if is_half_made:
        check_guards(given, given.begun_on(configuration), policy, ports)
    elif not is_in_force:
        check_guards(given, configuration, policy, ports)
        _remember_configuration(given, configuration, ports)
    return policy


def _cut_short(
    given: ExecuteRepairInput, begun: ChangeRecord, error: WithheldError, ports: Ports
) -> ChangeRecord:
    """Withhold what was begun; as overtaken where somebody has changed the function on top of it.

    Raises:
        TransientServiceError: Somebody else is just writing to it, or an API is unavailable.
        AutoRepairError: It cannot be put back; it has to be undone.
    """
    rollback = _put_back(given, error, ports)
    if rollback is None:
        return _withheld(given, error, ports)
    if rollback.status == "conflict" and _may_be_written(given, ports):
        overtaken = _overtaken(begun, rollback.reason, ports)
        ports.state.remember_change(given.incident, overtaken)
        return _applied(given, overtaken, ports)
    told = f"{error}; what was written to $LATEST: {rollback.status}: {rollback.reason}"
    return _withheld(given, WithheldError(error.status, told), ports)


def _put_back(
    given: ExecuteRepairInput, error: WithheldError, ports: Ports
) -> RollbackRecord | None:
    """Put `$LATEST` back where the change had got no further than that; else give None."""
    try:
        if not given.may_be_half_made(ports.functions.read(given.plan.target)):
            return None
        record(
            ports,
            given.incident,
            key=f"execute_repair/{_attempt(given)}/rollback_planned",
            kind=RecordKind.ROLLBACK_PLANNED,
            summary=f"about to put $LATEST back: {error}",
            data={"change": given.plan.inverse().as_json()},
        )
        return undo(given.plan, given.incident, ports)
    except TargetNotFoundError:
        return None
    except LeaseHeldError as held:
        raise TransientServiceError(f"the lease is taken, try again: {held}") from held


def _remember_configuration(
    given: ExecuteRepairInput, configuration: FunctionConfiguration, ports: Ports
) -> None:
    """Nothing is changed that could not be put back: no snapshot, no write."""
    try:
        ports.snapshots.keep(configuration, "before_change")
    except StaleConfigurationError as error:
        raise stale(given, str(error)) from error
    except TargetNotFoundError as error:
        raise WithheldError("refused", f"the function is gone: {error}") from error
    except AccessDeniedError as error:
        raise WithheldError("refused", f"the configuration cannot be kept: {error}") from error


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
        raise WithheldError("refused", f"somebody else is writing to it: {error}") from error
    return applied


def _landed(
    given: ExecuteRepairInput,
    planned: ChangeRecord,
    policy: Policy,
    held: HeldLease,
    ports: Ports,
) -> ChangeRecord:
    try:
        made = _apply(given, held, ports)
    except _OvertakenError as error:
        return _overtaken(planned, str(error), ports)
    return planned.model_copy(
        update={
            "status": "applied",
            "reason": given.decision.reason,
            "change": given.plan.led(
                leads_to=standing(made, given.plan.after), version=made.alias_version
            ),
            "accepted_at": held.proved_at,
            "applied_at": ports.clock.now(),
            "window_s": first_wait_s(policy.verification, given.evidence, given.plan),
        }
    )


def _overtaken(planned: ChangeRecord, why: str, ports: Ports) -> ChangeRecord:
    """Nobody knows where it led, and there is nothing to wait for."""
    return planned.model_copy(
        update={
            "status": "applied",
            "reason": why,
            "applied_at": ports.clock.now(),
            "window_s": 0,
        }
    )


def _write_ahead(given: ExecuteRepairInput, held: HeldLease, ports: Ports) -> ChangeRecord:
    planned = ChangeRecord(
        status="planned",
        reason=given.decision.reason,
        change=given.plan,
        step=given.decision.step,
        origin=given.origin,
        is_origin_kept=given.is_origin_kept,
        fence=held.fence,
    )
    record(
        ports,
        given.incident,
        key=f"execute_repair/{_attempt(given)}/planned",
        kind=RecordKind.REPAIR_PLANNED,
        summary=f"about to {given.plan.kind.value}: {_warrant(given)}",
        data={
            "change": given.plan.as_json(),
            "plan_hash": given.decision.plan_hash,
            "fence": held.fence,
            "approved_by": _consenter(given),
        },
    )
    ports.state.remember_change(given.incident, planned)
    return planned


def _warrant(given: ExecuteRepairInput) -> str:
    """Say what the change is made on: a person's yes, or else the reason of the decision."""
    by = _consenter(given)
    return given.decision.reason if by is None else f"approved by {by}"


def _consenter(given: ExecuteRepairInput) -> str | None:
    return given.approval.by if given.approval and given.has_consent else None


def _apply(given: ExecuteRepairInput, held: HeldLease, ports: Ports) -> FunctionConfiguration:
    try:
        return ports.functions.apply(given.plan, guard=held.prove)
    except StaleConfigurationError as error:
        _insist_on_not_written(given, error, ports)
        raise stale(given, str(error)) from error
    except (EnvironmentUnreadableError, UndeclaredValueError, ChangeRefusedError) as error:
        _insist_on_not_written(given, error, ports)
        raise WithheldError("refused", str(error)) from error
    except TargetNotFoundError as error:
        raise WithheldError("refused", f"the function is gone: {error}") from error
    except (UpdateInProgressError, AccessDeniedError) as error:
        # Both may come before the write or after it; only before it is it a mere refusal.
        if given.is_planned_on(ports.functions.read(given.plan.target)):
            raise WithheldError("refused", str(error)) from error
        raise


def _insist_on_not_written(given: ExecuteRepairInput, error: Exception, ports: Ports) -> None:
    """A write that may have landed must not be taken for one that was never made.

    Raises:
        _OvertakenError: The function is not as planned on and may run with what was to be written.
    """
    if _may_be_written(given, ports):
        raise _OvertakenError(
            "the change may have been written, and somebody has changed the function since, so "
            f"it is left to them: {error}"
        ) from error


def _may_be_written(given: ExecuteRepairInput, ports: Ports) -> bool:
    """Whether the function is not as planned on, and holds or runs what was to be written.

    An alias that has left where it was planned on may send traffic to the version of this change,
    whatever `$LATEST` shows: the answer to the move may have been lost.
    """
    try:
        configuration = ports.functions.read(given.plan.target)
    except TargetNotFoundError:
        return False
    if given.is_planned_on(configuration):
        return False
    move = given.plan.release
    has_left = move is not None and configuration.alias_version != move.former
    return has_left or may_hold(configuration, given.plan.after)


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


def _withheld(given: ExecuteRepairInput, error: WithheldError, ports: Ports) -> ChangeRecord:
    withheld = ChangeRecord.model_validate(
        {
            "status": error.status,
            "reason": str(error),
            "change": given.plan,
            "step": given.decision.step,
            "origin": given.origin,
            "is_origin_kept": given.is_origin_kept,
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
        ports.state.remember_change(given.incident, withheld.without_step())
    if given.origin is None:
        release(given.incident, ports)
    return withheld


def _attempt(given: ExecuteRepairInput) -> str:
    return f"{given.decision.step}{'/replanned' if given.decision.is_replanned else ''}"
