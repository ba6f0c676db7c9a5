"""What was repaired lately: on one function, in the account, and whether that is a storm."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self, TypeVar

from pydantic import Field

from autorepair.domain.change import Change, ChangeRecord, RepairKind, Setting
from autorepair.domain.diagnosis import RootCause
from autorepair.domain.pause import Pause
from autorepair.domain.policy import MAX_REPAIRS_COUNTED, Breaker
from autorepair.domain.value import Instant, Value
from autorepair.domain.watched import WATCHED_FOR

REMEMBERED = timedelta(days=7)
"""For how long a repair of a function counts as one that was made before."""
KEPT_FOR = WATCHED_FOR
"""For how long it is known what a repair made of a setting: as long as it is looked after."""
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
_MOST_OF_A_FUNCTION = 200
_MOST_NAMED = 60
_TOLD = 20


class Booking(Value):
    """One incident's repair of one function, all its steps together."""

    incident_id: str
    kind: RepairKind
    before: Setting
    """As it was before the first step."""
    after: Setting
    """As the last step set it."""
    booked_at: Instant
    written_at: Instant
    """When the last step was written."""


class Write(Value):
    """One incident's repair, as the account counts it."""

    incident_id: str
    function_name: str
    at: Instant


class Sighting(Value):
    """A function that was about to be repaired, or to be asked about, and of what."""

    function_name: str
    cause: RootCause
    at: Instant


class Trip(Value):
    """So much happened at once that it is one incident upstream; a person is asked from now on."""

    since: Instant
    last_at: Instant
    """When one more incident came; the trip ends a quiet window after it."""
    by: str
    """The incident that was one too many."""
    why: str
    functions: tuple[str, ...]
    is_told: bool = False

    def told(self) -> str:
        """Say why, and on which functions."""
        named = ", ".join(self.functions[:_TOLD])
        more = len(self.functions) - _TOLD
        return f"{self.why}: {named}{f' and {more} more' if more > 0 else ''}"


EntryT = TypeVar("EntryT", Write, Sighting)


class AccountLedger(Value):
    """What was repaired, and was about to be, in the account and Region."""

    writes: tuple[Write, ...] = ()
    sightings: tuple[Sighting, ...] = ()
    trip: Trip | None = None


class Ledger(Value):
    """The repairs that count: those of one function, and those of the account."""

    of_function: tuple[Booking, ...] = ()
    of_account: AccountLedger = AccountLedger()

    def booking_of(self, incident_id: str) -> Booking | None:
        """Give what an incident has booked on the function."""
        return next((b for b in self.of_function if b.incident_id == incident_id), None)

    def booked(self, change: Change, incident_id: str, now: datetime) -> Self:
        """Enter a change that is about to be written; a further step is no new repair."""
        earlier = self.booking_of(incident_id)
        booking = Booking(
            incident_id=incident_id,
            kind=change.kind,
            before=earlier.before if earlier else change.before,
            after=change.after,
            booked_at=earlier.booked_at if earlier else now,
            written_at=now,
        )
        others = [b for b in self.of_function if b.incident_id != incident_id]
        kept = [b for b in others if now - b.written_at < KEPT_FOR]
        account, name = self.of_account, change.target.function_name
        writes = account.writes
        if all(w.incident_id != incident_id for w in writes):
            writes = (*writes, Write(incident_id=incident_id, function_name=name, at=now))
        return self.model_copy(
            update={
                "of_function": (*kept, booking)[-_MOST_OF_A_FUNCTION:],
                "of_account": account.model_copy(update={"writes": _recent(writes, now)}),
            }
        )

    def released(self, incident_id: str) -> Self:
        """Take back what was booked for a repair that was not made after all."""
        account = self.of_account
        writes = tuple(w for w in account.writes if w.incident_id != incident_id)
        bookings = tuple(b for b in self.of_function if b.incident_id != incident_id)
        return self.model_copy(
            update={
                "of_function": bookings,
                "of_account": account.model_copy(update={"writes": writes}),
            }
        )

    def watched(self, seen: Sighting, rules: Breaker, incident_id: str) -> Self:
        """Take note of one more function that is about to be repaired; may trip the breaker.

        It trips when this repair would be more than ``rules.repairs`` within the window, or when
        its cause was seen on more than ``rules.same_cause_functions`` functions within it. It
        resets when nothing was seen for a whole window.
        """
        now, window = seen.at, timedelta(seconds=rules.window_s)
        account = self.of_account
        others = (s for s in account.sightings if s.function_name != seen.function_name)
        sightings = _recent((*others, seen), now)
        trip = account.trip
        if trip is not None and now - trip.last_at >= window:
            trip = None
        if trip is None:
            writes = [w for w in account.writes if now - w.at < window]
            alike = [s for s in sightings if s.cause is seen.cause and now - s.at < window]
            trip = _trip(writes, alike, seen, rules, incident_id)
        else:
            named = tuple(dict.fromkeys((*trip.functions, seen.function_name)))[:_MOST_NAMED]
            trip = trip.model_copy(update={"last_at": now, "functions": named})
        update = {"sightings": sightings, "trip": trip}
        return self.model_copy(update={"of_account": account.model_copy(update=update)})

    def with_people_told(self, trip: Trip) -> Self:
        """Take note that people know of a trip."""
        account = self.of_account
        if account.trip is None or account.trip.since != trip.since:
            return self
        told = account.trip.model_copy(update={"is_told": True})
        return self.model_copy(update={"of_account": account.model_copy(update={"trip": told})})


class History(Value):
    """What happened before that decides whether one more repair may be made now."""

    incident_id: str
    ledger: Ledger = Ledger()
    pause: Pause | None = None
    origin: Change | None = None
    """What earlier steps of this incident have changed."""
    outcomes: dict[str, ChangeRecord] = Field(default_factory=dict)
    """What became of the changes of earlier incidents, by incident."""

    @property
    def is_booked(self) -> bool:
        """Whether this incident has begun its repair: what follows is a further step of it."""
        return self.ledger.booking_of(self.incident_id) is not None

    @property
    def earlier(self) -> tuple[Booking, ...]:
        """The repairs of other incidents on the function, oldest first."""
        return tuple(b for b in self.ledger.of_function if b.incident_id != self.incident_id)


def _trip(
    writes: list[Write],
    alike: list[Sighting],
    seen: Sighting,
    rules: Breaker,
    incident_id: str,
) -> Trip | None:
    """Say whether it is a storm; one function alone never is."""
    within = f"within {rules.window_s} s"
    others = {w.incident_id: w.function_name for w in writes if w.incident_id != incident_id}
    if len(alike) > rules.same_cause_functions:
        names = [s.function_name for s in alike]
        why = f"{seen.cause.value} on {len(names)} functions {within}"
    elif len(others) >= rules.repairs:
        names = [*dict.fromkeys([*others.values(), seen.function_name])]
        why = f"more than {rules.repairs} repairs {within}"
    else:
        return None
    return Trip(
        since=seen.at,
        last_at=seen.at,
        by=incident_id,
        why=why,
        functions=tuple(names[-_MOST_NAMED:]),
    )


def _recent(entries: tuple[EntryT, ...], now: datetime) -> tuple[EntryT, ...]:
    """Give the latest, no more than is ever counted and none older than any window."""
    return tuple(e for e in entries if now - e.at < DAY)[-MAX_REPAIRS_COUNTED:]
