"""The audit trail and the mutable state of the service, in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from autorepair.domain.audit import AuditRecord, Entry, RecordKind, chain, first_break
from autorepair.domain.change import ChangeRecord
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.errors import LeaseHeldError, LeaseLostError, TransientServiceError
from autorepair.domain.incident import Incident, Target
from autorepair.domain.ledger import AccountLedger, Booking, Ledger
from autorepair.domain.pause import Pause
from autorepair.domain.snapshot import Snapshot, SnapshotReason
from autorepair.ports import Lease, OpenIncident
from autorepair.watch import ClosedIncident, Unsettled
from unit.fake_rules import FakeClock

ResultT = TypeVar("ResultT")
PAUSE = Pause(by="duty", since=datetime(2026, 3, 4, 11, 0, tzinfo=UTC), why="migration")


class FakeAudit:
    def __init__(self) -> None:
        self.chains: dict[str, list[AuditRecord]] = {}
        self.error: Exception | None = None
        self.read_error: Exception | None = None
        self.fails_on: RecordKind | None = None

    def append(self, entry: Entry) -> AuditRecord:
        if self.error is not None:
            raise self.error
        if entry.kind is self.fails_on:
            raise TransientServiceError(f"no record of {entry.kind} just now")
        records = self.chains.setdefault(entry.incident_id, [])
        known = next((r for r in records if r.entry.key == entry.key), None)
        if known is not None:
            return known
        record = chain(entry, after=records[-1] if records else None)
        records.append(record)
        return record

    def chain_of(self, incident_id: str) -> tuple[AuditRecord, ...]:
        if self.read_error is not None:
            raise self.read_error
        return tuple(self.chains.get(incident_id, ()))

    def kinds(self, incident_id: str) -> list[RecordKind]:
        return [record.entry.kind for record in self.chain_of(incident_id)]

    def told(self) -> str:
        return repr(self.chains)

    def is_whole(self) -> bool:
        return all(first_break(tuple(records)) is None for records in self.chains.values())


class FakeState:
    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.open_on: dict[str, OpenIncident] = {}
        self.leases: dict[str, Lease] = {}
        self.fence = 0
        self.has_pause = False
        self.pause_error: Exception | None = None
        self.remembered: dict[str, list[ChangeRecord]] = {}
        self.tokens: dict[str, tuple[str, int]] = {}
        self.incidents: dict[str, Incident] = {}
        self.closed: dict[str, ClosedIncident] = {}

    def open(self, incident: Incident, *, instead_of: str | None = None) -> OpenIncident:
        self.incidents.setdefault(incident.id, incident)
        mine = OpenIncident(incident.id, incident.execution_arn, incident.opened_at)
        arn = incident.subject.function_arn
        if arn in self.open_on and self.open_on[arn].incident_id == instead_of:
            del self.open_on[arn]
        return self.open_on.setdefault(arn, mine)

    def open_incident(self, target: Target) -> OpenIncident | None:
        return self.open_on.get(target.function_arn)

    def unsettled(self) -> Iterator[Unsettled]:
        opened = {standing.incident_id for standing in self.open_on.values()}
        changed = {key for key, kept in self.remembered.items() if kept[-1].is_unsettled}
        for key in [*sorted(opened), *sorted(changed)]:
            yield Unsettled(self.incidents[key], self.incidents[key].opened_at)

    def last_closed(self, target: Target) -> ClosedIncident | None:
        return self.closed.get(target.function_arn)

    def close(self, incident: Incident) -> None:
        if incident.target is None:
            return
        standing = self.open_on.get(incident.subject.function_arn)
        if standing is not None and standing.incident_id == incident.id:
            del self.open_on[incident.subject.function_arn]
            at = self._clock.now()
            self.closed[incident.subject.function_arn] = ClosedIncident(incident.id, at)

    def acquire_lease(self, target: Target, *, holder: str, seconds: int) -> Lease:
        held = self.leases.get(target.function_arn)
        if held and held.holder != holder and held.expires_at > self._clock.now():
            raise LeaseHeldError(f"{held.holder} holds the lease of {target.function_name}")
        self.fence += 1
        expires_at = self._clock.now() + timedelta(seconds=seconds)
        lease = Lease(target.function_arn, holder, self.fence, expires_at)
        self.leases[target.function_arn] = lease
        return lease

    def prove_lease(self, lease: Lease, *, seconds: int) -> None:
        held = self.leases.get(lease.function_arn)
        until = self._clock.now() + timedelta(seconds=seconds)
        if held != lease or held.expires_at < until:
            raise LeaseLostError(f"{lease.holder} lost the lease of {lease.function_arn}")

    def release_lease(self, lease: Lease) -> None:
        if self.leases.get(lease.function_arn) == lease:
            del self.leases[lease.function_arn]

    def pause_in_force(self) -> Pause | None:
        if self.pause_error is not None:
            raise self.pause_error
        return PAUSE if self.has_pause else None

    def remember_change(self, incident: Incident, record: ChangeRecord) -> None:
        self.incidents.setdefault(incident.id, incident)
        self.remembered.setdefault(incident.id, []).append(record)

    def remembered_change(self, incident: Incident) -> ChangeRecord | None:
        kept = self.remembered.get(incident.id)
        return kept[-1] if kept else None

    def change_of(self, incident_id: str) -> ChangeRecord | None:
        kept = self.remembered.get(incident_id)
        return kept[-1] if kept else None

    def keep_task_token(self, incident: Incident, token: str, *, seconds: int) -> None:
        self.tokens[incident.id] = (token, seconds)


class FakeLedger:
    """The ledger of every function, and of the account; ``before_update`` plays others in."""

    def __init__(self) -> None:
        self.of_function: dict[str, tuple[Booking, ...]] = {}
        self.of_account = AccountLedger()
        self.before_update: list[Callable[[], None]] = []

    def update(self, target: Target, revise: Callable[[Ledger], tuple[Ledger, ResultT]]) -> ResultT:
        if self.before_update:
            self.before_update.pop(0)()
        wanted, result = revise(self.of(target.function_arn))
        self.of_function[target.function_arn] = wanted.of_function
        self.of_account = wanted.of_account
        return result

    def of(self, function_arn: str) -> Ledger:
        bookings = self.of_function.get(function_arn, ())
        return Ledger(of_function=bookings, of_account=self.of_account)


class FakeSnapshots:
    """Remembers the latest of each kind; ``errors`` are raised by the next calls of keep."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.kept: list[Snapshot] = []
        self.errors: list[Exception] = []
        self.error: Exception | None = None

    def keep(self, configuration: FunctionConfiguration, reason: SnapshotReason) -> None:
        if self.errors:
            raise self.errors.pop(0)
        now = self._clock.now()
        self.kept.append(Snapshot(reason=reason, taken_at=now, configuration=configuration))

    def of(self, target: Target) -> tuple[Snapshot, ...]:
        if self.error is not None:
            raise self.error
        mine = [s for s in self.kept if s.configuration.function_arn == target.function_arn]
        return tuple({s.reason: s for s in mine}.values())
