"""Taking a change back, for RollBackRepair and for whoever cleans up behind a failure."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

from autorepair.domain.change import (
    AliasSetting,
    Change,
    ChangeRecord,
    ReservedConcurrencySetting,
    RollbackRecord,
)
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.errors import StaleConfigurationError, TargetNotFoundError
from autorepair.domain.failure import Undo
from autorepair.domain.incident import Incident
from autorepair.domain.standing import standing, stands_before
from autorepair.ports import Ports
from autorepair.steps.leasing import HeldLease, leased
from autorepair.steps.own_alarms import fit_own_alarms, fit_to_others
from autorepair.steps.recording import announce

_LATEST_LEFT = (
    "traffic runs as before the change; somebody has changed $LATEST since, so that is left to "
    "them, and the setting may still be there: look before it is published"
)
_SETTLED: dict[str, tuple[Undo, str]] = {
    "kept": ("nothing_to_undo", "the repair had been verified and stays"),
    "rolled_back": ("undone", "the change had been taken back before"),
    "handed_over": (
        "handed_over",
        "somebody had changed the function since, so it was left to them",
    ),
}


def undo(
    whole: Change, incident: Incident, ports: Ports, *, held: HeldLease | None = None
) -> RollbackRecord:
    """Take the change back if the function still stands where it led; else touch nothing.

    Of a change behind an alias that still is where it led, the alias goes back even where `$LATEST`
    is somebody else's by now, and the reason says so.

    A change that was cut short does not know where it led; it is taken back if that leads exactly
    to where the function stood before. ``held`` is the caller's lease, where it has one already.

    Raises:
        LeaseHeldError: Another incident is writing to the function, or has begun to meanwhile.
        AutoRepairError: Whatever else `Functions.apply` raises.
    """
    inverse = whole.inverse()
    lease = nullcontext(held) if held else leased(whole.target, incident, ports)
    try:
        configuration = ports.functions.read(whole.target)
        if not _may_lag(whole) and stands_before(configuration, whole):
            return RollbackRecord(
                status="already_restored",
                reason=_restored(inverse, incident, ports),
                change=inverse,
                restored_at=ports.clock.now(),
            )
        with lease as proven:
            found = ports.functions.apply(inverse, guard=proven.prove)
    except StaleConfigurationError as error:
        # Theirs by now, and the alarm is still ours: it follows the timeout that they have set.
        notes = fit_to_others(whole, incident, ports)
        reason = f"somebody changed the function since: {error}"
        return _handed_over(inverse, "; ".join((reason, *notes)))
    except TargetNotFoundError as error:
        return _handed_over(inverse, f"the function is gone: {error}")
    return RollbackRecord(
        status="restored",
        reason=_restored(inverse, incident, ports, is_latest_left=_is_latest_left(found, inverse)),
        change=inverse,
        restored_at=ports.clock.now(),
    )


def undo_remembered(
    remembered: ChangeRecord | None,
    incident: Incident,
    ports: Ports,
    *,
    ahead: Callable[[Change], object],
    held: HeldLease | None = None,
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
    steps = _steps_to_undo(remembered)
    if remembered.in_place is None or not steps:
        return "nothing_to_undo", "nothing had been changed"
    ahead(remembered.in_place if len(steps) > 1 else steps[0])
    rollback = undo(steps[0], incident, ports, held=held)
    if len(steps) > 1 and rollback.status != "conflict":
        rollback = undo(steps[1], incident, ports, held=held)
    is_conflict = rollback.status == "conflict"
    undone = remembered.model_copy(update={"status": "rolled_back"}).without_step()
    ports.state.remember_change(
        incident,
        remembered.model_copy(update={"status": "handed_over"}) if is_conflict else undone,
    )
    announce(ports, "RepairRolledBack", incident, rollback=rollback.as_json())
    stays = "; the steps before it had helped, and stay" if undone.status == "kept" else ""
    return ("handed_over", rollback.reason) if is_conflict else ("undone", rollback.reason + stays)


def _steps_to_undo(remembered: ChangeRecord) -> list[Change]:
    """Give what is to be taken back, the last step first: those before it stay if they helped.

    Each by itself: the last one may never have landed, and the alarm follows from one to the next.
    """
    is_open = remembered.status in {"planned", "applied"}
    last = [remembered.change] if is_open and remembered.change is not None else []
    if remembered.is_origin_kept or remembered.origin is None:
        return last
    return [*last, remembered.origin]


def _restored(
    inverse: Change, incident: Incident, ports: Ports, *, is_latest_left: bool = False
) -> str:
    notes = fit_own_alarms(inverse, incident, ports)
    restored = _LATEST_LEFT if is_latest_left else "the function is configured as before the change"
    return "; ".join((restored, *_left(inverse), *notes))


def _is_latest_left(found: FunctionConfiguration, inverse: Change) -> bool:
    """Whether the alias went back alone, since `$LATEST` is somebody else's by now."""
    is_known = inverse.release is not None and inverse.leads_to is not None
    return is_known and standing(found, inverse.after) != inverse.leads_to


def _left(inverse: Change) -> tuple[str, ...]:
    """Say where the alias is again, and that what was published stays: it does no harm."""
    move = inverse.release
    if move is None:
        return ()
    back = f"the alias {move.alias} is on version {move.former}"
    if move.published is None:
        return (back,)
    return (back, f"version {move.published} stays published, and nothing leads to it")


def _may_lag(whole: Change) -> bool:
    """Whether one reading cannot tell that nothing was written: the adapter has to make sure."""
    is_beside = isinstance(whole.before, ReservedConcurrencySetting | AliasSetting)
    return (is_beside or whole.release is not None) and whole.leads_to is None


def _handed_over(inverse: Change, reason: str) -> RollbackRecord:
    return RollbackRecord(status="conflict", reason=reason, change=inverse)
