"""Taking a change back, for RollBackRepair and for whoever cleans up behind a failure."""

from __future__ import annotations

from autorepair.domain.change import Change, RollbackRecord
from autorepair.domain.errors import StaleConfigurationError, TargetNotFoundError
from autorepair.domain.incident import Incident
from autorepair.ports import Ports
from autorepair.steps.leasing import leased


def undo(whole: Change, incident: Incident, ports: Ports) -> RollbackRecord:
    """Take the change back if the function still stands where it led; else touch nothing.

    A change that was cut short does not know where it led; it is taken back if that leads exactly
    to where the function stood before.

    Raises:
        LeaseHeldError: Another incident is writing to the function.
        AutoRepairError: Whatever else `Functions.apply` raises.
    """
    inverse = whole.inverse()
    try:
        configuration = ports.functions.read(whole.target)
        if configuration.fingerprint == whole.planned_on:
            return RollbackRecord(
                status="already_restored",
                reason="the function is configured as before the change",
                change=inverse,
                restored_at=ports.clock.now(),
            )
        with leased(whole.target, incident, ports):
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


def _handed_over(inverse: Change, reason: str) -> RollbackRecord:
    return RollbackRecord(status="conflict", reason=reason, change=inverse)
