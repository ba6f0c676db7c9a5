"""Concurrency: calls that Lambda turns away because no execution is free."""

from __future__ import annotations

import re
from statistics import median

from autorepair.causes.cause import Cause
from autorepair.causes.purpose import purpose_of, reservations
from autorepair.domain.change import RepairKind
from autorepair.domain.diagnosis import ConcurrencyNeed, Finding, RootCause
from autorepair.domain.evidence import Evidence, MetricSeries, RecentChange

_NEAR = 0.9
# Retries of throttled calls are counted as calls again, so the demand they suggest is cut here.
_MOST_OVER_PEAK = 4.0
# Executions that last this much longer than before fill the reservation by themselves.
_LONGER = 2.0
_LEAST_THROTTLED = 0.01
_SOME_FAIL = 0.02
# An account keeps 100 executions unreserved, whatever is reserved (Lambda developer guide).
_KEPT_UNRESERVED = 100
_LEAST_HEADROOM = 2
# A reservation that did before the change had about as much to spare as a planned one gets.
_OF_FORMER = 0.4
_BACKLOGS = frozenset({
    "ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible", "IteratorAge",
    "OffsetLag",
})  # fmt: skip
# How many a mapping runs at once, before and after a change of it.
_POLLER = re.compile(
    r"(?i)(?:maximum_?concurrency|parallelization_?factor)\W{1,4}(\d{1,5})[^\d\n]{1,60}(\d{1,5})\b"
)
# A reservation before and after, as a note of a change tells it.
_LOWERED = re.compile(r"(?i)\breserv\w{0,40}: ?(\d{1,6}) ?(?:->|→|to) ?\d{1,6}\b")


def _diagnose(evidence: Evidence) -> Finding | None:
    throttles = evidence.metric("Throttles", "Sum")
    if throttles is None or not _matters(evidence, throttles):
        return _held_down(evidence)
    reserved = evidence.configuration.reserved_concurrency
    if reserved == 0:
        return _switched_off(evidence, throttles)
    peak = _peak(evidence, throttles)
    if reserved is not None and (peak is None or peak >= _NEAR * reserved):
        return _at_reservation(evidence, throttles, reserved, peak)
    return _at_account_limit(evidence, throttles, peak)


def _matters(evidence: Evidence, throttles: MetricSeries) -> bool:
    """Whether so many calls are turned away that somebody has to notice, or the alarm says so."""
    turned_away = sum(value for _, value in throttles.points)
    if turned_away <= 0:
        return False
    if evidence.alarm is not None and evidence.alarm.metric_name == "Throttles":
        return True
    calls = evidence.metric("Invocations", "Sum")
    ran = sum(value for _, value in calls.points) if calls else 0.0
    errors = evidence.metric("Errors", "Sum")
    failed = sum(value for _, value in errors.points) if errors else 0.0
    alarm = evidence.alarm.metric_name if evidence.alarm else None
    if alarm == "Errors" and failed >= _SOME_FAIL * ran > 0:
        return False
    # Where far more invocations fail than are turned away, the failures are the story.
    return turned_away >= _LEAST_THROTTLED * (ran + turned_away) and turned_away >= failed


def _switched_off(evidence: Evidence, throttles: MetricSeries) -> Finding:
    return _finding(
        0.9,
        "the function's reserved concurrency is 0, which turns every call away: that is how a "
        "function is switched off, so whoever did it has to say whether it may run again",
        (throttles.id, *_cited_changes(evidence)),
    )


