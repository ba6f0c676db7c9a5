"""Taking a change back, for RollBackRepair and for whoever cleans up behind a failure."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from autorepair.domain.change import (
    AliasSetting,
    Change,
    ChangeRecord,
    ReservedConcurrencySetting,
    RollbackRecord,
)
from autorepair.domain.errors import StaleConfigurationError, TargetNotFoundError
from autorepair.domain.failure import Undo
from autorepair.domain.incident import Incident
from autorepair.domain.standing import standing
from autorepair.ports import Ports
from autorepair.steps.leasing import leased
from autorepair.steps.recording import announce

_SETTLED: dict[str, tuple[Undo, str]] = {
    "kept": ("nothing_to_undo", "the repair had been verified and stays"),
    "rolled_back": ("undone", "the change had been taken back before"),
    "handed_over": (
        "handed_over",
        "somebody had changed the function since, so it was left to them",
    ),
}


def undo(
    whole: Change, incident: Incident, ports: Ports, *, is_leased: bool = False
) -> RollbackRecord:
    """Take the change back if the function still stands where it led; else touch nothing.

    A change that was cut short does not know where it led; it is taken back if that leads exactly
    to where the function stood before. ``is_leased``: the caller holds the lease already.

    Raises:
        LeaseHeldError: Another incident is writing to the function.
        AutoRepairError: Whatever else `Functions.apply` raises.
    """
    inverse = whole.inverse()
    lease: AbstractContextManager[object] = (
        nullcontext() if is_leased else leased(whole.target, incident, ports)
    )
    try:
        configuration = ports.functions.read(whole.target)
        if not _may_lag(whole) and standing(configuration, whole.before) == whole.planned_on:
            return RollbackRecord(
                status="already_restored",
                reason="the function is configured as before the change",
                change=inverse,
                restored_at=ports.clock.now(),
            )
        with lease:
            ports.functions.apply(inverse)
    except StaleConfigurationError as error:
        return _handed_over(inverse, f"somebody changed the function since: {error}")
    except TargetNotFoundError as error:
        return _handed_over(inverse, f"the function is gone: {error}")
    return RollbackRecord(
        status="restored",
        reason="the function is configured as before the change",
        change=inverse,
        restored_at=ports.clock.now(),
    )


def undo_remembered(
    remembered: ChangeRecord | None,
    incident: Incident,
    ports: Ports,
    *,
    ahead: Callable[[Change], object],
    is_leased: bool = False,
) -> tuple[Undo, str]:
    """Take back what an incident left half done, and say what became of it and why.

    What had been verified stays. ``ahead`` is called with the change before it is taken back, to
    record that.

    Raises:
        LeaseHeldError: Another incident is writing to the function.
        AutoRepairError: Whatever else `Functions.apply`, ``ahead`` or the state table raises.
    """
    if remembered is None:
        return "nothing_to_undo", "nothing had been changed"
    if remembered.status in _SETTLED:
        return _SETTLED[remembered.status]
    if remembered.in_place is None:
        return "nothing_to_undo", "nothing had been changed"
    ahead(remembered.in_place)
    rollback = undo(remembered.in_place, incident, ports, is_leased=is_leased)
    if rollback.status == "conflict" and remembered.status == "planned" and remembered.origin:
        # The last step may never have landed; then the function stands where those before it led.
        rollback = undo(remembered.origin, incident, ports, is_leased=is_leased)
    is_conflict = rollback.status == "conflict"
    ports.state.remember_change(
        incident,
        remembered.model_copy(update={"status": "handed_over" if is_conflict else "rolled_back"}),
    )
    announce(ports, "RepairRolledBack", incident, rollback=rollback.as_json())
    return "handed_over" if is_conflict else "undone", rollback.reason


def _may_lag(whole: Change) -> bool:
    """Whether one reading cannot tell that nothing was written: the adapter has to make sure."""
    is_beside = isinstance(whole.before, ReservedConcurrencySetting | AliasSetting)
    return is_beside and whole.leads_to is None


def _handed_over(inverse: Change, reason: str) -> RollbackRecord:
    return RollbackRecord(status="conflict", reason=reason, change=inverse)
