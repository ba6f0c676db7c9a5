"""Recent changes as a recording tells them: free-form summaries, read by the words of AWS's API.

Of an environment only names are taken. What is not understood stays as text, cut to a bound.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from autorepair.domain.configuration import SERVICE_PREFIX
from autorepair.domain.evidence import RecentChange, SettingChange, VariableChange
from autorepair.domain.recent_changes import TrailEvent
from autorepair_cli.recorded.case import RecordedChange

LONGEST_NOTE, LONGEST_FIGURE = 1000, 200
_API_VERSION = re.compile(r"20\d{6}(v\d+)?$")
_ABOUT_FUNCTIONS = re.compile(r"Function|Alias|PublishVersion|Stack|ChangeSet|Deploy")
_SIDE = re.compile(r"(?P<stem>.+?)(?P<side>Before|After|Old|New|From|To|Previous|Current)")
_BEFORE, _AFTER = (
    frozenset({"before", "old", "from", "previous"}),
    frozenset({"after", "new", "to", "current"}),
)
_SETTINGS = {
    "architecture": "architecture",
    "architectures": "architecture",
    "codesha256": "code_sha256",
    "ephemeralstorage": "ephemeral_storage_mb",
    "ephemeralstoragesize": "ephemeral_storage_mb",
    "functionversion": "function_version",
    "handler": "handler",
    "hasfilesystem": "has_file_system",
    "hassnapstart": "has_snap_start",
    "hasvpc": "has_vpc",
    "imagecommand": "image_command",
    "imageentrypoint": "image_entry_point",
    "kmskeyarn": "kms_key_arn",
    "layers": "layers",
    "loggroup": "log_group",
    "memory": "memory_mb",
    "memorysize": "memory_mb",
    "packagetype": "package_type",
    "reservedconcurrency": "reserved_concurrency",
    "reservedconcurrentexecutions": "reserved_concurrency",
    "runtime": "runtime",
    "timeout": "timeout_s",
}
"""What a member of Lambda's API is called in FunctionConfiguration."""
_IMAGE = {"command": "image_command", "entrypoint": "image_entry_point"}
"""The same for the members of `imageConfig`."""
_ENVIRONMENT = frozenset({"env", "environment", "environmentvariables", "variables"})
_KINDS = {
    "added": "added",
    "created": "added",
    "changed": "changed",
    "modified": "changed",
    "overwritten": "changed",
    "updated": "changed",
    "deleted": "removed",
    "dropped": "removed",
    "removed": "removed",
    "unset": "removed",
}
_NAMES = r"(?:env(?:ironment)?|variables?|vars?|keys?|names?)"
_OF_KIND = re.compile(rf"{_NAMES}{{0,3}}({'|'.join(_KINDS)}){_NAMES}{{0,3}}")

Pair = tuple[Any, Any]
"""What was there before, and after; None where that is not told."""


def trail_event(number: int, change: RecordedChange) -> TrailEvent:
    """Give the request, as far as CloudTrail would hold it."""
    return TrailEvent(
        id=f"{number}",
        at=change.at,
        name=_API_VERSION.sub("", change.event),
        principal=change.principal,
        is_own=_is_own(change.principal),
    )


def recent_change(number: int, change: RecordedChange) -> RecentChange:
    """Give the change with all that its summary tells; same id as that of its `trail_event`."""
    event = _API_VERSION.sub("", change.event)
    told = _told(change.summary)
    # What a snapshot or the configuration tells is about the function whatever it is called.
    is_about_function = change.source != "cloudtrail" or _ABOUT_FUNCTIONS.search(event) is not None
    settings: list[SettingChange] = []
    variables: tuple[VariableChange, ...] = ()
    notes: list[str] = []
    writes_environment = False
    for name, (before, after) in _pairs(told).items():
        field = _SETTINGS.get(_plain_name(name)) if is_about_function else None
        if field is not None:
            settings.append(SettingChange(name=field, before=_figure(before), after=_figure(after)))
        elif _is_environment(name):
            writes_environment = True
            variables = (*variables, *_variables(name, before, after))
        elif (before, after) != (None, None):
            settings += _of_image(name, after) if is_about_function else ()
            notes.append(_note(name, before, after))
    return RecentChange(
        id=f"change:{number}",
        at=change.at,
        source=change.source,
        event=event,
        principal=change.principal,
        is_own=_is_own(change.principal),
        settings=tuple(settings),
        variables=tuple(dict.fromkeys(variables)),
        writes_environment=writes_environment,
        alias=_alias(told) if "Alias" in event or _is_moved(settings) else None,
        note="; ".join(notes)[:LONGEST_NOTE],
    )


def _of_image(name: str, told: Any) -> Iterator[SettingChange]:  # noqa: ANN401 - free-form
    """Give what became of a container image's command and entry point."""
    if _plain_name(name) != "imageconfig" or not isinstance(told, Mapping):
        return
    for member, (before, after) in _pairs(_told(told)).items():
        field = _IMAGE.get(_plain_name(member))
        if field is not None:
            yield SettingChange(name=field, before=_words(before), after=_words(after))


def _words(told: Any) -> str | None:  # noqa: ANN401 - free-form
    """Give a command as it stands in the configuration's own figures: its words in a row."""
    return " ".join(told) if isinstance(told, list) else None if told is None else _text(told)