def _held_down(evidence: Evidence) -> Finding | None:
    """Nothing is turned away, but a poller may run fewer at once, and its source backs up."""
    running = evidence.metric("ConcurrentExecutions", "Maximum")
    for change in reversed(evidence.changes):
        told = _POLLER.search(f"{change.event} {change.note}"[:1000])
        if told is None or running is None or int(told[2]) >= int(told[1]):
            continue
        since = [value for at, value in running.points if at >= change.at]
        cap = float(told[2])
        if since and _NEAR * cap <= median(since) <= cap and _backs_up(evidence):
            return _finding(
                0.8,
                f"since the event source mapping may run no more than {cap:.0f} at once (it was "
                f"{told[1]}), as many run all the time and what it reads piles up: the mapping, "
                "and not the function, has to be changed",
                (running.id, change.id),
            )
    return None


def _backs_up(evidence: Evidence) -> bool:
    """Whether the age or the number of what waits for the function has grown manifold."""
    waiting = [
        [value for _, value in series.points]
        for series in evidence.metrics
        if series.metric_name in _BACKLOGS and series.points
    ]
    return any(values[-1] >= _LONGER * max(1.0, values[0]) for values in waiting)


def _at_reservation(
    evidence: Evidence, throttles: MetricSeries, reserved: int, peak: float | None
) -> Finding:
    why = (
        f"calls were turned away {sum(v for _, v in throttles.points):.0f} times while "
        f"{_told(peak)} of {reserved} reserved executions were running"
    )
    cites = (throttles.id, *_cited_peak(evidence), *_cited_changes(evidence))
    if reason := _longer(evidence, throttles):
        return _finding(0.6, f"{why}; {reason}", cites)
    if (purpose := purpose_of(evidence, reserved)) is not None:
        reason, shown = purpose
        return _finding(0.85, f"{why}; {reason}", (*cites, *shown))
    account = evidence.concurrency
    if account is None or account.unreserved - _KEPT_UNRESERVED < _LEAST_HEADROOM * reserved:
        return _finding(
            0.85,
            f"{why}; whether the account has as many to spare is not known, or it has not",
            cites,
        )
    demand = max(
        _demand(evidence, throttles, peak or float(reserved)), _OF_FORMER * _former(evidence)
    )
    need = ConcurrencyNeed(executions=demand, seen_at_reserved=reserved)
    why += f"; {account.unreserved} executions of the account are unreserved"
    return _finding(0.92 if peak is not None else 0.8, why, cites, need)


def _at_account_limit(
    evidence: Evidence, throttles: MetricSeries, peak: float | None
) -> Finding | None:
    account = evidence.concurrency
    count = sum(value for _, value in throttles.points)
    why = f"calls were turned away {count:.0f} times while {_told(peak)} executions were running"
    if account is not None and peak is not None and peak >= _NEAR * account.unreserved:
        why += f", which is all that the account leaves unreserved ({account.unreserved})"
        confidence = 0.9
    else:
        why += ", with no limit of its own in the way: the account's limit, or how fast it scales"
        confidence = 0.8
    return _finding(
        confidence,
        f"{why}; other functions share it, so this is for the account's owner to settle",
        (throttles.id, *_cited_peak(evidence)),
    )


def _longer(evidence: Evidence, throttles: MetricSeries) -> str:
    """Say so where executions last so much longer that they, and not more calls, fill it."""
    durations = evidence.metric("Duration", "Average")
    start = next((at for at, value in throttles.points if value > 0), None)
    if durations is None or start is None:
        return ""
    before = [value for at, value in durations.points if at < start]
    since = [value for at, value in durations.points if at >= start]
    if not before or not since or median(since) < _LONGER * median(before):
        return ""
    return (
        f"the executions last {median(since) / median(before):.1f} times as long as before, and "
        "that is what fills the reservation"
    )


