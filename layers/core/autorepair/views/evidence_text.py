"""What the stored evidence says, as lines for a person: kinds of failure, onset, climbs, words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from autorepair.domain.diagnosis import Diagnosis
from autorepair.domain.evidence import (
    EnvironmentTrend,
    Evidence,
    Invocation,
    RecentChange,
    Signature,
)

MOST_QUOTES = 3
_MOST = 5
_LONGEST = 300
# Below this a slope is the noise of one invocation to the next.
_LEAST_CLIMB_MB, _LEAST_CLIMB_MS, _LEAST_TO_SLOW = 0.5, 20.0, 8
# What differs from one failure of a kind to the next: times, figures, ids.
_VARYING = re.compile(r"[0-9a-f]{8,64}|[0-9]{1,40}")
# Of a stack trace people need the places, not what stands around each of them.
_TRIMMINGS = re.compile(
    r'Traceback \(most recent call last\):?|/var/task/|/opt/python/|"?stackTrace"?:?'
)
_PLACE = re.compile(r'File "([^"\n]{1,200})", line ([0-9]{1,7}),?')
_OF_THE_PLATFORM = re.compile(r"^[0-9:]{8} (?:START|END|REPORT|INIT_REPORT|invocation:)")


def evidence_lines(evidence: Evidence, diagnosis: Diagnosis | None) -> tuple[str, ...]:
    """Give the evidence in a screenful.

    That is each kind of failure with its count, when it began and what was changed before, which
    environments climb, what could not be read, and the words that the diagnosis cites.
    """
    return (
        _span(evidence),
        *_onset(evidence),
        *(_signature(signature) for signature in evidence.signatures[:_MOST]),
        *(_climb(trend) for trend in _climbing(evidence)),
        *(f"not read: {gap.source}: {gap.reason}" for gap in evidence.gaps),
        *_cited(evidence, diagnosis),
    )


def shares_between(interval: tuple[float, float]) -> str:
    """Give an interval of shares in whole percent."""
    return f"{interval[0]:.0%}-{interval[1]:.0%}"


def _span(evidence: Evidence) -> str:
    span = f"{evidence.window_start:%Y-%m-%d %H:%M} to {evidence.window_end:%H:%M} UTC"
    return f"{len(evidence.invocations)} invocations, {len(evidence.failures)} failed, {span}"


def _onset(evidence: Evidence) -> Iterator[str]:
    onset = evidence.onset
    if onset is None:
        return
    before = onset.last_success_before
    since = f"the last success before it began {before:%H:%M:%S}" if before else "none before it"
    yield f"first failure {onset.first_failure_at:%H:%M:%S}, {since}"
    changes = {change.id: change for change in evidence.changes}
    for change_id in onset.changes[:_MOST]:
        if (change := changes.get(change_id)) is not None:
            yield f"changed shortly before: {_change(change)}"


def _signature(signature: Signature) -> str:
    seen = f"{signature.first_at:%H:%M:%S} to {signature.last_at:%H:%M:%S}"
    return f"{signature.count} x {_short(signature.template)} ({seen})"


def _climbing(evidence: Evidence) -> list[EnvironmentTrend]:
    climbing = [t for t in evidence.environments if _climbs(t)]
    return sorted(climbing, key=lambda t: (-t.used_slope_mb, -t.duration_slope_ms))[:_MOST]


def _climbs(trend: EnvironmentTrend) -> bool:
    return trend.used_slope_mb >= _LEAST_CLIMB_MB or _slows(trend)


def _slows(trend: EnvironmentTrend) -> bool:
    """Durations scatter more than memory does, so a few of them show no trend."""
    has_enough = trend.invocations >= _LEAST_TO_SLOW
    return has_enough and trend.duration_slope_ms >= _LEAST_CLIMB_MS


def _climb(trend: EnvironmentTrend) -> str:
    told = []
    if trend.used_slope_mb >= _LEAST_CLIMB_MB:
        told.append(f"memory from {trend.first_used_mb} to {trend.last_used_mb} MB")
    if _slows(trend):
        told.append(f"each call {trend.duration_slope_ms:.0f} ms longer than the one before")
    calls = f"{trend.invocations} invocations"
    return f"environment {trend.stream[-8:]}: {', '.join(told)} in {calls}"


def quotes_of(evidence: Evidence, diagnosis: Diagnosis) -> tuple[str, ...]:
    """Give a few of the cited things in their own words, for people who have no log at hand.

    Each kind of words once, the function's own before the figures of the platform. Where nothing
    is cited, the failures' most frequent words stand in: these are what has to be explained.
    """
    told = dict.fromkeys(diagnosis.cites)
    words = _each_kind_once([w for cite in told for w in _said_by(evidence, cite)])
    if not words:
        words = [_signature(one) for one in evidence.signatures]
    return tuple(
        _short(_PLACE.sub(r"\1:\2", _TRIMMINGS.sub("", one))) for one in words[:MOST_QUOTES]
    )


def _said_by(evidence: Evidence, cite: str) -> Iterator[str]:
    """Say what an id stands for: a line of the log, an invocation, a change or a metric."""
    for line in evidence.log_lines:
        if line.id == cite:
            yield f"{line.at:%H:%M:%S} {line.message}"
            return
    yield from (_invocation(one) for one in evidence.invocations if one.report_id == cite)
    yield from (_change(one) for one in evidence.changes if one.id == cite)
    for series in evidence.metrics:
        if series.id == cite:
            highest = max((value for _, value in series.points), default=0.0)
            yield f"{series.metric_name} ({series.statistic}): at most {highest:g} in a minute"


def _each_kind_once(words: list[str]) -> list[str]:
    kinds: dict[str, str] = {}
    for one in words:
        kinds.setdefault(_VARYING.sub("#", one), one)
    return sorted(kinds.values(), key=lambda one: _OF_THE_PLATFORM.search(one) is not None)


def _invocation(invocation: Invocation) -> str:
    took = f" after {invocation.duration_ms:.0f} ms" if invocation.duration_ms is not None else ""
    used = f", {invocation.max_memory_used_mb} of {invocation.memory_mb} MB used"
    used = used if invocation.max_memory_used_mb and invocation.memory_mb else ""
    return f"{invocation.started_at:%H:%M:%S} invocation: {invocation.status}{took}{used}"


def _change(change: RecentChange) -> str:
    by = f" by {change.principal}" if change.principal else ""
    return f"{change.at:%H:%M:%S} {change.event}{by}"


def _cited(evidence: Evidence, diagnosis: Diagnosis | None) -> Iterator[str]:
    if diagnosis is None:
        return
    for cited in diagnosis.cites:
        for words in _said_by(evidence, cited):
            yield f"cited {_short(words)}"


def _short(text: str) -> str:
    flat = " ⏎ ".join(part.strip() for part in text.splitlines() if part.strip())
    flat = "".join(letter if letter.isprintable() else " " for letter in flat)
    return flat if len(flat) <= _LONGEST else flat[: _LONGEST - 1] + "…"
