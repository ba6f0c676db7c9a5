"""Taking the place of an open incident behind which nobody stands any more.

Reconcile closes an incident whose execution has died within minutes. Should it not run, every
alarm of the function would join a dead incident and be forgotten: so an alarm that comes long
after the end opens an incident of its own. What the dead one left half done stays listed, and
reconcile still settles that.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from autorepair.domain.audit import RecordKind
from autorepair.domain.errors import AutoRepairError
from autorepair.domain.incident import Incident, Outcome
from autorepair.ports import OpenIncident, Ports
from autorepair.steps.recording import announce, record
from autorepair.views.message import failure_message
from autorepair.watch import ALIVE, Unsent

_log = logging.getLogger(__name__)
RECONCILED_WITHIN = timedelta(minutes=45)
"""Longer than reconcile tries to undo a change before it closes the incident all the same."""


def open_on_target(incident: Incident, ports: Ports) -> OpenIncident:
    """Open the incident, or give the one that is open on its target and whose execution lives.

    Raises:
        AccessDeniedError, TransientServiceError: It cannot be opened, or nothing recorded.
    """
    standing = ports.state.open(incident)
    if standing.incident_id == incident.id or not _is_long_dead(standing, ports):
        return standing
    _close_dead(standing, incident, ports)
    return ports.state.open(incident, instead_of=standing.incident_id)


def _is_long_dead(standing: OpenIncident, ports: Ports) -> bool:
    now = ports.clock.now()
    if now - standing.opened_at < RECONCILED_WITHIN:
        return False
    try:
        execution = ports.executions.look_up(standing.execution_arn)
    except AutoRepairError as error:
        # Joining is the safe side: the incident is most likely alive.
        _log.warning("execution %s could not be asked about: %s", standing.execution_arn, error)
        return False
    ended_at = execution.ended_at or standing.opened_at
    return execution.status not in ALIVE and now - ended_at >= RECONCILED_WITHIN


def _close_dead(standing: OpenIncident, incident: Incident, ports: Ports) -> None:
    dead = incident.model_copy(
        update={"id": standing.incident_id, "execution_arn": standing.execution_arn}
    )
    chain = ports.audit.chain_of(dead.id)
    if any(one.entry.kind is RecordKind.INCIDENT_CLOSED for one in chain):
        return
    _keep_message(dead, incident, ports)
    last = record(
        ports,
        dead,
        key="superseded",
        kind=RecordKind.INCIDENT_CLOSED,
        summary=(
            "closed: failed; its execution had ended without closing it, and nobody else had: "
            f"incident {incident.id} takes its place"
        ),
        data={"outcome": Outcome.FAILED.value, "message_id": None, "superseded_by": incident.id},
    )
    announce(
        ports,
        "IncidentClosed",
        dead,
        outcome=Outcome.FAILED.value,
        head_hash=last.hash,
        head_seq=last.seq,
    )


def _keep_message(dead: Incident, successor: Incident, ports: Ports) -> None:
    """Leave it to reconcile to tell people, which it does of an unsettled change by itself."""
    remembered = ports.state.remembered_change(dead)
    if remembered is not None and remembered.is_unsettled:
        return
    message = failure_message(
        dead,
        error="its execution had ended without closing it, and nobody else had",
        undo="nothing_to_undo",
        reason=f"incident {successor.id} takes its place",
    )
    attributes = {"kind": "incident_closed", "outcome": Outcome.FAILED.value}
    now = ports.clock.now()
    ports.unsent.keep(Unsent(dead, message.subject, message.body, attributes, now))