def _demand(evidence: Evidence, throttles: MetricSeries, peak: float) -> float:
    """Give how many executions at once all calls would have taken, the refused ones included.

    The larger of rate x duration (Little's law; Lambda developer guide, "concurrency = requests
    per second x duration") and the observed peak scaled by all calls over those that ran, in the
    worst minute; refused calls come again, so no more than four times the peak is believed. What
    ran at once before any was refused is believed as it is.
    """
    ran = dict(calls.points) if (calls := evidence.metric("Invocations", "Sum")) else {}
    lasting = dict(d.points) if (d := evidence.metric("Duration", "Average")) else {}
    most = peak
    for at, refused in throttles.points:
        if refused > 0 and ran.get(at, 0.0) > 0:
            calls_in_all = ran[at] + refused
            by_rate = calls_in_all / throttles.period_s * lasting.get(at, 0.0) / 1000
            most = max(most, peak * calls_in_all / ran[at], by_rate)
    return max(min(most, _MOST_OVER_PEAK * peak), _peak_before(evidence, throttles))


def _peak_before(evidence: Evidence, throttles: MetricSeries) -> float:
    """Give the most executions at once before the first call was turned away, 0 where untold."""
    series = evidence.metric("ConcurrentExecutions", "Maximum")
    start = next((at for at, value in throttles.points if value > 0), None)
    if series is None or start is None:
        return 0.0
    return max((value for at, value in series.points if at < start), default=0.0)


def _former(evidence: Evidence) -> float:
    """Give the reservation that the latest recent change lowered, 0 where none did."""
    present = evidence.configuration.reserved_concurrency or 0
    lowered = [before for c in evidence.changes if (before := _reserved_before(c)) > present]
    return float(lowered[-1]) if lowered else 0.0


def _reserved_before(change: RecentChange) -> int:
    """Give the reservation before a change, by its settings or its note; 0 where neither tells."""
    setting = change.setting("reserved_concurrency")
    if setting is not None:
        return setting.before if isinstance(setting.before, int) else 0
    told = _LOWERED.search(change.note[:500])
    return int(told[1]) if told else 0


def _peak(evidence: Evidence, throttles: MetricSeries) -> float | None:
    """Give the most executions at once while calls were turned away; None where untold."""
    series = evidence.metric("ConcurrentExecutions", "Maximum")
    refused = [at for at, value in throttles.points if value > 0]
    if series is None or not refused:
        return None
    return max((value for at, value in series.points if at >= min(refused)), default=None)


def _told(peak: float | None) -> str:
    return "an unknown number" if peak is None else f"{peak:.0f}"


def _cited_changes(evidence: Evidence) -> tuple[str, ...]:
    return tuple(change.id for change in reservations(evidence)[-1:])


def _cited_peak(evidence: Evidence) -> tuple[str, ...]:
    series = evidence.metric("ConcurrentExecutions", "Maximum")
    return (series.id,) if series else ()


def _finding(
    confidence: float, why: str, cites: tuple[str, ...], need: ConcurrencyNeed | None = None
) -> Finding:
    return Finding(
        cause=RootCause.CONCURRENCY_LIMITED,
        confidence=confidence,
        why=why,
        cites=cites,
        need=need,
        is_repairable=need is not None,
    )


CONCURRENCY_LIMITED = Cause(
    label=RootCause.CONCURRENCY_LIMITED,
    signal=(
        "Throttles above zero, with ConcurrentExecutions at the function's reservation or at what "
        "the account leaves unreserved; the invocations that run are well. Or a mapping whose "
        "concurrency was lowered, as many executions all the time, and a backlog that grows."
    ),
    proof=(
        "Lambda turns a call away only when no execution is free for it; the metrics count both, "
        "whatever the log shows."
    ),
    silence=(
        "More invocations fail than are turned away, or next to none are. No repair where the "
        "reservation is 0 (switched off), was made for a purpose, guards another service whose "
        "connections are nearly all taken, is filled by executions that "
        "last longer than before, or where the account has nothing to spare."
    ),
    repair=RepairKind.SET_RESERVED_CONCURRENCY,
    runbook="concurrency-limited",
    diagnose=_diagnose,
    explains=(RootCause.FALSE_ALARM, RootCause.INSUFFICIENT_EVIDENCE, RootCause.UNKNOWN),
)
