"""Reckoning with what was repaired lately: deciding on it, and booking what is to be written."""

from __future__ import annotations

from collections.abc import Callable

from autorepair.domain.change import Change, RepairKind
from autorepair.domain.decision import Decision
from autorepair.domain.diagnosis import RootCause
from autorepair.domain.incident import Incident
from autorepair.domain.ledger import History, Ledger, Sighting, Trip
from autorepair.domain.policy import Breaker
from autorepair.ports import Ports
from autorepair.steps.storm import tell_of_a_storm

MOST_LOOKED_BACK = 30
"""Earlier repairs of the function, of one kind, whose end is looked up."""

_Found = tuple[Decision, Trip | None, Trip | None]


def history_of(incident: Incident, origin: Change | None, ports: Ports) -> History:
    """Read what happened before that may stand in the way; ``origin`` is what is in place.

    Raises:
        AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be read.
    """
    ledger = ports.ledger.update(incident.subject, _as_it_is)
    by_kind: dict[RepairKind, list[str]] = {}
    for booking in ledger.of_function:
        if booking.incident_id != incident.id:
            by_kind.setdefault(booking.kind, []).append(booking.incident_id)
    looked_up = [name for names in by_kind.values() for name in names[-MOST_LOOKED_BACK:]]
    found = {name: ports.state.change_of(name) for name in looked_up}
    return History(
        incident_id=incident.id,
        ledger=ledger,
        pause=ports.state.pause_in_force(),
        origin=origin,
        outcomes={name: record for name, record in found.items() if record is not None},
    )


def reckoned(  # noqa: PLR0913, PLR0917 - what is decided on, by which rules, where it is entered
    incident: Incident,
    cause: RootCause,
    rules: Breaker,
    history: History,
    rule: Callable[[History], Decision],
    ports: Ports,
    *,
    books: frozenset[str] = frozenset(),
) -> Decision:
    """Decide by ``rule`` on the ledger as it is at this moment, and enter what follows from it.

    What would be written or asked is noted for the storm breaker; where the action is one of
    ``books``, the change is booked in the same breath, so that of two executions only one is given
    the last repair that a limit allows. People are told if the breaker has tripped.

    Raises:
        AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be entered.
        RecordConflictError: The chain kept moving.
    """
    now = ports.clock.now()
    name = incident.subject.function_name

    def revised(ledger: Ledger) -> tuple[Ledger, _Found]:
        before = ledger.of_account.trip
        ruling = rule(history.model_copy(update={"ledger": ledger}))
        if ruling.action not in {"apply", "ask"} or ruling.change is None:
            return ledger, (ruling, before, before)
        noted = ledger.watched(
            Sighting(function_name=name, cause=cause, at=now), rules, incident.id
        )
        ruling = rule(history.model_copy(update={"ledger": noted}))
        if ruling.action in books and ruling.change is not None:
            noted = noted.booked(ruling.change, incident.id, now)
        return noted, (ruling, before, noted.of_account.trip)

    ruling, before, after = ports.ledger.update(incident.subject, revised)
    tell_of_a_storm(incident, before, after, ports)
    return ruling


def release(incident: Incident, ports: Ports) -> None:
    """Take back what was booked for a repair that was not made; without any it does nothing.

    Raises:
        AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be taken back.
    """
    ports.ledger.update(incident.subject, lambda ledger: (ledger.released(incident.id), None))


def _as_it_is(ledger: Ledger) -> tuple[Ledger, Ledger]:
    return ledger, ledger
