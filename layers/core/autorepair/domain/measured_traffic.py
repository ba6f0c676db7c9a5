"""Reckons a function's traffic from its metrics by the hour, those by the minute, and its log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from autorepair.domain.evidence import Invocation, MetricSeries
from autorepair.domain.traffic import Traffic, Usual

MONTH, WEEK, HOUR = timedelta(days=30), timedelta(days=7), timedelta(hours=1)
_Points = tuple[tuple[datetime, float], ...]


def measured_traffic(
    hours: Sequence[MetricSeries],
    minutes: Sequence[MetricSeries],
    invocations: Sequence[Invocation],
    *,
    since: datetime,
    until: datetime,
) -> Traffic:
    """Sum up what ``hours`` tell of the past month, and ``minutes`` and the log of the incident.

    The incident is looked into from ``since`` on: what is usual is told by the hours before.

    Metrics come late, so the log counts where it tells of more calls. A function that is new is
    taken to go on as it began, from its first hour on: too much, rather than too little.
    """
    calls = tuple(point for point in _points(hours, "Invocations", "Sum") if point[1] > 0)
    first = calls[0][0] if calls else until - HOUR
    rates = _peaks((*hours, *minutes), "Invocations", "Sum")
    at_once = _peaks((*hours, *minutes), "ConcurrentExecutions", "Maximum")
    return Traffic(
        since=first,
        until=until,
        invocations_month=_a_month(calls, len(invocations), first, until),
        mean_ms=_mean_ms(hours, invocations),
        peak_per_s=max((value / span_s for value, span_s in rates), default=None),
        peak_concurrency=max((value for value, _ in at_once), default=None),
        cut_off_share=_cut_off_share(invocations, minutes),
        longest_silence_s=_longest_silence_s(calls, until),
        usual=_usual(hours, since),
    )


def _points(series: Sequence[MetricSeries], name: str, statistic: str) -> _Points:
    """Give a function's own metric; nothing where it was not read."""
    found = (s.points for s in series if (s.metric_name, s.statistic) == (name, statistic))
    return next(found, ())


def _a_month(calls: _Points, logged: int, since: datetime, until: datetime) -> float | None:
    counted = max(sum(value for _, value in calls), float(logged))
    if counted == 0:
        return None
    span = max(until - since, HOUR)
    lately = sum(value for at, value in calls if at >= until - WEEK)
    by_week = lately * (MONTH / WEEK) if span > WEEK else 0.0
    return max(counted * (MONTH / span), by_week)


def _longest_silence_s(calls: _Points, until: datetime) -> float | None:
    ends = [at + HOUR for at, _ in calls]
    begins = [*(at for at, _ in calls[1:]), until]
    silent = (begin - end for end, begin in zip(ends, begins, strict=False))
    return max((max(0.0, span.total_seconds()) for span in silent), default=None)


def _mean_ms(hours: Sequence[MetricSeries], invocations: Sequence[Invocation]) -> float | None:
    """Give the time that is billed for: since August 2025 that is the initialisation's too.

    What fails ends early more often than not, so the calls that succeed tell what is to come.
    None where none is known to have succeeded: how long one takes is not known then either.
    """
    good = [i.duration_ms for i in invocations if i.status == "success" and i.duration_ms]
    longest = max(_mean_of_all(hours), sum(good) / len(good)) if good else _most_of_good(hours)
    if longest is None:
        return None
    return longest + sum(i.init_ms or 0.0 for i in invocations) / max(1, len(invocations))


def _mean_of_all(hours: Sequence[MetricSeries]) -> float:
    weights = dict(_points(hours, "Invocations", "Sum"))
    means = _points(hours, "Duration", "Average")
    total = sum(weights.get(at, 0.0) for at, _ in means)
    spent = sum(weights.get(at, 0.0) * mean for at, mean in means)
    return spent / total if total else 0.0


def _most_of_good(hours: Sequence[MetricSeries]) -> float | None:
    """Give what a call that succeeded may have taken on average: all the time, over those calls.

    Of the hours in which any did; those that failed beside them are taken to have spent nothing.
    """
    calls = dict(_points(hours, "Invocations", "Sum"))
    failed = dict(_points(hours, "Errors", "Sum"))
    # An hour whose failures are not known is none that is known to have gone well.
    good = {at: n - failed[at] for at, n in calls.items() if at in failed and n > failed[at]}
    means = dict(_points(hours, "Duration", "Average"))
    known = [at for at in good if at in means]
    if not known:
        return None
    return sum(calls[at] * means[at] for at in known) / sum(good[at] for at in known)


def _usual(hours: Sequence[MetricSeries], since: datetime) -> Usual | None:
    calls = dict(_points(hours, "Invocations", "Sum"))
    failed = dict(_points(hours, "Errors", "Sum"))
    # An hour whose failures are not known tells nothing, and neither does one without calls.
    known = [at for at in calls if at in failed and at + HOUR <= since and calls[at] > 0]
    if not known:
        return None
    invocations = round(sum(calls[at] for at in known))
    failures = round(sum(min(failed[at], calls[at]) for at in known))
    return Usual(invocations=invocations, failures=failures)


def _peaks(series: Sequence[MetricSeries], name: str, statistic: str) -> list[tuple[float, int]]:
    """Give each value of a metric with the seconds that it is about."""
    return [
        (value, one.period_s)
        for one in series
        if (one.metric_name, one.statistic) == (name, statistic)
        for _, value in one.points
    ]


def _cut_off_share(
    invocations: Sequence[Invocation], minutes: Sequence[MetricSeries]
) -> float | None:
    """Give the share of calls that are cut off, since the first one was.

    A log that is too long is read where it tells of failures; the metrics count all calls, but
    as failed also those that failed in another way. So the lesser of the two is the nearer.
    """
    if not invocations:
        return None
    cut_off = [i for i in invocations if i.status == "timeout"]
    if not cut_off:
        return 0.0
    first = min(i.started_at for i in cut_off)
    logged = sum(i.started_at >= first for i in invocations)
    by_log = len(cut_off) / logged
    begin = first.replace(second=0, microsecond=0)
    calls = _since(begin, _points(minutes, "Invocations", "Sum"))
    errors = _since(begin, _points(minutes, "Errors", "Sum"))
    # Of fewer calls than the log has, the metrics do not know all yet.
    return min(by_log, errors / calls) if calls >= logged and errors else by_log


def _since(begin: datetime, points: _Points) -> float:
    return sum(value for at, value in points if at >= begin)
