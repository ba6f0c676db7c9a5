"""What became of a function between the evidence and the decision that rests on it."""

from __future__ import annotations

from autorepair.domain.change import (
    Change,
    EnvironmentSetting,
    EphemeralStorageSetting,
    MemorySetting,
    ReservedConcurrencySetting,
    TimeoutSetting,
)
from autorepair.domain.circumstances import ChangedSince
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.masking import blanked

# Fields of FunctionConfiguration, in words: what is run, and what it is run with.
_CODE = {
    "architecture": "its architecture",
    "code_sha256": "its code",
    "handler": "its handler",
    "image_command": "its image's command",
    "image_entry_point": "its image's entry point",
    "layers": "its layers",
    "package_type": "its package type",
    "runtime": "its runtime",
}
_SETTINGS = {
    "ephemeral_storage_mb": "its ephemeral storage",
    "has_file_system": "its file system",
    "has_vpc": "its network",
    "kms_key_arn": "its key",
    "memory_mb": "its memory",
    "reserved_concurrency": "its reserved concurrency",
    "role_arn": "its role",
    "timeout_s": "its timeout",
}
_BY_SETTING: dict[type[object], str] = {
    EphemeralStorageSetting: "ephemeral_storage_mb",
    MemorySetting: "memory_mb",
    ReservedConcurrencySetting: "reserved_concurrency",
    TimeoutSetting: "timeout_s",
}


def changed_since(
    seen: FunctionConfiguration, now: FunctionConfiguration, own: Change | None
) -> ChangedSince | None:
    """Say what is not as it was when the evidence was collected; None where all of it is.

    What ``own``, the steps of the incident so far, have changed does not count.
    """
    code = tuple(told for field, told in _CODE.items() if _differs(field, seen, now))
    ours = None if own is None else _BY_SETTING.get(type(own.after))
    settings = [
        told for field, told in _SETTINGS.items() if field != ours and _differs(field, seen, now)
    ]
    if names := _variables(seen, now, own):
        settings.append(f"its environment ({', '.join(names)})")
    if not code and not settings and own is None and seen.fingerprint != now.fingerprint:
        settings.append("another setting of its configuration")
    told = (*code, *settings)
    return ChangedSince(told=" and ".join(told), is_code=bool(code)) if told else None


def _differs(field: str, seen: FunctionConfiguration, now: FunctionConfiguration) -> bool:
    return bool(_readable(getattr(seen, field)) != _readable(getattr(now, field)))


def _readable(value: object) -> object:
    """Leave the secrets out of what others wrote: in the evidence they are masked."""
    return [blanked(str(part)) for part in value] if isinstance(value, tuple) else value


def _variables(
    seen: FunctionConfiguration, now: FunctionConfiguration, own: Change | None
) -> tuple[str, ...]:
    """Name the variables that differ, as far as they can be read; values are told by digests."""
    ours = own.after.variables if own and isinstance(own.after, EnvironmentSetting) else {}
    before, after = _digests(seen), _digests(now)
    names = sorted(before.keys() | after.keys())
    return tuple(n for n in names if n not in ours and before.get(n) != after.get(n))


def _digests(configuration: FunctionConfiguration) -> dict[str, str]:
    """Give the digest of each variable; nothing for one of which only the name is known."""
    named = dict.fromkeys(configuration.env_names, "")
    return named | {variable.name: variable.digest for variable in configuration.env_digests}