def _told(summary: Any) -> dict[str, Any]:  # noqa: ANN401 - free-form
    if isinstance(summary, Mapping):
        return {str(key): value for key, value in summary.items()}
    return {"": summary}


def _pairs(told: Mapping[str, Any]) -> dict[str, Pair]:
    """Bring `{x: {before, after}}`, `{xBefore, xAfter}` and `{x}` into one form."""
    pairs: dict[str, Pair] = {}
    for name, value in told.items():
        sided = _SIDE.fullmatch(name)
        if sided is not None:
            before, after = pairs.get(sided["stem"], (None, None))
            is_before = sided["side"].lower() in _BEFORE
            pairs[sided["stem"]] = (value, after) if is_before else (before, value)
        else:
            pairs[name] = _sides(value)
    return pairs


def _sides(value: Any) -> Pair:  # noqa: ANN401 - free-form
    """Read the two sides of one value, also where they are one level deeper, as in a size."""
    if not isinstance(value, Mapping):
        return None, value
    keys = {str(key).lower(): key for key in value}
    if keys and keys.keys() <= _BEFORE | _AFTER:
        before = next((value[keys[k]] for k in keys if k in _BEFORE), None)
        after = next((value[keys[k]] for k in keys if k in _AFTER), None)
        return before, after
    inner = _pairs(value)
    if len(inner) == 1 and next(iter(inner)).lower() in {"size", "value"}:
        return next(iter(inner.values()))
    return None, value


def _figure(value: Any) -> str | int | None:  # noqa: ANN401 - free-form
    if isinstance(value, Mapping) and len(value) == 1:
        return _figure(next(iter(value.values())))
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.isdecimal() and len(value) < 10:  # noqa: PLR2004 - a figure
        return value
    return _text(value)[:LONGEST_FIGURE]


def _text(value: Any) -> str:  # noqa: ANN401 - free-form
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return ", ".join(_text(part) for part in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_text(part)}" for key, part in value.items())
    return str(value)


def _note(name: str, before: Any, after: Any) -> str:  # noqa: ANN401 - free-form
    label = "" if name in {"", "note"} else f"{name}: "
    if before is None:
        return f"{label}{_text(after)}"
    return f"{label}{_text(before)} -> {'none' if after is None else _text(after)}"


def _plain_name(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _is_environment(name: str) -> bool:
    plain = _plain_name(name)
    is_of_kind = _kind_of(name) is not None and plain not in _KINDS
    return plain in _ENVIRONMENT or is_of_kind


def _kind_of(name: str) -> str | None:
    """Give what became of the variables that a member so named lists; None if it lists none."""
    found = _OF_KIND.fullmatch(_plain_name(name))
    return None if found is None else _KINDS[found[1]]


def _variables(name: str, before: Any, after: Any) -> Iterator[VariableChange]:  # noqa: ANN401 - free-form
    """Say what became of which variable."""
    kind = _kind_of(name)
    if kind is not None:
        yield from _of_kind(kind, after if before is None else before)
        return
    if before is not None:
        yield from _compared(before, after)
        return
    if not isinstance(after, Mapping):
        return
    for key, (old, new) in _pairs(after).items():
        plain = _plain_name(key)
        inner_kind = _kind_of(key)
        if inner_kind is not None:
            yield from _of_kind(inner_kind, new if old is None else old)
        elif plain in _ENVIRONMENT:
            yield from _compared(old, new) if old is not None else _variables(key, None, new)
        elif isinstance(after.get(key), Mapping):
            yield from _compared(*({} if side is None else {key: side} for side in (old, new)))


def _of_kind(kind: str, names: Any) -> Iterator[VariableChange]:  # noqa: ANN401 - free-form
    for name in _names(names):
        yield VariableChange.model_validate({"name": name, "kind": kind})


def _compared(before: Any, after: Any) -> Iterator[VariableChange]:  # noqa: ANN401 - free-form
    old, new = _names(before), _names(after)
    yield from (VariableChange(name=name, kind="added") for name in new if name not in old)
    yield from (VariableChange(name=name, kind="removed") for name in old if name not in new)
    for name in old:
        if name in new and old[name] != new[name]:
            yield VariableChange(name=name, kind="changed")


def _names(told: Any) -> dict[str, Any]:  # noqa: ANN401 - free-form
    """Give names with what is told of their values, which is only ever compared."""
    if isinstance(told, Mapping):
        inner = told.get("Variables", told.get("variables"))
        return dict(inner) if isinstance(inner, Mapping) else {str(k): v for k, v in told.items()}
    if isinstance(told, str):
        return dict.fromkeys(part for part in re.split(r"[,\s]+", told) if part)
    return dict.fromkeys(str(name) for name in told) if isinstance(told, list | tuple) else {}


def _is_moved(settings: list[SettingChange]) -> bool:
    return any(setting.name == "function_version" for setting in settings)


def _alias(told: Mapping[str, Any]) -> str | None:
    plain = {_plain_name(str(key)): value for key, value in told.items()}
    found = next((plain[key] for key in ("name", "alias", "aliasname") if key in plain), None)
    return found if isinstance(found, str) else None


def _is_own(principal: str | None) -> bool:
    return str(principal).rpartition("/")[2].startswith(SERVICE_PREFIX)
