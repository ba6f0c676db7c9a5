"""One look at a repair that was kept: does it stand, and has a deployment taken it over?

That a stack was deployed since and the setting still stands does not tell: CloudFormation writes a
function only where its template differs from the template before, so the old value may still be
in it, to come back with the next difference. What tells is a request that wrote the setting after
the repair and left it as it is, and CloudTrail has those.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from autorepair.domain.audit import RecordKind
from autorepair.domain.change import AliasSetting, EnvironmentSetting, ReservedConcurrencySetting
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.deployment import STACK_TAGS
from autorepair.domain.errors import AutoRepairError, TargetNotFoundError
from autorepair.domain.recent_changes import TrailEvent
from autorepair.domain.settings_now import (
    KnownVariables,
    Standing,
    adopting_write,
    digests_of,
    last_write,
    setting_now,
    standing_of,
)
from autorepair.domain.value import Value
from autorepair.domain.watched import (
    LOOK_AGAIN_AFTER,
    REMIND_AFTER,
    Drift,
    Drifted,
    WatchedRepair,
    Writer,
)
from autorepair.ports import Ports
from autorepair.steps.own_alarms import fit_own_alarms
from autorepair.steps.put_back import PutBack, PutBacks
from autorepair.steps.recording import announce, record
from autorepair.steps.running_version import running
from autorepair.views.aftercare import reminder_message
from autorepair.views.message import Message, described

_log = logging.getLogger(__name__)
_KEY = "drift_watch"
_BESIDE_EVERY = timedelta(hours=6)
"""What lies beside the configuration does not move its last modification."""
_TRAIL_LAGS = timedelta(minutes=30)
"""CloudTrail mostly lags five minutes; what is younger may still be on its way."""
_KINDS = {
    Drifted.ADOPTED: (RecordKind.REPAIR_ADOPTED, "RepairAdopted"),
    Drifted.REVERTED: (RecordKind.REPAIR_REVERTED, "RepairReverted"),
    Drifted.REPLACED: (RecordKind.REPAIR_REPLACED, "RepairReplaced"),
    Drifted.GONE: (RecordKind.REPAIR_GONE, "RepairReplaced"),
}


def look_at_repair(watched: WatchedRepair, ports: Ports, put_backs: PutBacks) -> str | None:
    """Look at the setting; says what was found, None if it stands as the repair left it.

    What was put back goes to ``put_backs``, and is recorded once people have been told.
    While an incident is open on the function it is left alone: its own changes are no drift.

    Raises:
        AutoRepairError: It cannot be told, recorded or sent (yet).
    """
    if ports.state.open_incident(watched.change.target) is not None:
        due_at = ports.clock.now() + LOOK_AGAIN_AFTER
        ports.watches.look_again(watched.model_copy(update={"due_at": due_at}))
        return None
    try:
        configuration = ports.functions.read(watched.change.target)
    except TargetNotFoundError:
        gone = _drift(watched, Drifted.GONE, "the function is gone")
        return _ended(_Found(watched, gone, None), ports, put_backs)
    found = running(configuration, watched.change, ports)
    watched = _with_digests(watched, found, ports)
    standing = _standing(watched, found)
    writes = Writes()
    if standing != "after" or _may_have_been_written(watched, configuration, ports.clock.now()):
        writes, watched = _asked(watched, configuration, ports)
    drift = drift_of(watched, found, standing, writes)
    if drift is not None:
        return _ended(_Found(watched, drift, found), ports, put_backs)
    if standing == "beyond":
        return _gone_further(watched, found, ports)
    return _still_watched(watched, configuration, ports)


class Writes(Value):
    """Who wrote the setting since a repair, beside this service."""

    last: TrailEvent | None = None
    adopting: TrailEvent | None = None
    """The request that took over what it wrote into what the function is deployed from."""


@dataclass(frozen=True)
class _Found:
    watched: WatchedRepair
    drift: Drift
    configuration: FunctionConfiguration | None


def drift_of(
    watched: WatchedRepair,
    configuration: FunctionConfiguration,
    standing: Standing,
    writes: Writes,
) -> Drift | None:
    """Say what became of the repair; None while it stands and no deployment has taken it over."""
    write = writes.last
    if watched.is_handed_over and standing in {"before", "other"}:
        why = "whoever changed the function before the repair was verified changed the setting too"
        return _drift(watched, Drifted.REPLACED, why, configuration, write)
    if standing == "before":
        why = "the setting is back to what it was before the repair"
        return _drift(watched, Drifted.REVERTED, why, configuration, write)
    if standing == "other":
        why = "the setting was changed to another value"
        return _drift(watched, Drifted.REPLACED, why, configuration, write)
    if standing == "beyond" and writes.adopting is not None:
        why = "a deployment changed the setting further in the direction of the repair"
        return _drift(watched, Drifted.ADOPTED, why, configuration, writes.adopting)
    if standing == "after" and writes.adopting is not None:
        why = "the setting was written after the repair, and it stands as the repair left it"
        return _drift(watched, Drifted.ADOPTED, why, configuration, writes.adopting)
    return None


def _drift(
    watched: WatchedRepair,
    became: Drifted,
    why: str,
    configuration: FunctionConfiguration | None = None,
    write: TrailEvent | None = None,
) -> Drift:
    now = setting_now(configuration, watched.change.after) if configuration else None
    modified = configuration.last_modified if configuration else None
    return Drift(
        became=became,
        why=why,
        now=described(now) if now is not None else "",
        by=write.principal if write else None,
        writer=_writer(write, configuration),
        at=write.at if write else modified,
        incident_id=watched.incident.id,
        change=watched.change,
    )


def _writer(write: TrailEvent | None, configuration: FunctionConfiguration | None) -> Writer:
    if write is not None and write.is_deployment:
        return "deployment"
    is_known = write is not None and configuration is not None and _is_of_stack(configuration)
    return "person" if is_known else "unknown"


def _standing(watched: WatchedRepair, configuration: FunctionConfiguration) -> Standing:
    known = KnownVariables(before=watched.digests_before, after=watched.digests_after)
    return standing_of(configuration, watched.change, earlier=watched.earlier, known=known)


def _with_digests(
    watched: WatchedRepair, configuration: FunctionConfiguration, ports: Ports
) -> WatchedRepair:
    """Keep what the repaired variables were and are, while that can still be told.

    A snapshot is the latest of its kind only, so a later incident takes it away.
    """
    change = watched.change
    if not isinstance(change.after, EnvironmentSetting) or watched.digests_after is not None:
        return watched
    readings = [configuration, *(one.configuration for one in ports.snapshots.of(change.target))]
    found = {reading.fingerprint: reading for reading in reversed(readings)}
    kept: dict[str, object] = {}
    if (former := found.get(change.planned_on or "")) is not None:
        kept["digests_before"] = digests_of(former, change.before)
    if (led_to := found.get(change.leads_to or "")) is not None:
        kept["digests_after"] = digests_of(led_to, change.after)
    return watched.model_copy(update=kept)


def _may_have_been_written(
    watched: WatchedRepair, configuration: FunctionConfiguration, now: datetime
) -> bool:
    """Whether somebody may have written the setting again, to the value it has.

    CloudTrail answers two calls a second, so it is only asked where something has moved.
    """
    seen = watched.judged_at or watched.applied_at
    if isinstance(watched.change.after, ReservedConcurrencySetting | AliasSetting):
        return now - seen >= _BESIDE_EVERY
    modified = configuration.last_modified
    return modified is not None and modified > seen


def _asked(
    watched: WatchedRepair, configuration: FunctionConfiguration, ports: Ports
) -> tuple[Writes, WatchedRepair]:
    """Find who wrote the setting last; what is old enough to be known need not be asked again."""
    now, since = ports.clock.now(), watched.applied_at
    try:
        events, gaps = ports.change_log.read(watched.change.target, since=since, until=now)
    except AutoRepairError as error:
        _log.warning("who changed %s is not known: %s", watched.change.target.function_name, error)
        return Writes(), watched
    writes = _writes_of(watched, configuration, [e for e in events if not e.is_own])
    moved = configuration.last_modified or now
    is_settled = now - moved >= _TRAIL_LAGS and not gaps
    is_beside = isinstance(watched.change.after, ReservedConcurrencySetting | AliasSetting)
    if is_beside:
        return writes, watched.model_copy(update={"judged_at": now})
    return writes, watched.model_copy(update={"judged_at": moved}) if is_settled else watched


def _writes_of(
    watched: WatchedRepair, configuration: FunctionConfiguration, others: list[TrailEvent]
) -> Writes:
    """Give the last write, and one of `$LATEST` that a deployment has made to what stands there.

    An alias may stand on the version that was published while a deployment has put the old value
    into `$LATEST`: that adopts nothing.
    """
    change, since = watched.change, watched.applied_at
    last = last_write(others, change.after, since=since)
    latest = change.model_copy(update={"release": None})
    on_latest = _standing(watched.model_copy(update={"change": latest}), configuration)
    if on_latest not in {"after", "beyond"}:
        return Writes(last=last)
    stands = setting_now(configuration, change.after) or change.after
    is_of_stack = _is_of_stack(configuration)
    if on_latest == "beyond" and not is_of_stack:
        return Writes(last=last)
    adopting = adopting_write(others, stands, since=since, is_of_stack=is_of_stack)
    return Writes(last=last, adopting=adopting)


def _is_of_stack(configuration: FunctionConfiguration) -> bool:
    return any(tag in configuration.tags for tag in STACK_TAGS)


def _ended(found: _Found, ports: Ports, put_backs: PutBacks) -> str:
    """Tell, record, announce, end: an end between the first two tells people twice, not never."""
    watched, drift = found.watched, found.drift
    said = f"{drift.became.value}: {drift.why}"
    is_told = drift.became is not Drifted.REVERTED
    if is_told or _is_recorded(watched.incident.id, _key(found), ports):
        _record_end(found, None, ports)
        return said

    def once_told(message_id: str) -> None:
        _record_end(found, message_id, ports)

    put_backs.tell(PutBack(watched, drift, found.configuration, once_told))
    return said


def _key(found: _Found) -> str:
    return f"{_KEY}/{found.drift.became.value}/{found.watched.change.kind.value}"


def _record_end(found: _Found, message_id: str | None, ports: Ports) -> None:
    watched, drift = found.watched, found.drift
    incident = watched.incident
    kind, event = _KINDS[drift.became]
    record(
        ports,
        incident,
        key=_key(found),
        kind=kind,
        summary=_summary(drift),
        data={"drift": drift.as_json(), "message_id": message_id},
    )
    announce(
        ports,
        event,
        incident,
        became=drift.became.value,
        change=watched.change.as_json(),
        by=drift.by,
    )
    _fit_alarms(watched, found.configuration, ports)
    ports.watches.end(watched)


def _gone_further(
    watched: WatchedRepair, configuration: FunctionConfiguration, ports: Ports
) -> str:
    """Go on with what somebody has set beyond the repair: the template may still hold less.

    Of a function of no stack it may be the very pipeline that has set it, so nobody is reminded;
    what takes it over is a later write.
    """
    change, release = watched.change, watched.change.release
    now = setting_now(configuration, change.after) or change.after
    if release is not None:
        release = release.model_copy(update={"published": configuration.alias_version})
    further = change.model_copy(update={"after": now, "leads_to": None, "release": release})
    _fit_alarms(watched, configuration, ports)
    now_at = ports.clock.now()
    moved = watched.model_copy(update={"change": further})
    if not _is_of_stack(configuration):
        from_now = {"applied_at": now_at, "judged_at": now_at, "is_reminded": True}
        moved = moved.model_copy(update=from_now)
    ports.watches.look_again(_later(moved, now_at))
    return f"somebody went further, the watch goes on: {described(now)}"


def _fit_alarms(
    watched: WatchedRepair, configuration: FunctionConfiguration | None, ports: Ports
) -> None:
    """Let the alarm that the service made for the function follow a timeout that others set."""
    now = setting_now(configuration, watched.change.after) if configuration else None
    if now is None or now == watched.change.after:
        return
    theirs = watched.change.model_copy(update={"before": watched.change.after, "after": now})
    fit_own_alarms(theirs, watched.incident, ports)


def _summary(drift: Drift) -> str:
    by = f" by {drift.by}" if drift.by else ""
    at = f" at {drift.at:%Y-%m-%d %H:%M:%S} UTC" if drift.at else ""
    told = f"{drift.why}: {drift.now}" if drift.now else drift.why
    return f"{drift.became.value}{by}{at}: {told}"


def _still_watched(
    watched: WatchedRepair, configuration: FunctionConfiguration, ports: Ports
) -> str | None:
    now = ports.clock.now()
    is_due = not watched.is_reminded and now - watched.since >= REMIND_AFTER
    if not is_due:
        ports.watches.look_again(_later(watched, now))
        return None
    key = f"{_KEY}/reminded/{watched.change.kind.value}"
    if not _is_recorded(watched.incident.id, key, ports):
        deployed_at = _deployed_at(configuration, ports)
        message = reminder_message(watched, configuration, now=now, deployed_at=deployed_at)
        message_id = _tell(message, RecordKind.REPAIR_UNADOPTED, ports)
        record(
            ports,
            watched.incident,
            key=key,
            kind=RecordKind.REPAIR_UNADOPTED,
            summary=f"for {REMIND_AFTER.days} days the repair has lived outside the template",
            data={"change": watched.change.as_json(), "message_id": message_id},
        )
    ports.watches.look_again(_later(watched.model_copy(update={"is_reminded": True}), now))
    return "people were reminded that no deployment has taken the repair over"


def _deployed_at(configuration: FunctionConfiguration, ports: Ports) -> datetime | None:
    """Give when the stack that owns the function was updated last; None where that is not known."""
    try:
        owning = ports.stacks.owning(configuration)
    except AutoRepairError as error:
        _log.warning("the stack of %s cannot be read: %s", configuration.function_name, error)
        return None
    return owning[0].updated_at if owning else None


def _later(watched: WatchedRepair, now: datetime) -> WatchedRepair:
    return watched.model_copy(update={"due_at": now + LOOK_AGAIN_AFTER, "is_handed_over": False})


def _tell(message: Message, kind: RecordKind, ports: Ports) -> str:
    return ports.notifier.publish(
        subject=message.subject, message=message.body, attributes={"kind": kind.value}
    )


def _is_recorded(incident_id: str, key: str, ports: Ports) -> bool:
    return any(one.entry.key == key for one in ports.audit.chain_of(incident_id))
