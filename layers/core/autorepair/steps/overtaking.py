"""What stands on a function that is not as it was planned on."""

from __future__ import annotations

from autorepair.domain.change import (
    Absent,
    AliasSetting,
    Change,
    EnvironmentSetting,
    EphemeralStorageSetting,
    MemorySetting,
    ReservedConcurrencySetting,
    Setting,
    TimeoutSetting,
)
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.standing import configured, holds, stands_after


def may_hold(configuration: FunctionConfiguration, setting: Setting) -> bool:
    """Whether the setting, or a part of it, may be in force.

    Values of the environment are not known here, so a variable that is there may have ours.
    """
    match setting:
        case TimeoutSetting():
            return configuration.timeout_s == setting.timeout_s
        case MemorySetting():
            return configuration.memory_mb == setting.memory_mb
        case EphemeralStorageSetting():
            return configuration.ephemeral_storage_mb == setting.ephemeral_storage_mb
        case ReservedConcurrencySetting() | AliasSetting():
            return holds(configuration, setting)
        case EnvironmentSetting():
            return configuration.is_env_unreadable or any(
                (name in configuration.env_names) is not isinstance(source, Absent)
                for name, source in setting.variables.items()
            )


def as_it_runs(
    configuration: FunctionConfiguration, change: Change, earlier: FunctionConfiguration
) -> FunctionConfiguration:
    """Give what traffic runs with, where `$LATEST` is somebody else's by now and an alias ours.

    Its version was published from what was there ``earlier``, with nothing but the change.
    """
    if change.release is None or stands_after(configuration, change):
        return configuration
    live = {"tags": configuration.tags, "alias_version": configuration.alias_version}
    return configured(earlier, change.after).model_copy(update=live)


def difference(configuration: FunctionConfiguration, plan: Change) -> str:
    """Say what is not as planned on, as far as the plan remembers it."""
    move = plan.release
    if move is not None and configuration.alias_version != move.start:
        now = configuration.alias_version
        where = "gone or divides its traffic" if now is None else f"on version {now}"
        return f"its alias {move.alias} was on version {move.start} and is {where} by now"
    told = _told(configuration, plan.before)
    if told is not None and not may_hold(configuration, plan.before):
        what, was, is_now = told
        return f"its {what} was {was} and is {is_now} by now"
    when = configuration.last_modified
    modified = f" (last modified {when:%Y-%m-%dT%H:%M:%SZ})" if when else ""
    what = plan.kind.value.removeprefix("set_")
    return (
        f"its code, layers, role, environment or another setting than {what} is not as it "
        f"was{modified}"
    )


def _told(configuration: FunctionConfiguration, before: Setting) -> tuple[str, str, str] | None:
    """Give what was planned on, and what it is now; None where only digests tell that."""
    match before:
        case TimeoutSetting():
            return "timeout", f"{before.timeout_s} s", f"{configuration.timeout_s} s"
        case MemorySetting():
            return "memory", f"{before.memory_mb} MB", f"{configuration.memory_mb} MB"
        case EphemeralStorageSetting():
            size_mb = configuration.ephemeral_storage_mb
            return "ephemeral storage", f"{before.ephemeral_storage_mb} MB", f"{size_mb} MB"
        case ReservedConcurrencySetting():
            reserved = configuration.reserved_concurrency
            return "reserved concurrency", f"{before.reserved_concurrency}", f"{reserved}"
        case AliasSetting():
            version = configuration.alias_version
            now = "gone or divided" if version is None else f"at version {version}"
            return f"alias {before.alias}", f"at version {before.version}", now
        case EnvironmentSetting():
            return None
