"""Where a function stands with regard to a change, beside its configuration's own fingerprint."""

from __future__ import annotations

import hashlib

from autorepair.domain.change import (
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

SettingBeside = ReservedConcurrencySetting | AliasSetting
"""What Lambda keeps beside the configuration, so that the fingerprint does not hold it."""


def standing(configuration: FunctionConfiguration, setting: Setting) -> str:
    """Fingerprint all that a change of this setting could collide with.

    For most settings that is the configuration's own fingerprint. Reserved concurrency is kept
    beside the configuration, so it is added. An alias leads to versions that never change, so
    `$LATEST` does not matter to it; the configuration has to be one that was read for the alias.
    """
    match setting:
        case ReservedConcurrencySetting():
            reserved = str(configuration.reserved_concurrency)
            return _digest(configuration.fingerprint, "reserved", reserved)
        case AliasSetting():
            version = str(configuration.alias_version)
            return _digest(configuration.function_arn, "alias", setting.alias, version)
        case _:
            return configuration.fingerprint


def holds(configuration: FunctionConfiguration, setting: SettingBeside) -> bool:
    """Whether the setting is in force."""
    return with_setting(configuration, setting) == configuration


def with_setting(
    configuration: FunctionConfiguration, setting: SettingBeside
) -> FunctionConfiguration:
    """Give the configuration as it is with the setting in force."""
    match setting:
        case ReservedConcurrencySetting():
            moved: dict[str, int | str | None] = {
                "reserved_concurrency": setting.reserved_concurrency
            }
        case AliasSetting():
            moved = {"alias_version": setting.version}
    return configuration.model_copy(update=moved)


def configured(configuration: FunctionConfiguration, setting: Setting) -> FunctionConfiguration:
    """Give the configuration with the setting, but the values of variables, which nobody tells.

    Its fingerprint stays that of what it was made of.
    """
    match setting:
        case TimeoutSetting():
            moved = {"timeout_s": setting.timeout_s}
        case MemorySetting():
            moved = {"memory_mb": setting.memory_mb}
        case EphemeralStorageSetting():
            moved = {"ephemeral_storage_mb": setting.ephemeral_storage_mb}
        case ReservedConcurrencySetting() | AliasSetting():
            return with_setting(configuration, setting)
        case EnvironmentSetting():
            return configuration
    return configuration.model_copy(update=moved)


def stands_before(configuration: FunctionConfiguration, change: Change) -> bool:
    """Whether the function is as the change was planned on, its alias included."""
    if standing(configuration, change.before) != change.planned_on:
        return False
    return change.release is None or configuration.alias_version == change.release.start


def stands_after(configuration: FunctionConfiguration, change: Change) -> bool:
    """Whether the function is as the change has left it, its alias included."""
    if change.leads_to is None or standing(configuration, change.after) != change.leads_to:
        return False
    return change.release is None or configuration.alias_version == change.release.end


def runs_on(configuration: FunctionConfiguration, change: Change) -> bool:
    """Whether traffic runs on what the change has left, whatever is done to `$LATEST` beside.

    An alias leads to a version that never changes; where there is none, `$LATEST` is what runs.
    """
    if change.release is None or change.leads_to is None:
        return stands_after(configuration, change)
    end = change.release.end
    return end is not None and configuration.alias_version == end


def stands_where_led(
    configuration: FunctionConfiguration,
    change: Change,
    before: SettingBeside,
    after: SettingBeside,
) -> bool:
    """Whether the function is exactly as the change would leave it."""
    now = standing(configuration, after)
    if change.leads_to == now:
        return True
    if change.planned_on in {None, now} or not holds(configuration, after):
        return False
    return change.planned_on == standing(with_setting(configuration, before), before)


def stands_as_planned_on(
    configuration: FunctionConfiguration,
    change: Change,
    before: SettingBeside,
    after: SettingBeside,
) -> bool:
    """Whether the function is as it was when the change was planned.

    The inverse of a change that was cut short does not know what it is made on: it may be made
    where the function holds what was written and the inverse leads exactly to where it is to.
    """
    if change.planned_on is not None:
        return change.planned_on == standing(configuration, before)
    if not holds(configuration, before):
        return False
    return change.leads_to == standing(with_setting(configuration, after), after)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
