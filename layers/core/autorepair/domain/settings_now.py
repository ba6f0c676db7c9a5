"""Whether a function's setting is what a change made of it, what it was before, or neither."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

from pydantic import Field

from autorepair.domain.change import (
    Absent,
    AliasMove,
    AliasSetting,
    Change,
    EnvironmentSetting,
    EphemeralStorageSetting,
    MemorySetting,
    ReservedConcurrencySetting,
    Setting,
    TimeoutSetting,
    VariableSource,
    figure_of,
)
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.recent_changes import TrailEvent
from autorepair.domain.value import Value

Standing = Literal["after", "beyond", "before", "other", "unknown"]
"""``beyond``: further to the same side than the change went; ``unknown``: it cannot be told."""

_FIELDS = {
    "set_timeout": "timeout_s",
    "set_memory": "memory_mb",
    "set_ephemeral_storage": "ephemeral_storage_mb",
    "set_reserved_concurrency": "reserved_concurrency",
    "rollback_version": "function_version",
}
_TAKES_A_RESERVATION_AWAY = "DeleteFunctionConcurrency"

Digests = Mapping[str, str | None]


class KnownVariables(Value):
    """What may be compared of the variables of a change: digests, None for one not set."""

    before: dict[str, str | None] | None = None
    after: dict[str, str | None] | None = None
    declared: dict[str, bool | None] = Field(default_factory=dict)
    """Whether a variable has the declared value now, as far as that is known."""


def setting_now(configuration: FunctionConfiguration, like: Setting) -> Setting | None:
    """Give what a setting is now; None for variables, and for an alias with several versions."""
    match like:
        case TimeoutSetting():
            return TimeoutSetting(timeout_s=configuration.timeout_s)
        case MemorySetting():
            return MemorySetting(memory_mb=configuration.memory_mb)
        case EphemeralStorageSetting():
            return EphemeralStorageSetting(ephemeral_storage_mb=configuration.ephemeral_storage_mb)
        case ReservedConcurrencySetting():
            reserved = configuration.reserved_concurrency
            return ReservedConcurrencySetting(reserved_concurrency=reserved)
        case AliasSetting():
            version = configuration.alias_version
            return AliasSetting(alias=like.alias, version=version) if version else None
        case EnvironmentSetting():
            return None


def standing_of(
    configuration: FunctionConfiguration,
    change: Change,
    *,
    earlier: Iterable[Setting] = (),
    known: KnownVariables | None = None,
) -> Standing:
    """Say where the setting of a change stands; ``earlier`` are other values it had before.

    Of a change that was released to an alias it stands as in the version that the alias is on,
    whatever `$LATEST` says: traffic runs on that. Where that is neither the former version nor the
    one that was published, the configuration has to be that version's own. With an alias that is
    gone or divides its traffic nothing is said.
    """
    told = None if change.release is None else _told_by_alias(configuration, change.release)
    if told is not None:
        return told
    if isinstance(change.after, EnvironmentSetting):
        return _standing_of_variables(configuration, change, known or KnownVariables())
    now = setting_now(configuration, change.after)
    if now == change.after:
        return "after"
    if now == change.before or now in tuple(earlier):
        return "before"
    return "beyond" if now is not None and _is_beyond(now, change) else "other"


def _told_by_alias(configuration: FunctionConfiguration, move: AliasMove) -> Standing | None:
    """Say what the version that an alias is on tells by itself; None: look at its settings."""
    on = configuration.alias_version
    if on is not None and on in {move.former, move.published}:
        return "before" if on == move.former else "after"
    return "unknown" if on is None or configuration.version != on else None


def is_same_way(configuration: FunctionConfiguration, change: Change) -> bool:
    """Whether the setting lies on the side of its former value to which the change leads.

    Variables have no sides, so there it is whether each is set, or unset, as the change wants it.
    """
    if isinstance(change.after, EnvironmentSetting):
        names = set(configuration.env_names)
        wanted = change.after.variables.items()
        return all((name in names) != isinstance(source, Absent) for name, source in wanted)
    now = setting_now(configuration, change.after)
    figures = [figure_of(one) for one in (change.before, change.after, now)]
    before, after, present = figures
    if before is None or after is None or present is None:
        return False
    return (present - before) * (after - before) > 0


def digests_of(configuration: FunctionConfiguration, setting: Setting) -> dict[str, str | None]:
    """Give the digests of the variables that a setting names, None for one that is not set."""
    if not isinstance(setting, EnvironmentSetting):
        return {}
    held = {one.name: one.digest for one in configuration.env_digests}
    return {name: held.get(name) for name in setting.variables}


def last_write(
    events: Iterable[TrailEvent], setting: Setting, *, since: datetime
) -> TrailEvent | None:
    """Give the last request after a moment that wrote the setting, whatever it wrote."""
    found = [event for event in events if event.at > since and _writes(event, setting)]
    return max(found, key=lambda event: event.at, default=None)


def adopting_write(
    events: Iterable[TrailEvent], setting: Setting, *, since: datetime, is_of_stack: bool
) -> TrailEvent | None:
    """Give the request that has taken a setting over into what the function is deployed from.

    Of a function of a stack that is one of a deployment: a person's saves nothing but the function,
    and the console sends settings along that nobody has touched. Of any other function nobody can
    tell the two apart, so it is the last request.
    """
    given = tuple(events)
    last = last_write(given, setting, since=since)
    if not is_of_stack:
        return last
    deployed = last_write((e for e in given if e.is_deployment), setting, since=since)
    if deployed is None or deployed == last or _carries(deployed, setting):
        return deployed
    return None


def _carries(event: TrailEvent, setting: Setting) -> bool:
    """Whether a request set just this; of variables that is never known."""
    figure = setting.version if isinstance(setting, AliasSetting) else figure_of(setting)
    return figure is not None and event.settings.get(_FIELDS.get(setting.kind, "")) == figure


def _writes(event: TrailEvent, setting: Setting) -> bool:
    if isinstance(setting, EnvironmentSetting):
        return event.writes_environment
    if isinstance(setting, AliasSetting):
        return event.alias == setting.alias and "function_version" in event.settings
    is_reservation = isinstance(setting, ReservedConcurrencySetting)
    if is_reservation and event.name.startswith(_TAKES_A_RESERVATION_AWAY):
        return True
    return event.alias is None and _FIELDS[setting.kind] in event.settings


def _is_beyond(now: Setting, change: Change) -> bool:
    before, after, present = (figure_of(one) for one in (change.before, change.after, now))
    if before is None or after is None or present is None:
        return False
    return present > after > before or present < after < before


def _standing_of_variables(
    configuration: FunctionConfiguration, change: Change, known: KnownVariables
) -> Standing:
    after, before = change.after, change.before
    if configuration.is_env_unreadable or not isinstance(after, EnvironmentSetting):
        return "unknown"
    if not isinstance(before, EnvironmentSetting):
        return "unknown"
    now = digests_of(configuration, after)
    names = set(configuration.env_names)
    held = [
        _holds(name, source, names, now, known.after, known.declared)
        for name, source in after.variables.items()
    ]
    if all(held):
        return "after"
    undone = [
        _holds(name, source, names, now, known.before, {})
        for name, source in before.variables.items()
    ]
    if all(undone):
        return "before"
    if False in held and (known.after is not None or False in undone):
        return "other"
    return "unknown"


def _holds(  # noqa: PLR0913, PLR0917 - one variable, and all that can be known of it
    name: str,
    source: VariableSource,
    names: set[str],
    now: Digests,
    digests: Digests | None,
    declared: Mapping[str, bool | None],
) -> bool | None:
    """Say whether a variable is as its source says; None where that cannot be told."""
    if isinstance(source, Absent):
        return name not in names
    if name not in names:
        return False
    if digests is not None and digests.get(name) is not None:
        return now[name] == digests[name]
    return declared.get(name)
