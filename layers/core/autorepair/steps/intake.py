"""What an execution has opened, if anything: for a retry of its intake, and for who cleans up."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime

from pydantic import ValidationError

from autorepair.domain.audit import RecordKind
from autorepair.domain.errors import MalformedEventError
from autorepair.domain.incident import Incident, Target
from autorepair.ports import Ports
from autorepair.steps.alarm_event import read_event
from autorepair.steps.enrolled_targets import NotOursError, require_this_account, target_of


def incident_id_of(execution_arn: str, *, started_at: datetime) -> str:
    """Derive the incident's id from its execution, so that a retry finds the same one."""
    digest = hashlib.sha256(execution_arn.encode()).hexdigest()
    return f"inc-{started_at:%Y%m%d}-{digest[:10]}"


def blank_incident(execution_arn: str, *, started_at: datetime) -> Incident:
    """Give the incident of which nothing is known yet but its execution."""
    return Incident(
        id=incident_id_of(execution_arn, started_at=started_at),
        disposition="ignored",
        reason="",
        target=None,
        alarm=None,
        execution_arn=execution_arn,
        opened_at=started_at,
    )


def opened_before(blank: Incident, ports: Ports) -> Incident | None:
    """Give the incident that an earlier run of this very execution opened, from its record.

    Raises:
        AccessDeniedError, TransientServiceError: The record cannot be read.
    """
    for before in ports.audit.chain_of(blank.id):
        if before.entry.kind is RecordKind.INCIDENT_OPENED:
            told = before.entry.data
            try:
                return Incident.model_validate(
                    blank.as_json()
                    | {key: told.get(key) for key in ("alarm", "target", "reason", "settle_s")}
                    | {"disposition": "opened"}
                )
            except ValidationError:
                return None
    return None


def opened_on(incident: Incident, targets: Iterable[Target], ports: Ports) -> Target | None:
    """Give the function on which an earlier run of this execution opened the incident.

    Such a run may have ended before it could record that.

    Raises:
        AccessDeniedError, TransientServiceError: It cannot be told.
    """
    for target in targets:
        standing = ports.state.open_incident(target)
        if standing is not None and standing.incident_id == incident.id:
            return target
    return None


def left_by_intake(blank: Incident, event: object, ports: Ports) -> Incident:
    """Give what a failed intake left behind: the incident it opened, or else whose it would be.

    The state table is asked as well as the record: an intake may fail between the two. Of the
    event only what a CloudWatch alarm or a start by hand may say is believed.

    Raises:
        AccessDeniedError, TransientServiceError: It cannot be told.
    """
    opened = opened_before(blank, ports)
    if opened is not None:
        return opened
    seen, targets = _named(event, blank, ports)
    own = opened_on(blank, targets, ports)
    if own is not None:
        return seen.model_copy(update={"disposition": "opened", "target": own})
    for one in ports.state.unsettled():
        if one.incident.id == blank.id:
            return one.incident
    return named_in(event, blank, ports)


def named_in(event: object, blank: Incident, ports: Ports) -> Incident:
    """Give the incident with the alarm and the function of ours that the event names, if any."""
    seen, targets = _named(event, blank, ports)
    return seen.model_copy(update={"target": targets[0] if targets else None})


def _named(event: object, blank: Incident, ports: Ports) -> tuple[Incident, list[Target]]:
    """Give the incident with its alarm, and the functions of ours that the event itself names."""
    try:
        sighting = read_event(event, started_at=blank.opened_at)
    except MalformedEventError:
        return blank, []
    seen = blank.model_copy(update={"alarm": sighting.alarm})
    try:
        require_this_account(sighting, ports)
    except NotOursError:
        return seen, []
    names = sorted(sighting.functions, key=lambda one: one.function_name)
    return seen, [target_of(name, sighting, ports) for name in names]
