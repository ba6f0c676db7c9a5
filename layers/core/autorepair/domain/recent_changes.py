"""What was done to a function lately, put together from requests and remembered configurations."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.evidence import RecentChange, SettingChange, VariableChange
from autorepair.domain.snapshot import Snapshot
from autorepair.domain.value import Instant, Value

MOST_CHANGES = 100
_LONGEST = 200
# A request is stamped when it arrives, the function when it has been changed.
_SAME_MOMENT = timedelta(minutes=1)

Figures = dict[str, str | int]
"""Settings by the names of FunctionConfiguration's fields."""


class TrailEvent(Value):
    """One request as CloudTrail holds it: what was asked for, never what it replaced."""

    id: str
    at: Instant
    name: str
    principal: str | None
    is_own: bool = False
    is_deployment: bool = False
    """Whether CloudFormation or CodeDeploy sent it, on whosever behalf."""
    settings: dict[str, str | int] = Field(default_factory=dict)
    writes_environment: bool = False
    alias: str | None = None
    note: str = ""


def recent_changes(
    events: tuple[TrailEvent, ...],
    snapshots: tuple[Snapshot, ...],
    configuration: FunctionConfiguration,
    *,
    since: Instant,
) -> tuple[RecentChange, ...]:
    """Give the latest changes, oldest first, each with what it replaced as far as that is known.

    What a request replaced is what the requests and snapshots before it say. A difference to a
    snapshot is a change of its own, as is a modification after ``since`` that no request explains.
    """
    requests, known = _requests(events, snapshots)
    found = [
        *requests,
        *(change for s in snapshots if (change := _since(s, configuration)) is not None),
        *_unexplained(events, known, configuration, since),
    ]
    return tuple(sorted(found, key=lambda change: change.at))[-MOST_CHANGES:]


def figures_of(configuration: FunctionConfiguration) -> Figures:
    """Give the settings that a change may be about, leaving out what is not set."""
    figures: dict[str, str | int | None] = {
        "timeout_s": configuration.timeout_s,
        "memory_mb": configuration.memory_mb,
        "ephemeral_storage_mb": configuration.ephemeral_storage_mb,
        "runtime": configuration.runtime,
        "handler": configuration.handler,
        "architecture": configuration.architecture,
        "package_type": configuration.package_type,
        "layers": ", ".join(configuration.layers) or None,
        "kms_key_arn": configuration.kms_key_arn,
        "log_group": configuration.log_group,
        "code_sha256": configuration.code_sha256 or None,
        "reserved_concurrency": configuration.reserved_concurrency,
        "image_command": " ".join(configuration.image_command) or None,
        "image_entry_point": " ".join(configuration.image_entry_point) or None,
        "has_vpc": int(configuration.has_vpc),
        "has_file_system": int(configuration.has_file_system),
        "has_snap_start": int(configuration.has_snap_start),
    }
    return {name: _cut(value) for name, value in figures.items() if value is not None}


def differences(
    before: FunctionConfiguration, after: FunctionConfiguration
) -> tuple[tuple[SettingChange, ...], tuple[VariableChange, ...]]:
    """Say in which settings and variables two readings of one function differ."""
    old, new = figures_of(before), figures_of(after)
    settings = tuple(
        SettingChange(name=name, before=old.get(name), after=new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    )
    if before.is_env_unreadable or after.is_env_unreadable:
        return settings, ()
    return settings, _variables(before, after)


def _variables(
    before: FunctionConfiguration, after: FunctionConfiguration
) -> tuple[VariableChange, ...]:
    old = {variable.name: variable.digest for variable in before.env_digests}
    new = {variable.name: variable.digest for variable in after.env_digests}
    found = []
    for name in sorted(old.keys() | new.keys()):
        if name not in old:
            found.append(VariableChange(name=name, kind="added"))
        elif name not in new:
            found.append(VariableChange(name=name, kind="removed"))
        elif old[name] != new[name]:
            found.append(VariableChange(name=name, kind="changed"))
    return tuple(found)


def _requests(
    events: tuple[TrailEvent, ...], snapshots: tuple[Snapshot, ...]
) -> tuple[list[RecentChange], Figures]:
    """Go through what is known in the order in which it happened; give what is known at last."""
    known: Figures = {}
    # Where each alias points, which is no setting of the function.
    aliases: dict[str, Figures] = {}
    found: list[RecentChange] = []
    left = sorted(snapshots, key=lambda snapshot: snapshot.taken_at)
    for event in sorted(events, key=lambda event: event.at):
        while left and left[0].taken_at <= event.at:
            known = figures_of(left.pop(0).configuration)
        moved = aliases.setdefault(event.alias, {}) if event.alias else {}
        found.append(_requested(event, known | moved))
        asked = {name: _cut(value) for name, value in event.settings.items()}
        if event.alias:
            moved.update(asked)
        else:
            known = known | asked
    for snapshot in left:
        known = figures_of(snapshot.configuration)
    return found, known


def _requested(event: TrailEvent, known: Figures) -> RecentChange:
    return RecentChange(
        id=f"change:{event.id}",
        at=event.at,
        source="cloudtrail",
        event=event.name,
        principal=event.principal,
        is_own=event.is_own,
        settings=tuple(
            SettingChange(name=name, before=known.get(name), after=_cut(value))
            for name, value in sorted(event.settings.items())
            if known.get(name) != _cut(value)
        ),
        writes_environment=event.writes_environment,
        alias=event.alias,
        note=event.note,
    )


def _since(snapshot: Snapshot, configuration: FunctionConfiguration) -> RecentChange | None:
    settings, variables = differences(snapshot.configuration, configuration)
    if not settings and not variables:
        return None
    seen = "last seen healthy" if snapshot.reason == "healthy" else "before the last repair"
    return RecentChange(
        id=f"change:since-{snapshot.reason}",
        at=max(snapshot.taken_at, configuration.last_modified or snapshot.taken_at),
        source="snapshot",
        event=f"differs from the configuration {seen}",
        settings=settings,
        variables=variables,
        writes_environment=bool(variables),
    )


def _unexplained(
    events: tuple[TrailEvent, ...],
    known: Figures,
    configuration: FunctionConfiguration,
    since: Instant,
) -> list[RecentChange]:
    """Give the modification that is fresher than every request, if there is one."""
    modified = configuration.last_modified
    if modified is None or modified < since:
        return []
    if any(modified <= event.at + _SAME_MOMENT for event in events):
        return []
    present = figures_of(configuration)
    settings = tuple(
        SettingChange(name=name, before=before, after=present.get(name))
        for name, before in sorted(known.items())
        if present.get(name) != before
    )
    return [
        RecentChange(
            id="change:last-modified",
            at=modified,
            source="configuration",
            event="modified; CloudTrail does not tell (yet) by whom",
            settings=settings,
        )
    ]


def _cut(value: str | int) -> str | int:
    return value[:_LONGEST] if isinstance(value, str) else value
