"""How environments did over time, and what was changed before the failures began."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from autorepair.domain.evidence import EnvironmentTrend, Invocation, Onset, RecentChange

MOST_ENVIRONMENTS = 50
_BEFORE = timedelta(hours=1)
_FEWEST = 2


def environments(invocations: Iterable[Invocation]) -> tuple[EnvironmentTrend, ...]:
    """Give the environments that served the most invocations, by their beginning.

    One log stream is one environment, until it is restarted after a crash.
    """
    by_stream: dict[str, list[Invocation]] = {}
    for invocation in invocations:
        by_stream.setdefault(invocation.stream, []).append(invocation)
    found = [_trend(stream, seen) for stream, seen in by_stream.items()]
    found.sort(key=lambda trend: (-trend.invocations, trend.first_at, trend.stream))
    return tuple(
        sorted(found[:MOST_ENVIRONMENTS], key=lambda trend: (trend.first_at, trend.stream))
    )


def onset(invocations: Iterable[Invocation], changes: Iterable[RecentChange]) -> Onset | None:
    """Say when the failures began, and which changes were made in the hour before; None if none."""
    seen = sorted(invocations, key=lambda invocation: invocation.started_at)
    first = next((i.started_at for i in seen if i.has_failed), None)
    if first is None:
        return None
    good = [i.started_at for i in seen if i.status == "success" and i.started_at < first]
    near = [c for c in changes if timedelta(0) <= first - c.at <= _BEFORE]
    return Onset(
        first_failure_at=first,
        last_success_before=good[-1] if good else None,
        changes=tuple(c.id for c in sorted(near, key=lambda c: c.at, reverse=True)),
    )


def slope(values: Sequence[float]) -> float:
    """Give the least-squares slope of values over their order, per step; 0 for fewer than two."""
    count = len(values)
    if count < _FEWEST:
        return 0.0
    middle, mean = (count - 1) / 2, sum(values) / count
    rise = sum((place - middle) * (value - mean) for place, value in enumerate(values))
    return rise / (count * (count * count - 1) / 12)


def _trend(stream: str, seen: list[Invocation]) -> EnvironmentTrend:
    ordered = sorted(seen, key=lambda invocation: invocation.started_at)
    used = [i.max_memory_used_mb for i in ordered if i.max_memory_used_mb is not None]
    took = [i.duration_ms for i in ordered if i.duration_ms is not None]
    sizes = [i.memory_mb for i in ordered if i.memory_mb is not None]
    return EnvironmentTrend(
        stream=stream,
        version=ordered[-1].version,
        invocations=len(ordered),
        failures=sum(i.has_failed for i in ordered),
        first_at=ordered[0].started_at,
        last_at=ordered[-1].started_at,
        memory_mb=sizes[-1] if sizes else None,
        first_used_mb=used[0] if used else None,
        last_used_mb=used[-1] if used else None,
        used_slope_mb=round(slope(used), 3),
        duration_slope_ms=round(slope(took), 3),
    )
