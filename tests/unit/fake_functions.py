"""Target functions in memory: a compare-and-swap on a fingerprint, as the adapter makes it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime

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
from autorepair.domain.configuration import (
    ENROLMENT_TAG,
    ENROLMENT_VALUE,
    FunctionConfiguration,
)
from autorepair.domain.errors import StaleConfigurationError, TargetNotFoundError
from autorepair.domain.incident import Target
from autorepair.domain.standing import standing, with_setting
from autorepair.ports.function import unguarded

ACCOUNT, REGION = "123456789012", "us-east-1"
NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
NAME = "patient-slow-invoice"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{NAME}"


def fingerprint_of(configuration: FunctionConfiguration) -> str:
    told = (
        configuration.timeout_s,
        configuration.memory_mb,
        configuration.ephemeral_storage_mb,
        sorted(configuration.env_names),
        configuration.code_sha256,
    )
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def configuration(name: str = NAME, /, **changes: object) -> FunctionConfiguration:
    plain = FunctionConfiguration(
        function_name=name,
        function_arn=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}",
        version="$LATEST",
        runtime="python3.12",
        handler="app.handler",
        memory_mb=128,
        timeout_s=3,
        env_names=("TABLE",),
        log_group=f"/aws/lambda/{name}",
        code_sha256="code-1",
        revision_id="revision-1",
        fingerprint="",
        tags={ENROLMENT_TAG: ENROLMENT_VALUE},
    ).model_copy(update=changes)
    return plain.model_copy(update={"fingerprint": fingerprint_of(plain)})


class FakeFunctions:
    """Functions by name; errors queued in ``refusals`` are raised by the next calls of apply."""

    def __init__(self, *configurations: FunctionConfiguration) -> None:
        self.by_name = {c.function_name: c for c in configurations}
        self.published: dict[str, FunctionConfiguration] = {}
        self.applied: list[Change] = []
        self.writes = 0
        self.refusals: list[Exception] = []
        self.read_errors: list[Exception] = []
        self.fails_after_write: Exception | None = None

    def read(self, target: Target) -> FunctionConfiguration:
        if self.read_errors:
            raise self.read_errors.pop(0)
        try:
            return self.by_name[target.function_name]
        except KeyError:
            raise TargetNotFoundError(f"no function {target.function_name}") from None

    def read_version(self, target: Target, version: str) -> FunctionConfiguration:
        try:
            found = self.published[version]
        except KeyError:
            raise TargetNotFoundError(f"{target.function_name} has no version {version}") from None
        return found.model_copy(update={"version": version})

    def tags(self, target: Target) -> dict[str, str]:
        return self.read(target).tags

    def apply(
        self, change: Change, *, guard: Callable[[], None] = unguarded
    ) -> FunctionConfiguration:
        self.applied.append(change)
        if self.refusals:
            raise self.refusals.pop(0)
        current = self.read(change.target)
        after = moved_along(edited(current, change.after), change)
        if after == current and self._led_here(current, change):
            return current
        start = change.release.start if change.release else None
        if start is not None and current.alias_version != start:
            raise StaleConfigurationError("the alias is somewhere else")
        is_as_planned = (
            edited(current, change.before).fingerprint == current.fingerprint
            and change.leads_to == standing(after, change.after)
            if change.planned_on is None
            else change.planned_on == standing(current, change.before)
        )
        move = change.release
        if not (is_as_planned or (move and self._led_here(current, change))):
            if move is None or not move.is_back or move.published is None:
                raise StaleConfigurationError("something else than what is to be changed differs")
            # `$LATEST` is somebody else's: only the alias goes back.
            after = moved_along(current, change)
        guard()
        self.by_name[change.target.function_name] = after
        self.writes += 1
        if self.fails_after_write is not None:
            error, self.fails_after_write = self.fails_after_write, None
            raise error
        return after

    def _led_here(self, current: FunctionConfiguration, change: Change) -> bool:
        undone = edited(current, change.before)
        return (
            standing(current, change.after) == change.leads_to
            or standing(undone, change.before) == change.planned_on
        )

    def somebody_changes(self, name: str = NAME, /, **changes: object) -> None:
        moved = self.by_name[name].model_copy(update=changes)
        self.by_name[name] = moved.model_copy(update={"fingerprint": fingerprint_of(moved)})


def moved_along(after: FunctionConfiguration, change: Change) -> FunctionConfiguration:
    """Give the configuration with the alias where the change's release puts it."""
    move = change.release
    if move is None:
        return after
    version = move.end or str(int(move.former) + 1)
    return after.model_copy(update={"alias_version": version})


def edited(current: FunctionConfiguration, setting: Setting) -> FunctionConfiguration:
    match setting:
        case TimeoutSetting():
            moved = current.model_copy(update={"timeout_s": setting.timeout_s})
        case MemorySetting():
            moved = current.model_copy(update={"memory_mb": setting.memory_mb})
        case EphemeralStorageSetting(ephemeral_storage_mb=size_mb):
            moved = current.model_copy(update={"ephemeral_storage_mb": size_mb})
        case ReservedConcurrencySetting() | AliasSetting():
            moved = with_setting(current, setting)
        case EnvironmentSetting():
            moved = current.model_copy(update={"env_names": _names(current, setting)})
    return moved.model_copy(update={"fingerprint": fingerprint_of(moved)})


def _names(current: FunctionConfiguration, setting: EnvironmentSetting) -> tuple[str, ...]:
    names = set(current.env_names)
    for name, source in setting.variables.items():
        names = names - {name} if isinstance(source, Absent) else names | {name}
    return tuple(sorted(names))
