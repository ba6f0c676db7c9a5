"""Whether one policy allows more than another, value by value."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from pydantic import JsonValue

from autorepair.domain.policy import Mode, Policy
from autorepair.domain.policy_review import Difference

_Test = Callable[[Any, Any], bool]


def loosens(one: Difference, before: Policy) -> bool:
    """Whether the policy allows more after a difference, or may: what is not known here may.

    Less proof before a repair counts as verified, and a test event that may be sent, is more.
    ``before`` is the policy that the difference is one from.
    """
    is_in_override = one.path.startswith("overrides")
    path = one.path.rsplit("].", maxsplit=1)[-1] if is_in_override else one.path
    if is_in_override and (one.before is None or one.after is None):
        return True  # what the value was, or is, without the override takes a person to tell
    if path == "schedule.timezone" and not is_in_override:
        # Without any hours it meant nothing, and those that come with it allow less.
        return before.schedule.allowed_hours is not None or _has_hours(before)
    known = _TESTS.get(path) or _TESTS.get(path.split(".", maxsplit=1)[0])
    if known is None:
        return True
    try:
        return known(one.before, one.after)
    except (TypeError, ValueError):
        return True  # a value that only one of the two has


def _has_hours(policy: Policy) -> bool:
    """Whether an override says hours, which are in the time zone of the policy."""
    said = (one.policy.get("schedule") for one in policy.overrides)
    return any(isinstance(one, dict) and one.get("allowed_hours") is not None for one in said)


def _grew(before: float, after: float) -> bool:
    return after > before


def _shrank(before: float, after: float) -> bool:
    return after < before


def _never(_before: JsonValue, _after: JsonValue) -> bool:
    return False


def _to_keeping(_before: JsonValue, after: JsonValue) -> bool:
    return after == "keep"


def _switched_on(_before: JsonValue, after: JsonValue) -> bool:
    return after is True


def _freer(before: str, after: str) -> bool:
    return Mode(before).tightened_to(Mode(after)) is not Mode(after)


def _thawed(before: list[dict[str, str]], after: list[dict[str, str]]) -> bool:
    spans = [_span(one) for one in after]
    return any(
        not any(first <= start and end <= last for first, last in spans)
        for start, end in map(_span, before)
    )


def _span(freeze: dict[str, str]) -> tuple[datetime, datetime]:
    return datetime.fromisoformat(freeze["start"]), datetime.fromisoformat(freeze["end"])


def _fewer_names(before: list[str], after: list[str]) -> bool:
    return not all(_is_covered(name, after) for name in before)


def _more_names(before: list[str], after: list[str]) -> bool:
    return not all(_is_covered(name, before) for name in after)


def _is_covered(name: str, patterns: list[str]) -> bool:
    """Whether one of the patterns has every name that ``name``, a pattern too, has."""
    return any(_covers(pattern, name) for pattern in patterns)


def _covers(pattern: str, name: str) -> bool:
    if pattern in {name, "*"}:
        return True
    # Of stars alone it is sure that what matches the pattern's text matches all it stands for.
    is_plain = not any(sign in pattern for sign in "?[") and "[" not in name
    return is_plain and fnmatchcase(name, pattern)


def _longer_hours(before: list[int] | None, after: list[int] | None) -> bool:
    return not _hours(after) <= _hours(before)


def _hours(span: list[int] | None) -> set[int]:
    if span is None:
        return set(range(24))
    first, last = span
    return {hour % 24 for hour in range(first, last if last > first else last + 24)}


_TESTS: dict[str, _Test] = {
    "modes": _freer,
    "caps.timeout_s": _grew,
    "caps.memory_mb": _grew,
    "caps.ephemeral_storage_mb": _grew,
    "caps.reserved_concurrency": _grew,
    "caps.added_cost_usd_month": _grew,
    "limits.cooldown_s": _shrank,
    "limits.repairs_per_function_day": _grew,
    "limits.repairs_per_account_hour": _grew,
    "limits.steps_per_incident": _grew,
    "limits.incident_spacing_s": _never,
    "breaker.repairs": _grew,
    "breaker.same_cause_functions": _grew,
    "breaker.window_s": _shrank,
    "verification.window_s": _shrank,
    "verification.max_windows": _shrank,
    "verification.min_invocations": _shrank,
    "verification.unchanged": _to_keeping,
    "verification.unverified": _to_keeping,
    "verification.probe": _switched_on,
    "approval.timeout_s": _grew,
    "settle_s": _never,
    "schedule.allowed_hours": _longer_hours,
    "schedule.freeze": _thawed,
    "env.allow": _more_names,
    "env.never_unattended": _fewer_names,
}
"""By path, or by its first part. The time zone has a rule of its own."""
