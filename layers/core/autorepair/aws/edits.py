"""What a change makes of a reading, and whether a reading already stands there."""

from __future__ import annotations

from typing import Any

from autorepair.aws.digests import Digester
from autorepair.aws.reading import Reading, environment_size
from autorepair.aws.variable_values import VariableValues
from autorepair.domain.change import (
    Change,
    EnvironmentSetting,
    EphemeralStorageSetting,
    MemorySetting,
    TimeoutSetting,
    VariableSource,
)
from autorepair.domain.configuration import (
    MAX_ENVIRONMENT_BYTES,
    MAX_EPHEMERAL_STORAGE_MB,
    MAX_MEMORY_MB,
    MAX_TIMEOUT_S,
    MIN_EPHEMERAL_STORAGE_MB,
    MIN_MEMORY_MB,
    MIN_TIMEOUT_S,
)
from autorepair.domain.errors import (
    ChangeRefusedError,
    EnvironmentUnreadableError,
    StaleConfigurationError,
    UndeclaredValueError,
)

ConfigurationSetting = TimeoutSetting | MemorySetting | EnvironmentSetting | EphemeralStorageSetting
"""The settings that UpdateFunctionConfiguration writes."""


class Edits:
    """The edit of one change of the configuration, from ``before`` to ``after``.

    Every value is looked up once: a secret that rotates meanwhile must not make what was written
    look like somebody else's.
    """

    def __init__(
        self,
        change: Change,
        before: ConfigurationSetting,
        after: ConfigurationSetting,
        *,
        values: VariableValues,
        digester: Digester,
    ) -> None:
        self._change = change
        self.before = before
        self.after = after
        self._values = values
        self._digester = digester
        self._known: dict[tuple[str, VariableSource], str | None] = {}

    def stands_where_led(self, reading: Reading) -> bool:
        """Whether the function is exactly as the change would leave it."""
        fingerprint = reading.fingerprint(self._digester)
        if self._change.leads_to == fingerprint:
            return True
        if self._change.planned_on in {None, fingerprint}:
            return False
        if not self.holds(reading, self.after):
            return False
        try:
            undone = self._edited(reading, self.before)
        except UndeclaredValueError:
            # What is replaced is sealed before it is replaced: nothing sealed, nothing written.
            return False
        return self._change.planned_on == undone.fingerprint(self._digester)

    def require_planned_on(self, reading: Reading) -> None:
        """Insist that the function is as it was when the change was planned.

        Raises:
            StaleConfigurationError: It is not.
            EnvironmentUnreadableError: That cannot be told.
            UndeclaredValueError: A variable's source is missing or unreadable.
        """
        if reading.is_env_unreadable:
            raise EnvironmentUnreadableError(
                f"the environment of {reading.arn} cannot be decrypted, so no write can be checked "
                "against it: let the service's roles use the function's KMS key, or repair by hand"
            )
        if not self._is_planned_on(reading):
            raise StaleConfigurationError(
                f"{reading.arn} is not configured as it was when the change was planned: "
                f"{self.difference(reading, self.before)}"
            )

    def request(self, reading: Reading) -> dict[str, Any]:
        """Say what to write; for the environment that is the whole map, or keys are lost.

        What the undoing will need is kept first.

        Raises:
            ChangeRefusedError: Lambda's limits forbid it.
            UndeclaredValueError: A variable's source is missing or unreadable.
        """
        match self.after:
            case TimeoutSetting(timeout_s=timeout_s):
                _require_between(timeout_s, MIN_TIMEOUT_S, MAX_TIMEOUT_S, "timeout", "s")
                return {"Timeout": timeout_s}
            case MemorySetting(memory_mb=memory_mb):
                _require_between(memory_mb, MIN_MEMORY_MB, MAX_MEMORY_MB, "memory", "MB")
                return {"MemorySize": memory_mb}
            case EphemeralStorageSetting(ephemeral_storage_mb=size_mb):
                least, most = MIN_EPHEMERAL_STORAGE_MB, MAX_EPHEMERAL_STORAGE_MB
                _require_between(size_mb, least, most, "ephemeral storage", "MB")
                return {"EphemeralStorage": {"Size": size_mb}}
            case EnvironmentSetting() as setting:
                edited = self._edited_environment(reading, setting)
                _require_fits(edited)
                _require_difference(reading, edited)
                if isinstance(self.before, EnvironmentSetting):
                    self._values.keep(reading, self.before)
                return {"Environment": {"Variables": edited.env}}

    def holds(self, reading: Reading, setting: ConfigurationSetting) -> bool:
        """Whether the function has this setting."""
        try:
            return self._edited(reading, setting).raw == reading.raw
        except UndeclaredValueError:
            return False

    def difference(self, reading: Reading, expected: ConfigurationSetting) -> str:
        """Say, without any value of the environment, how the function is not as expected."""
        match expected:
            case TimeoutSetting() if expected.timeout_s != reading.timeout_s:
                return f"the timeout is {reading.timeout_s} s and not {expected.timeout_s} s"
            case MemorySetting() if expected.memory_mb != reading.memory_mb:
                return f"the memory is {reading.memory_mb} MB and not {expected.memory_mb} MB"
            case EphemeralStorageSetting(ephemeral_storage_mb=mb) if mb != reading.storage_mb:
                return f"the ephemeral storage is {reading.storage_mb} MB and not {mb} MB"
            case _:
                return "other settings, the environment, the code, the layers or the role differ"

    def _is_planned_on(self, reading: Reading) -> bool:
        if self._change.planned_on is not None:
            return self._change.planned_on == reading.fingerprint(self._digester)
        # Cut short before it was known where it led: the write may never have landed, and what
        # stands there now may be somebody's own repair. Only what this change set is undone.
        if not self.holds(reading, self.before):
            return False
        after = self._edited(reading, self.after)
        return self._change.leads_to == after.fingerprint(self._digester)

    def _edited(self, reading: Reading, setting: ConfigurationSetting) -> Reading:
        match setting:
            case TimeoutSetting():
                return reading.replaced(Timeout=setting.timeout_s)
            case MemorySetting():
                return reading.replaced(MemorySize=setting.memory_mb)
            case EphemeralStorageSetting():
                if setting.ephemeral_storage_mb == reading.storage_mb:
                    return reading
                return reading.replaced(EphemeralStorage={"Size": setting.ephemeral_storage_mb})
            case EnvironmentSetting():
                return self._edited_environment(reading, setting)

    def _edited_environment(self, reading: Reading, setting: EnvironmentSetting) -> Reading:
        env = reading.env
        for name, source in setting.variables.items():
            value = self._value(reading, name, source)
            if value is None:
                env.pop(name, None)
            else:
                env[name] = value
        if env == reading.env:
            return reading
        return reading.replaced(Environment={"Variables": env})

    def _value(self, reading: Reading, name: str, source: VariableSource) -> str | None:
        if (name, source) not in self._known:
            self._known[name, source] = self._values.of(reading, name, source)
        return self._known[name, source]


def _require_between(value: int, least: int, most: int, what: str, unit: str) -> None:
    if not least <= value <= most:
        raise ChangeRefusedError(
            f"a {what} of {value} {unit} is outside of what Lambda takes ({least} to {most} {unit})"
        )


def _require_difference(reading: Reading, edited: Reading) -> None:
    """A declared value that may only be read here can turn out to be what is there already."""
    if edited.env == reading.env:
        raise ChangeRefusedError(
            f"the environment of {reading.arn} is as declared already: the declared values do not "
            "cure it; correct the declaration, or look for another cause"
        )


def _require_fits(edited: Reading) -> None:
    size = environment_size(edited.env)
    if size > MAX_ENVIRONMENT_BYTES:
        raise ChangeRefusedError(
            f"the environment of {edited.arn} would be {size} bytes; Lambda takes "
            f"{MAX_ENVIRONMENT_BYTES}: remove variables that are not needed"
        )
