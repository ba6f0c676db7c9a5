"""When the trouble began, and whether it began with something that was done to the function."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from autorepair.domain.evidence import Evidence, RecentChange

Onset = Literal["surely", "possibly"]

# A function that failed more often than this before was not healthy then.
_HEALTHY = 0.1
# What began with a change is seen in at least this share of the calls after it, ...
_LEAST_SHARE = 0.2
# ... and after no more calls that went well than this (environments of before live on a little).
_FEW_CLEAN = 3
_CLEAN_SHARE = 0.15
_ENOUGH_BEFORE = 3
_NEARLY_ALL = 0.8
# What a function begins its life with is no change.
CREATION = "CreateFunction"


@dataclass(frozen=True, slots=True)
class _Count:
    calls: int
    failed: int

    @property
    def share(self) -> float:
        return self.failed / self.calls if self.calls else 0.0


def onset_with(evidence: Evidence, change: RecentChange) -> Onset | None:
    """Say whether the failures began with a change.

    ``surely`` where the function was seen healthy until then and failing since; ``possibly`` where
    it was not seen before and fails nearly always since; None where it failed before as well, or
    went on well after the change.
    """
    if change.event.startswith(CREATION):
        return None
    before, after = _counts(evidence, change.at)
    if not after.failed:
        return None
    clean = _clean_calls(evidence, change.at)
    if before.calls < _ENOUGH_BEFORE:
        return "possibly" if after.share >= _NEARLY_ALL and clean <= 1 else None
    is_new = before.share <= _HEALTHY and after.share >= max(_LEAST_SHARE, 3 * before.share)
    is_at_once = clean <= max(_FEW_CLEAN, _CLEAN_SHARE * after.calls)
    return "surely" if is_new and is_at_once else None


def _counts(evidence: Evidence, at: datetime) -> tuple[_Count, _Count]:
    """Count the calls and the failures before and after a moment: Lambda's own, else the log's."""
    seen = [i for i in evidence.invocations if i.status != "unfinished"]
    earlier = [i for i in seen if i.started_at < at]
    later = [i for i in seen if i.started_at >= at]
    logged = (
        _Count(len(earlier), sum(i.has_failed for i in earlier)),
        _Count(len(later), sum(i.has_failed for i in later)),
    )
    counted = _counted(evidence, at)
    if counted is None:
        return logged
    before = max(counted[0], logged[0], key=lambda count: count.calls)
    after = counted[1] if counted[1].calls >= logged[1].calls else logged[1]
    return before, after


def _counted(evidence: Evidence, at: datetime) -> tuple[_Count, _Count] | None:
    """Count by the metrics; the period in which the moment lies counts for neither side."""
    calls, errors = evidence.metric("Invocations", "Sum"), evidence.metric("Errors", "Sum")
    if calls is None or errors is None:
        return None
    span = timedelta(seconds=calls.period_s)
    failed = dict(errors.points)
    before = [(value, failed.get(when, 0.0)) for when, value in calls.points if when + span <= at]
    after = [(value, failed.get(when, 0.0)) for when, value in calls.points if when >= at]
    return _summed(before), _summed(after)


def _summed(points: list[tuple[float, float]]) -> _Count:
    return _Count(round(sum(calls for calls, _ in points)), round(sum(bad for _, bad in points)))


def _clean_calls(evidence: Evidence, at: datetime) -> int:
    """Count the calls that went well between a moment and the first failure after it."""
    later = sorted(
        (i for i in evidence.invocations if i.started_at >= at and i.status != "unfinished"),
        key=lambda i: i.started_at,
    )
    clean = 0
    for invocation in later:
        if invocation.has_failed:
            return max(clean, _clean_minutes(evidence, at))
        clean += 1
    return _clean_minutes(evidence, at) or clean


def _clean_minutes(evidence: Evidence, at: datetime) -> int:
    """Count the calls of the periods after a moment until the first one with an error."""
    calls, errors = evidence.metric("Invocations", "Sum"), evidence.metric("Errors", "Sum")
    if calls is None or errors is None:
        return 0
    failed = dict(errors.points)
    clean = 0.0
    for when, value in calls.points:
        if when < at:
            continue
        if failed.get(when, 0.0) > 0:
            break
        clean += value
    return round(clean)
