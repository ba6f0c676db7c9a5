"""What the service remembers of incidents: the audit trail and the mutable state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from autorepair.domain.audit import AuditRecord, Entry
from autorepair.domain.change import ChangeRecord
from autorepair.domain.incident import Incident, Target
from autorepair.domain.ledger import Ledger
from autorepair.domain.pause import Pause
from autorepair.watch import ClosedIncident, Unsettled

ResultT = TypeVar("ResultT")


class AuditTrail(Protocol):
    """The append-only record of incidents."""

    def append(self, entry: Entry) -> AuditRecord:
        """Append the entry to its incident's chain.

        An entry whose key is there already is not appended again; the record there is given back.

        Raises:
            RecordConflictError: The chain kept moving.
            AccessDeniedError, TransientServiceError: It cannot be written.
        """
        ...

    def chain_of(self, incident_id: str) -> tuple[AuditRecord, ...]:
        """Read an incident's records, oldest first.

        Raises:
            RecordUnreadableError: An item is not a record any more.
            AccessDeniedError, TransientServiceError: They cannot be read.
        """
        ...


class AuditSearch(Protocol):
    """Finds records across incidents; what was written a moment ago may still be missing."""

    def of_span(self, since: datetime, until: datetime) -> tuple[AuditRecord, ...]:
        """Give every record of a span of time, oldest first.

        Raises:
            RecordUnreadableError: An item is not a record.
            AccessDeniedError, TransientServiceError: They cannot be read.
        """
        ...

    def of_function(
        self, function_name: str, since: datetime, until: datetime
    ) -> tuple[AuditRecord, ...]:
        """Give a function's records of a span of time, oldest first.

        Raises:
            RecordUnreadableError, AccessDeniedError, TransientServiceError: As for `of_span`.
        """
        ...


@dataclass(frozen=True)
class Lease:
    """The right to write to one function until ``expires_at``; ``fence`` only ever grows."""

    function_arn: str
    holder: str
    fence: int
    expires_at: datetime


@dataclass(frozen=True)
class OpenIncident:
    """The incident that is open on a target."""

    incident_id: str
    execution_arn: str
    opened_at: datetime


class RepairLedger(Protocol):
    """What was repaired lately, of one function and in the account."""

    def update(self, target: Target, revise: Callable[[Ledger], tuple[Ledger, ResultT]]) -> ResultT:
        """Let ``revise`` read the ledger and say what it is to be; gives what it found.

        Nobody else's entry is lost: if the ledger moved meanwhile, ``revise`` is called again on
        what it is now, so it must do nothing but compute.

        Raises:
            TransientServiceError: It kept moving, or it is unavailable.
            AccessDeniedError: It cannot be read or written.
        """
        ...


class IncidentState(Protocol):
    """The mutable state of the service: open incidents, leases, the pause flag, task tokens."""

    def open(self, incident: Incident, *, instead_of: str | None = None) -> OpenIncident:
        """Open the incident on its target, or give the one that is open there already.

        Opening the same incident twice (a retry) gives that incident. ``instead_of`` is the id of
        an open incident whose place it takes.
        """
        ...

    def close(self, incident: Incident) -> None:
        """Close the incident if it is the one that is open; closing twice does no harm."""
        ...

    def open_incident(self, target: Target) -> OpenIncident | None:
        """Give the incident that is open on the target."""
        ...

    def unsettled(self) -> Iterator[Unsettled]:
        """List incidents that are open or have an unfinished change; may lag by a moment."""
        ...

    def last_closed(self, target: Target) -> ClosedIncident | None:
        """Give the incident that was closed last on the target."""
        ...

    def acquire_lease(self, target: Target, *, holder: str, seconds: int) -> Lease:
        """Take the write lease of a target; its holder may take it again.

        Raises:
            LeaseHeldError: Somebody else holds it.
        """
        ...

    def prove_lease(self, lease: Lease, *, seconds: int) -> None:
        """Insist that the lease still stands, and that so many seconds of it are left.

        Raises:
            LeaseLostError: It was taken over, given back, or ends sooner.
        """
        ...

    def release_lease(self, lease: Lease) -> None:
        """Give the lease back; one that was lost meanwhile is left alone."""
        ...

    def pause_in_force(self) -> Pause | None:
        """Give the pause of all writes, if an operator has asked for one."""
        ...

    def remember_change(self, incident: Incident, record: ChangeRecord) -> None:
        """Keep what an incident is writing or has written, for whoever has to finish or undo it."""
        ...

    def remembered_change(self, incident: Incident) -> ChangeRecord | None:
        """Give what `remember_change` kept."""
        ...

    def change_of(self, incident_id: str) -> ChangeRecord | None:
        """Give what `remember_change` kept of an incident that is known by its id only."""
        ...

    def keep_task_token(self, incident: Incident, token: str, *, seconds: int) -> None:
        """Keep the token that resumes a waiting execution; a newer one takes its place."""
        ...
