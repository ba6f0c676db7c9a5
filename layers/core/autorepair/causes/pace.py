"""Pace: whether cut invocations had more to do than others, or were slower at as much work."""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import median

from autorepair.causes.limits import has_present_size, lines_of, reports_of, timeout_ms
from autorepair.causes.progress import whole_of
from autorepair.causes.spent_time import is_own_work, rise_of
from autorepair.causes.troubles import said_in
from autorepair.domain.diagnosis import Finding, RootCause
from autorepair.domain.evidence import Evidence, Invocation, LogLine
from autorepair.domain.statistics import log_ratio_of_hanging

# As much work within this factor, and slower by that one at least.
_ALIKE, _SLOWER = 1.25, 2.0
_FEWEST = 3
_ENOUGH_TO_TELL = 8
_LEANING = 0.6
# Enough to know what is typical.
_ENOUGH = 30
# "5.2 MB/s", "throughput_mbps=0.2", "rate_kb_s: 40".
_RATE = re.compile(
    r"(?<![\w.])(\d{1,9}(?:\.\d{1,6})?) ?([KMG])(?:i?B|bits?|b)(?:ytes)? ?(?:/ ?s|ps|per sec)"
    r"|(?:^|[^a-z])([kmg])i?b(?:ytes|its?)?(?:_?ps|_per_s(?:ec)?(?:ond)?|_s)\b[\"']?\s?[=:]\s?\"?"
    r"(\d{1,9}(?:\.\d{1,6})?)",
    re.IGNORECASE,
)
_RATE_UNITS = {"k": 1 / 1024, "m": 1.0, "g": 1024.0}
_LOOKED_AT = 500
# 5% of work that only is slow gains more (see `log_ratio_of_hanging`).
_FEWEST_TO_FORETELL, _SLOW_WORK_GAINS = 10, 1.35


def is_same_work_slower(evidence: Evidence, cut: tuple[Invocation, ...]) -> bool:
    """Whether as much work took half of the timeout, or less, before the first was cut.

    Then the work did not grow, and whatever slows it down may go on to do so. So it is where the
    rate falls at which the log says that data come or go. False where the log does not count the
    work, or counts more of it, or where the memory size was another one.
    """
    first = min((i.started_at for i in cut), default=None)
    if first is None:
        return False
    before = tuple(
        i
        for i in evidence.invocations
        if i.status == "success"
        and i.duration_ms
        and i.started_at < first
        and has_present_size(evidence, i)
    )
    if len(before) < _FEWEST:
        return False
    if _rate_falls(evidence, before, cut):
        return True
    then, now = _amount(evidence, before), _amount(evidence, cut)
    is_alike = then > 0 and 1 / _ALIKE <= now / then <= _ALIKE
    return is_alike and _SLOWER * median(i.duration_ms or 0.0 for i in before) <= timeout_ms(
        evidence
    )


def takes_as_long_as_ever(evidence: Evidence) -> bool:
    """Whether what finishes usually takes half of the timeout or more, and always did.

    By the log as well as by Lambda's own durations, where these go further back.
    """
    lasted = [
        i.duration_ms for i in evidence.invocations if i.status == "success" and i.duration_ms
    ]
    usual = timeout_ms(evidence) / _SLOWER
    if len(lasted) < _ENOUGH_TO_TELL or median(lasted) < usual or rise_of(evidence) is not None:
        return False
    series = evidence.metric("Duration", "Average")
    values = [value for _, value in series.points] if series else []
    return not values or median(values[: max(1, len(values) // 3)]) >= usual


def slowed(cut: tuple[Invocation, ...], *, is_counted: bool = True) -> Finding:
    """Blame whom the work waits for: nothing of the function's own makes it slower."""
    less = "with no more to do than others, which took less than half of it before"
    what = less if is_counted else "where others took a fraction of it, and nothing was changed"
    return Finding(
        cause=RootCause.DOWNSTREAM_SLOW,
        confidence=_LEANING,
        why=(
            f"{len(cut)} invocations ran into the timeout {what}: the work takes longer, as when "
            "another service answers more slowly, and a longer timeout only waits for it"
        ),
        cites=reports_of(cut),
        is_repairable=False,
    )


def _amount(evidence: Evidence, invocations: tuple[Invocation, ...]) -> float:
    """Give how many steps these typically have to do, as their words count to them; else 0."""
    lines = lines_of(evidence)
    told = [whole_of(lines.get(i.request_id, [])) for i in invocations[-_ENOUGH:]]
    counted = [whole for whole in told if whole]
    return median(counted) if counted else 0.0


def _rate_falls(
    evidence: Evidence, before: tuple[Invocation, ...], cut: tuple[Invocation, ...]
) -> bool:
    """Whether data came or went at half of the told rate, or less, in what was cut."""
    lines = lines_of(evidence)
    then, now = _rates(lines, before[-_ENOUGH:]), _rates(lines, cut[-_ENOUGH:])
    if len(then) < _FEWEST or 2 * len(now) < len(cut):
        return False
    return _SLOWER * median(now) <= median(then)


def _rates(lines: dict[str, list[LogLine]], invocations: tuple[Invocation, ...]) -> list[float]:
    """Give the last rate that each invocation tells, in megabytes a second."""
    told = [
        [rate for line in lines.get(i.request_id, []) if (rate := _rate_of(line)) is not None]
        for i in invocations
    ]
    return [rates[-1] for rates in told if rates]


def _rate_of(line: LogLine) -> float | None:
    """Give the rate that a line tells of data that come or go, and not of the own work's."""
    text = said_in(line)[:_LOOKED_AT]
    match = _RATE.search(text)
    if match is None or is_own_work(text):
        return None
    return float(match[1] or match[4]) * _RATE_UNITS[(match[2] or match[3])[0].lower()]


def tells_a_hang(completed: Sequence[float], *, cut: int, limit_ms: float) -> bool:
    """Whether the durations below the limit foretell far fewer time-outs than there were.

    Then some of those that were cut would never have ended. Measured on simulated traffic
    (`python -m benchmarks`): a hang is then raised in 0.1% of trials instead of 9%, and 94% of the
    slow work still is.
    """
    within = [duration for duration in completed if 0 < duration <= limit_ms]
    if len(within) < _FEWEST_TO_FORETELL or cut < 1:
        return False
    return log_ratio_of_hanging(within, cut=cut, limit=limit_ms) > _SLOW_WORK_GAINS
