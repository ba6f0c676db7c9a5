"""A release that works, and takes several times as long: two versions under the same traffic."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median, quantiles

from autorepair.causes.limits import lines_of
from autorepair.causes.spent_time import Rise, SpentTime, has_more_to_do
from autorepair.causes.troubles import said_in, trouble_of
from autorepair.domain.evidence import Evidence, Invocation

_TIMES = 3.0
_LEAST_MORE_MS = 500.0
# Deciles need no fewer; and so many calls before and after a moment are no chance.
_ENOUGH = 10
_AT_THE_MOVE = 5
_LEVEL = 1.5
_AT_ONCE = timedelta(minutes=10)
_OF_OTHERS = 0.45
_SOME = 0.1


@dataclass(frozen=True, slots=True)
class Slower:
    """The typical durations of two versions, and the calls of the slower one."""

    before_ms: float
    after_ms: float
    calls: tuple[Invocation, ...]


def slower_since(evidence: Evidence, *, good: str, bad: str, moved_at: datetime) -> Slower | None:
    """Say how much slower a version is than the one before it, where nothing but it explains that.

    Warm calls that finished are compared. The level has to change with the move: nine in ten calls
    of the new version last longer than nine in ten of the former, whose last ones were as swift as
    ever, and the first of the new one are slow already. None where the calls had more to do, where
    others took the time, where the memory size differs, where the new version tells of trouble
    with another service, or where a version has fewer than ten calls.
    """
    former, present = _warm(evidence, good), _warm(evidence, bad)
    if min(len(former), len(present)) < _ENOUGH:
        return None
    rise = Rise(former, present, _typical_ms(former), _typical_ms(present))
    more_ms = rise.after_ms - rise.before_ms
    if rise.after_ms < _TIMES * rise.before_ms or more_ms < _LEAST_MORE_MS:
        return None
    if not _is_of_the_move(rise, moved_at) or len({i.memory_mb for i in (*former, *present)}) > 1:
        return None
    spent = SpentTime(evidence)
    others_ms = spent.typical_ms(present) - spent.typical_ms(former)
    if others_ms >= _OF_OTHERS * more_ms or has_more_to_do(spent, rise):
        return None
    if _in_trouble(evidence, present) >= _SOME * len(present):
        return None
    return Slower(rise.before_ms, rise.after_ms, present)


def _warm(evidence: Evidence, version: str) -> tuple[Invocation, ...]:
    found = [
        i
        for i in evidence.invocations
        if i.version == version and i.status == "success" and i.init_ms is None and i.duration_ms
    ]
    return tuple(sorted(found, key=lambda i: i.started_at))


def _typical_ms(invocations: tuple[Invocation, ...]) -> float:
    return median(i.duration_ms or 0.0 for i in invocations)


def _is_of_the_move(rise: Rise, moved_at: datetime) -> bool:
    """Whether the level changed when the alias was moved, and at no other time."""
    slowest = quantiles((i.duration_ms or 0.0 for i in rise.before), n=10)[-1]
    swiftest = quantiles((i.duration_ms or 0.0 for i in rise.after), n=10)[0]
    last, first = rise.before[-_AT_THE_MOVE:], rise.after[:_AT_THE_MOVE]
    return (
        slowest < swiftest
        and _typical_ms(last) <= _LEVEL * rise.before_ms
        and _typical_ms(first) * _LEVEL >= rise.after_ms
        and abs(rise.before[-1].started_at - moved_at) <= _AT_ONCE
        and abs(rise.after[0].started_at - moved_at) <= _AT_ONCE
    )


def _in_trouble(evidence: Evidence, invocations: tuple[Invocation, ...]) -> int:
    """Count the invocations that tell of trouble with another service."""
    lines = lines_of(evidence)
    return sum(
        any(trouble_of(said_in(line)) is not None for line in lines.get(i.request_id, ()))
        for i in invocations
    )
