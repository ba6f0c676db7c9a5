"""Whether what was to be written may stand on a function that is not as it was planned on."""

from __future__ import annotations

from autorepair.domain.change import Absent, MemorySetting, Setting, TimeoutSetting
from autorepair.domain.configuration import FunctionConfiguration


def may_hold(configuration: FunctionConfiguration, setting: Setting) -> bool:
    """Whether the setting, or a part of it, may be in force.

    Values of the environment are not known here, so a variable that is there may have ours.
    """
    if isinstance(setting, TimeoutSetting):
        return configuration.timeout_s == setting.timeout_s
    if isinstance(setting, MemorySetting):
        return configuration.memory_mb == setting.memory_mb
    return configuration.is_env_unreadable or any(
        (name in configuration.env_names) is not isinstance(source, Absent)
        for name, source in setting.variables.items()
    )
