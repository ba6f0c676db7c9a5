"""Telling people how an incident ended; what cannot be sent is kept and sent later.

A topic that is down must not turn a repair that worked into a failure, nor keep an incident open:
that nobody could be told is recorded, and reconcile sends the message once it can.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from autorepair.domain.audit import RecordKind
from autorepair.domain.errors import (
    AccessDeniedError,
    AutoRepairError,
    ConfigurationError,
    TransientServiceError,
)
from autorepair.domain.incident import Incident, Outcome
from autorepair.ports import Ports
from autorepair.steps.recording import record
from autorepair.views.message import Message
from autorepair.watch import Unsent

SENT_FOR = timedelta(days=1)
"""An unsent message is tried again for so long; then it is old news, and the record has it."""


def tell(
    message: Message, incident: Incident, outcome: Outcome, ports: Ports, *, key: str
) -> str | None:
    """Send the message of an incident's end; None if it could not be sent and is kept instead.

    What an earlier run has kept is reconcile's to send.

    Raises:
        RecordConflictError, AccessDeniedError, TransientServiceError: It could neither be sent nor
            be kept.
    """
    attributes = {"kind": "incident_closed", "outcome": outcome.value}
    if _is_kept(incident, f"{key}/undelivered", ports):
        return None
    try:
        return ports.notifier.publish(
            subject=message.subject, message=message.body, attributes=attributes
        )
    except (AccessDeniedError, ConfigurationError, TransientServiceError) as error:
        now = ports.clock.now()
        kept = Unsent(incident, message.subject, message.body, attributes, now)
        ports.unsent.keep(kept)
        record(
            ports,
            incident,
            key=f"{key}/undelivered",
            kind=RecordKind.MESSAGE_UNDELIVERED,
            summary=f"people were not told that it ended as {outcome.value}; tried again: {error}",
            data={"subject": message.subject, "error": type(error).__name__},
        )
        return None


def send_again(unsent: Unsent, ports: Ports) -> str:
    """Send a message that was kept; says what became of it.

    An end between the sending and the marking tells people twice: the other order could leave
    them untold. Once it is marked, only the record is left to do.

    Raises:
        AccessDeniedError, ConfigurationError, TransientServiceError: It cannot be sent (yet).
        RecordConflictError: The chain kept moving.
    """
    if unsent.sent_as is not None:
        return _delivered(unsent, ports)
    if ports.clock.now() - unsent.since >= SENT_FOR:
        told = f"given up after {SENT_FOR.days} day"
        return _settled(unsent, RecordKind.MESSAGE_UNDELIVERED, told, ports)
    message_id = ports.notifier.publish(
        subject=unsent.subject, message=unsent.body, attributes=unsent.attributes
    )
    sent = replace(unsent, sent_as=message_id)
    ports.unsent.keep(sent)
    return _delivered(sent, ports)


def _delivered(sent: Unsent, ports: Ports) -> str:
    return _settled(sent, RecordKind.MESSAGE_DELIVERED, "people have been told after all", ports)


def _is_kept(incident: Incident, key: str, ports: Ports) -> bool:
    try:
        chain = ports.audit.chain_of(incident.id)
    except AutoRepairError:
        return False  # told twice is better than not at all
    return any(one.entry.key == key for one in chain)


def _settled(unsent: Unsent, kind: RecordKind, told: str, ports: Ports) -> str:
    record(
        ports,
        unsent.incident,
        key=f"reconcile/{kind.value}/{unsent.since.isoformat()}",
        kind=kind,
        summary=told,
        data={"subject": unsent.subject, "message_id": unsent.sent_as},
    )
    ports.unsent.forget(unsent)
    return kind.value.replace("_", " ")
