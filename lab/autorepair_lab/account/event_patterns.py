"""EventBridge's event patterns, matched as the service matches them."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from autorepair_lab.account.call import CallRefusedError

_NUMERIC: dict[str, Callable[[float, float], bool]] = {
    "=": lambda a, b: a == b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_KINDS = {
    "anything-but",
    "equals-ignore-case",
    "exists",
    "numeric",
    "prefix",
    "suffix",
    "wildcard",
}
_MISSING = object()


def check_pattern(pattern: Any) -> None:  # noqa: ANN401 - any JSON
    """Refuse a pattern that EventBridge would refuse.

    Raises CallRefusedError with InvalidEventPatternException.
    """
    if not isinstance(pattern, dict) or not pattern:
        raise _invalid("Event pattern must be a non-empty JSON object")
    for key, value in pattern.items():
        if key == "$or" and isinstance(value, list):
            for branch in value:
                check_pattern(branch)
        elif isinstance(value, dict):
            check_pattern(value)
        elif isinstance(value, list) and value:
            for one in value:
                _check_leaf(key, one)
        else:
            raise _invalid(f'"{key}" must be an object or a non-empty array')


def _check_leaf(key: str, value: Any) -> None:  # noqa: ANN401 - any JSON
    if isinstance(value, dict) and (len(value) != 1 or not value.keys() <= _KINDS):
        raise _invalid(f'Unrecognized match type {sorted(value)} at "{key}"')


def matches(pattern: Mapping[str, Any], event: Any) -> bool:  # noqa: ANN401 - any JSON
    """Whether an event, or one element of a list in it, fits all fields of the pattern.

    A list of objects fits if one and the same element fits: EventBridge keeps track of array
    positions, so fields of different elements are never mixed.
    """
    if isinstance(event, list):
        return any(matches(pattern, one) for one in event)
    if not isinstance(event, Mapping):
        event = {}
    return all(_field_matches(key, wanted, event) for key, wanted in pattern.items())


def _field_matches(key: str, wanted: Any, event: Mapping[str, Any]) -> bool:  # noqa: ANN401 - JSON
    if key == "$or" and isinstance(wanted, list):
        return any(matches(branch, event) for branch in wanted)
    actual = event.get(key, _MISSING)
    if isinstance(wanted, Mapping):
        return matches(wanted, {} if actual is _MISSING else actual)
    return _leaf_matches(wanted, actual)


def _leaf_matches(wanted: Sequence[Any], actual: Any) -> bool:  # noqa: ANN401 - any JSON
    is_leaf = actual is not _MISSING and not isinstance(actual, Mapping)
    values = actual if isinstance(actual, list) else [actual] if is_leaf else []
    for one in wanted:
        if isinstance(one, Mapping) and "exists" in one:
            if one["exists"] == is_leaf:
                return True
        elif any(_value_matches(one, value) for value in values):
            return True
    return False


def _value_matches(wanted: Any, value: Any) -> bool:  # noqa: ANN401 - any JSON
    if isinstance(wanted, Mapping):
        kind, argument = next(iter(wanted.items()))
        return _MATCHERS[kind](argument, value)
    if isinstance(wanted, bool) or isinstance(value, bool):
        return wanted is value
    if isinstance(wanted, str) != isinstance(value, str):
        return False
    return bool(wanted == value)


def _prefix(argument: Any, value: Any) -> bool:  # noqa: ANN401 - any JSON
    if isinstance(argument, Mapping):
        text = str(argument["equals-ignore-case"]).lower()
        return isinstance(value, str) and value.lower().startswith(text)
    return isinstance(value, str) and value.startswith(argument)


def _suffix(argument: Any, value: Any) -> bool:  # noqa: ANN401 - any JSON
    if isinstance(argument, Mapping):
        text = str(argument["equals-ignore-case"]).lower()
        return isinstance(value, str) and value.lower().endswith(text)
    return isinstance(value, str) and value.endswith(argument)


def _wildcard(argument: Any, value: Any) -> bool:  # noqa: ANN401 - any JSON
    patterns = argument if isinstance(argument, list) else [argument]
    escaped = (re.sub(r"([\[\]?])", r"[\1]", one) for one in patterns)
    return isinstance(value, str) and any(fnmatch.fnmatchcase(value, one) for one in escaped)


def _anything_but(argument: Any, value: Any) -> bool:  # noqa: ANN401 - any JSON
    if isinstance(argument, Mapping):
        kind, inner = next(iter(argument.items()))
        inners = inner if isinstance(inner, list) else [inner]
        return not any(_MATCHERS[kind](one, value) for one in inners)
    refused = argument if isinstance(argument, list) else [argument]
    return not any(_value_matches(one, value) for one in refused)


def _numeric(argument: Sequence[Any], value: Any) -> bool:  # noqa: ANN401 - any JSON
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    pairs = zip(argument[::2], argument[1::2], strict=True)
    return all(_NUMERIC[op](value, bound) for op, bound in pairs)


def _ignore_case(argument: Any, value: Any) -> bool:  # noqa: ANN401 - any JSON
    return isinstance(value, str) and value.lower() == str(argument).lower()


_MATCHERS: dict[str, Callable[[Any, Any], bool]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "wildcard": _wildcard,
    "anything-but": _anything_but,
    "numeric": _numeric,
    "equals-ignore-case": _ignore_case,
}


def load_pattern(text: str) -> dict[str, Any]:
    """A checked pattern from its JSON. Raises CallRefusedError (InvalidEventPatternException)."""
    try:
        pattern: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise _invalid(f"not JSON: {error}") from error
    check_pattern(pattern)
    return pattern


def _invalid(reason: str) -> CallRefusedError:
    return CallRefusedError(
        "InvalidEventPatternException", f"Event pattern is not valid. Reason: {reason}"
    )
