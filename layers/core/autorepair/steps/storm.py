"""Telling people, once, that the storm breaker has tripped; and recording that it did, or reset."""

from __future__ import annotations

import logging
from datetime import timedelta

from autorepair.domain.audit import RecordKind
from autorepair.domain.errors import AutoRepairError
from autorepair.domain.incident import Incident
from autorepair.domain.ledger import Trip
from autorepair.ports import Ports
from autorepair.steps.recording import announce, record
from autorepair.views.storm import storm_message

_log = logging.getLogger(__name__)
TOLD_WITHIN = timedelta(minutes=2)
"""If whoever tripped it has not told people by then, the next incident does."""


def tell_of_a_storm(
    incident: Incident, before: Trip | None, after: Trip | None, ports: Ports
) -> None:
    """Record what became of the breaker, and tell people of a trip that they do not know of.

    It is the incident that was one too many that tells them, not every one. A message that cannot
    be sent holds nothing up: the next incident that meets the trip tries again.

    Raises:
        RecordConflictError, AccessDeniedError, TransientServiceError: It could not be recorded.
    """
    if before is not None and (after is None or after.since != before.since):
        _record_reset(incident, before, ports)
    if after is None or after.is_told:
        return
    is_late = ports.clock.now() - after.since >= TOLD_WITHIN
    if after.by != incident.id and not is_late:
        return
    _record_trip(incident, after, ports)
    if _is_told(after, ports):
        ports.ledger.update(incident.subject, lambda ledger: (ledger.with_people_told(after), None))


def _record_reset(incident: Incident, trip: Trip, ports: Ports) -> None:
    record(
        ports,
        incident,
        key=f"breaker/reset/{trip.since.isoformat()}",
        kind=RecordKind.BREAKER_RESET,
        summary=f"the storm breaker is reset: nothing came since {trip.last_at:%Y-%m-%d %H:%M %Z}",
        data=trip.as_json(),
    )
    announce(ports, "BreakerReset", incident, trip=trip.as_json())


def _record_trip(incident: Incident, trip: Trip, ports: Ports) -> None:
    record(
        ports,
        incident,
        key=f"breaker/tripped/{trip.since.isoformat()}",
        kind=RecordKind.BREAKER_TRIPPED,
        summary=f"the storm breaker has tripped; every repair asks now: {trip.told()}",
        data=trip.as_json(),
    )
    announce(ports, "BreakerTripped", incident, trip=trip.as_json())


def _is_told(trip: Trip, ports: Ports) -> bool:
    message = storm_message(trip)
    try:
        ports.notifier.publish(
            subject=message.subject,
            message=message.body,
            attributes={"kind": "breaker_tripped"},
        )
    except AutoRepairError as error:
        _log.warning("people were not told that the breaker has tripped: %s", error)
        return False
    return True
