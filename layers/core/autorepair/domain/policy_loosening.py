"""Whether one policy allows more than another, value by value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import JsonValue

from autorepair.domain.policy import Mode
from autorepair.domain.policy_review import Difference

_Test = Callable[[Any, Any], bool]


def loosens(one: Difference) -> bool:
    """Whether the policy allows more after a difference, or may: what is not known here may."""
    known = _TESTS.get(one.path) or _TESTS.get(one.path.split(".", maxsplit=1)[0])
    if known is None:
        return True
    try:
        return known(one.before, one.after)
    except (TypeError, ValueError):
        return True  # a value that only one of the two has


def _grew(before: float, after: float) -> bool:
    return after > before


def _shrank(before: float, after: float) -> bool:
    return after < before


def _never(_before: JsonValue, _after: JsonValue) -> bool:
    return False


def _to_keeping(_before: JsonValue, after: JsonValue) -> bool:
    return after == "keep"


def _freer(before: str, after: str) -> bool:
    return Mode(before).tightened_to(Mode(after)) is not Mode(after)


def _fewer(before: list[JsonValue], after: list[JsonValue]) -> bool:
    return any(entry not in after for entry in before)


def _more(before: list[JsonValue], after: list[JsonValue]) -> bool:
    return any(entry not in before for entry in after)


def _longer_hours(before: list[int] | None, after: list[int] | None) -> bool:
    return not _hours(after) <= _hours(before)


def _hours(span: list[int] | None) -> set[int]:
    if span is None:
        return set(range(24))
    first, last = span
    return {hour % 24 for hour in range(first, last if last > first else last + 24)}


_TESTS: dict[str, _Test] = {
    "modes": _freer,
    "caps": _grew,
    "limits.cooldown_s": _shrank,
    "limits.repairs_per_function_day": _grew,
    "limits.repairs_per_account_hour": _grew,
    "limits.steps_per_incident": _grew,
    "limits.incident_spacing_s": _never,
    "breaker.repairs": _grew,
    "breaker.same_cause_functions": _grew,
    "breaker.window_s": _shrank,
    "verification.window_s": _never,
    "verification.max_windows": _never,
    "verification.min_invocations": _shrank,
    "verification.unchanged": _to_keeping,
    "verification.unverified": _to_keeping,
    "approval.timeout_s": _never,
    "settle_s": _never,
    "schedule.allowed_hours": _longer_hours,
    "schedule.freeze": _fewer,
    "env.allow": _more,
    "env.never_unattended": _fewer,
}
"""By path, or by its first part. A time zone and overrides have none: what they do to functions
takes a person to tell."""
