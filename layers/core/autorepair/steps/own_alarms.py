"""The duration alarm that the service made for a function follows the function's timeout."""

from __future__ import annotations

import logging

from autorepair.domain.audit import RecordKind
from autorepair.domain.change import Change, TimeoutSetting
from autorepair.domain.errors import AutoRepairError
from autorepair.domain.incident import Incident
from autorepair.domain.own_alarms import Fit
from autorepair.ports import Ports
from autorepair.steps.recording import record
from autorepair.steps.running_version import running

_log = logging.getLogger(__name__)


def fit_own_alarms(change: Change, incident: Incident, ports: Ports) -> tuple[str, ...]:
    """Set the function's own duration alarm to the timeout that a change has just set.

    Gives what people have to know: nothing, unless it could not be set. That is no reason to fail
    or to take a repair back, so nothing is raised. Safe to run again.
    """
    before, after = change.before, change.after
    if not isinstance(before, TimeoutSetting) or not isinstance(after, TimeoutSetting):
        return ()
    key = f"own_alarms/{before.timeout_s}/{after.timeout_s}"
    name = change.target.function_name
    try:
        fit = ports.own_alarms.fit_duration(
            name, before_s=before.timeout_s, after_s=after.timeout_s
        )
    except AutoRepairError as error:
        note = (
            f"the duration alarm is not set to the timeout of {after.timeout_s} s: {error}; "
            f"`autorepair enrol {name}` sets it"
        )
        _record(f"{key}/failed", note, None, incident, ports)
        return (note,)
    if fit is not None and fit.is_others:
        note = (
            f"{fit.alarm} stays at {fit.before_ms:g} ms: this service had not set that for the "
            f"timeout of {before.timeout_s} s; `autorepair enrol {name}` sets it for the present "
            "one"
        )
        _record(f"{key}/left", note, fit, incident, ports)
        return (note,)
    if fit is not None and fit.before_ms != fit.after_ms:
        told = f"{fit.alarm}: {fit.before_ms:g} ms -> {fit.after_ms:g} ms"
        _record(key, told, fit, incident, ports)
    return ()


def fit_to_others(change: Change, incident: Incident, ports: Ports) -> tuple[str, ...]:
    """Set the alarm to the timeout that somebody else has set on top of a change.

    As `fit_own_alarms`; where the function is gone, or cannot be read, nothing is done.
    """
    if not isinstance(change.after, TimeoutSetting):
        return ()
    try:
        configuration = running(ports.functions.read(change.target), change, ports)
    except AutoRepairError as error:
        _log.warning("the timeout of %s is not known: %s", change.target.function_name, error)
        return ()
    now = TimeoutSetting(timeout_s=configuration.timeout_s)
    if now == change.after:
        return ()
    theirs = change.model_copy(update={"before": change.after, "after": now})
    return fit_own_alarms(theirs, incident, ports)


def _record(key: str, told: str, fit: Fit | None, incident: Incident, ports: Ports) -> None:
    try:
        record(
            ports,
            incident,
            key=key,
            kind=RecordKind.ALARM_FITTED,
            summary=told,
            data={"fit": fit.as_json() if fit else None},
        )
    except AutoRepairError as error:
        # What matters of the incident is recorded by the step itself, which fails if it cannot be.
        _log.warning("not recorded in %s: %s: %s", incident.id, told, error)
