"""Bringing an incident to its end whose execution ended without doing so.

The clean-up goes on under a lease of its own: a step of the dead execution may still be running
(an abort does not stop the Lambda function), and another reconcile may be at the same incident.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from autorepair.domain.audit import AuditRecord, RecordKind
from autorepair.domain.change import Change, ChangeRecord
from autorepair.domain.errors import AutoRepairError, LeaseHeldError, TransientServiceError
from autorepair.domain.failure import Undo
from autorepair.domain.incident import Incident, Outcome
from autorepair.ports import Ports
from autorepair.steps.closing import close, finish_closing, keep_remembered
from autorepair.steps.intake import blank_incident
from autorepair.steps.leasing import HeldLease, leased
from autorepair.steps.recording import record
from autorepair.steps.telling import tell
from autorepair.steps.undoing import undo_remembered
from autorepair.views.message import failure_message
from autorepair.watch import ALIVE, Execution

# DescribeExecution is eventually consistent: it may not know yet what has just been started.
_UNKNOWN_FOR = timedelta(minutes=15)
# An undo that keeps failing for a passing reason is tried for so long before people are told.
_PATIENCE = timedelta(minutes=30)
_KEY = "reconcile"


@dataclass(frozen=True)
class _Case:
    """One incident behind an ended execution, as it is found under the lease."""

    incident: Incident
    execution: Execution
    is_open: bool
    remembered: ChangeRecord | None
    closing: AuditRecord | None
    held: HeldLease | None = None

    @property
    def is_unsettled(self) -> bool:
        return self.remembered is not None and self.remembered.is_unsettled

    @property
    def told(self) -> str:
        """What may be said of the end: never the cause, which quotes execution data."""
        status = f"the execution ended as {self.execution.status} without closing the incident"
        return f"{self.execution.error}: {status}" if self.execution.error else status

    @property
    def has_ended_orderly(self) -> bool:
        """Whether the line itself decided what stays, and said so."""
        return (
            self.closing is not None
            and self.closing.entry.data.get("outcome") != Outcome.FAILED.value
        )


def settle(incident: Incident, ports: Ports, *, holder: str) -> str | None:
    """Settle one incident; says what was done, None if there was nothing to do.

    An execution that runs, and an incident that has been closed meanwhile, are left alone.

    Raises:
        LeaseHeldError: Somebody is still writing to the function; the next run comes back.
        AutoRepairError: It could not be settled (yet).
    """
    execution = ports.executions.look_up(incident.execution_arn)
    if not _has_ended(execution, incident, ports):
        return None
    with leased(incident.subject, incident, ports, holder=holder) as held:
        case = _found(incident, execution, held, ports)
        if not case.is_open and not case.is_unsettled:
            return None
        if case.closing is None:
            return _close(case, ports)
        return _finish(case, case.closing, ports)


def account_for(execution_arn: str, started_at: datetime, ports: Ports) -> str | None:
    """Record an execution that died before anything was recorded of it; None if something was.

    Raises:
        AutoRepairError: It cannot be told or recorded (yet).
    """
    blank = blank_incident(execution_arn, started_at=started_at)
    if ports.audit.chain_of(blank.id):
        return None
    execution = ports.executions.look_up(execution_arn)
    if not _has_ended(execution, blank, ports):
        return None
    return _close(_Case(blank, execution, is_open=False, remembered=None, closing=None), ports)


def _has_ended(execution: Execution, incident: Incident, ports: Ports) -> bool:
    if execution.status == "GONE":
        return ports.clock.now() - incident.opened_at > _UNKNOWN_FOR
    return execution.status not in ALIVE


def _found(incident: Incident, execution: Execution, held: HeldLease, ports: Ports) -> _Case:
    standing = ports.state.open_incident(incident.subject)
    closings = [
        one
        for one in ports.audit.chain_of(incident.id)
        if one.entry.kind is RecordKind.INCIDENT_CLOSED
    ]
    return _Case(
        incident=incident,
        execution=execution,
        is_open=standing is not None and standing.incident_id == incident.id,
        remembered=ports.state.remembered_change(incident),
        closing=closings[-1] if closings else None,
        held=held,
    )


def _close(case: _Case, ports: Ports) -> str:
    """Undo, record, tell, close: in this order, so that a sudden end leaves the rest to do."""
    undone, reason = _undone_or_given_up(case, ports)
    _record(case, undone, reason, ports)
    message_id = _tell(case, undone, reason, ports)
    close(
        case.incident,
        Outcome.FAILED,
        ports,
        key=f"{_KEY}/closed",
        data={"undo": undone, "message_id": message_id, "execution": case.execution.status},
    )
    return "closed as failed"


def _finish(case: _Case, closing: AuditRecord, ports: Ports) -> str:
    """Do what the one who recorded the closing did not get to."""
    if case.is_unsettled and case.remembered is not None:
        if case.has_ended_orderly:
            keep_remembered(case.incident, ports)
        else:
            undone, reason = _undo(case, ports)
            _record(case, undone, reason, ports)
            _tell(case, undone, reason, ports)
    if case.is_open:
        finish_closing(case.incident, closing, ports)
        return "closing finished"
    return "change kept" if case.has_ended_orderly else "change taken back"


def _undone_or_given_up(case: _Case, ports: Ports) -> tuple[Undo, str]:
    """Take the change back; if it cannot be, say so: people have to know.

    The change stays listed, so that later runs try again.
    """
    try:
        return _undo(case, ports)
    except (TransientServiceError, LeaseHeldError) as error:
        if not _is_long_ago(case, ports):
            raise
        return "undo_failed", f"the change could NOT be taken back so far: {error}"
    except AutoRepairError as error:
        return "undo_failed", f"the change could NOT be taken back: {error}"


def _is_long_ago(case: _Case, ports: Ports) -> bool:
    ended_at = case.execution.ended_at or case.incident.opened_at
    return ports.clock.now() - ended_at > _PATIENCE


def _undo(case: _Case, ports: Ports) -> tuple[Undo, str]:
    def ahead(whole: Change) -> None:
        record(
            ports,
            case.incident,
            key=f"{_KEY}/rollback_planned",
            kind=RecordKind.ROLLBACK_PLANNED,
            summary=f"about to take back: {case.told}",
            data={"change": whole.inverse().as_json()},
        )

    return undo_remembered(case.remembered, case.incident, ports, ahead=ahead, held=case.held)


def _record(case: _Case, undone: Undo, reason: str, ports: Ports) -> None:
    record(
        ports,
        case.incident,
        key=f"{_KEY}/{undone}",
        kind=RecordKind.FAILURE_HANDLED,
        summary=f"{case.told}; {undone}: {reason}",
        data={
            "error": case.execution.error,
            "execution": case.execution.status,
            "undo": undone,
            "reason": reason,
        },
    )


def _tell(case: _Case, undone: Undo, reason: str, ports: Ports) -> str | None:
    is_aborted = case.execution.status == "ABORTED"
    message = failure_message(
        case.incident, error=case.told, undo=undone, reason=reason, is_aborted=is_aborted
    )
    return tell(message, case.incident, Outcome.FAILED, ports, key=f"{_KEY}/{undone}")
