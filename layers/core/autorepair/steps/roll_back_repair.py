"""RollBackRepair: take back a change that did not help. A pause does not stop it."""

from __future__ import annotations

from pydantic import ConfigDict

from autorepair.domain.audit import RecordKind
from autorepair.domain.change import Change, ChangeRecord, RollbackRecord
from autorepair.domain.errors import LeaseHeldError, TransientServiceError
from autorepair.domain.incident import Incident
from autorepair.domain.value import Value
from autorepair.domain.verification import Verification
from autorepair.ports import Ports
from autorepair.steps.recording import announce, record
from autorepair.steps.undoing import undo


class RollBackRepairInput(Value):
    """What this state reads of the state data."""

    model_config = ConfigDict(extra="ignore")

    incident: Incident
    change: ChangeRecord
    verification: Verification

    @property
    def whole(self) -> Change:
        """Everything this incident changed, all its steps together.

        Raises:
            ValueError: Nothing is in place, so this state should not have been entered.
        """
        if self.change.in_place is None:
            raise ValueError(f"incident {self.incident.id}: there is nothing to take back")
        return self.change.in_place


def roll_back_repair(given: RollBackRepairInput, ports: Ports) -> RollbackRecord:
    """Restore what was there before the incident's first change.

    If somebody has changed the function since, nothing is touched and the record says so.

    Raises:
        TransientServiceError: Somebody else is just writing, or an API is unavailable.
        AutoRepairError: The change cannot be taken back; a person has to.
    """
    incident = given.incident
    record(
        ports,
        incident,
        key="roll_back_repair/planned",
        kind=RecordKind.ROLLBACK_PLANNED,
        summary=f"about to take back: {given.verification.reason}",
        data={"change": given.whole.inverse().as_json()},
    )
    try:
        rollback = undo(given.whole, incident, ports)
    except LeaseHeldError as error:
        raise TransientServiceError(f"the lease is taken, try again: {error}") from error
    status = "handed_over" if rollback.status == "conflict" else "rolled_back"
    ports.state.remember_change(incident, given.change.model_copy(update={"status": status}))
    record(
        ports,
        incident,
        key="roll_back_repair/done",
        kind=RecordKind.ROLLBACK_DONE,
        summary=f"{rollback.status}: {rollback.reason}",
        data=rollback.as_json(),
    )
    announce(ports, "RepairRolledBack", incident, rollback=rollback.as_json())
    return rollback
