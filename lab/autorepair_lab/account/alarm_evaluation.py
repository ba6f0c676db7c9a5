"""Whether a metric alarm's threshold is crossed, and the reason CloudWatch gives for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from autorepair_lab.account.metrics import MetricStore, Series, metric_of, query_series

_COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanOrEqualToThreshold": (lambda a, b: a >= b, "greater than or equal to"),
    "GreaterThanThreshold": (lambda a, b: a > b, "greater than"),
    "LessThanThreshold": (lambda a, b: a < b, "less than"),
    "LessThanOrEqualToThreshold": (lambda a, b: a <= b, "less than or equal to"),
}


@dataclass(frozen=True)
class Verdict:
    """The state that an alarm should have, with the reason for it."""

    state: str
    reason: str
    reason_data: str


def alarm_time(at: datetime) -> str:
    """A time as alarms write it: milliseconds and +0000."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"


def evaluate_alarm(store: MetricStore, alarm: Mapping[str, Any], now: datetime) -> Verdict | None:
    """The verdict on a metric alarm; None where it keeps its state (missing data ignored).

    The period that is still running counts: in the lab metrics are there at once, and nobody wants
    to wait for the minute to end.
    """
    period = _period(alarm)
    count = alarm["EvaluationPeriods"]
    last = int(now.timestamp() // period * period)
    starts = [last - period * back for back in reversed(range(count))]
    series = _series(store, alarm, starts[0], last + period)
    points = [(at, series[at]) for at in starts if at in series]
    is_crossed, words = _COMPARISONS[alarm["ComparisonOperator"]]
    threshold = float(alarm["Threshold"])
    breaching = sum(is_crossed(value, threshold) for _, value in points)
    missing = alarm.get("TreatMissingData", "missing")
    if missing == "breaching":
        breaching += count - len(points)
    if not points and missing in {"missing", "ignore"}:
        return None if missing == "ignore" else _insufficient(alarm, count, now)
    needed = alarm.get("DatapointsToAlarm") or count
    state = "ALARM" if breaching >= needed else "OK"
    return Verdict(
        state,
        _reason(alarm, state, points, breaching, words),
        _reason_data(alarm, period, points, now, starts[0]),
    )


def _period(alarm: Mapping[str, Any]) -> int:
    if alarm.get("Period"):
        return int(alarm["Period"])
    stats = [query["MetricStat"]["Period"] for query in alarm["Metrics"] if "MetricStat" in query]
    return int(max(stats))


def _series(store: MetricStore, alarm: Mapping[str, Any], start: int, end: int) -> Series:
    if alarm.get("Metrics"):
        found = query_series(store, alarm["Metrics"], start, end)
        shown = [query["Id"] for query in alarm["Metrics"] if query.get("ReturnData", True)]
        return found[shown[0]]
    return store.series(
        metric_of(alarm),
        alarm.get("Statistic") or alarm["ExtendedStatistic"],
        int(alarm["Period"]),
        start,
        end,
    )


def _reason(
    alarm: Mapping[str, Any],
    state: str,
    points: list[tuple[int, float]],
    breaching: int,
    words: str,
) -> str:
    count = alarm["EvaluationPeriods"]
    shown = ", ".join(
        f"{value} ({datetime.fromtimestamp(at, UTC).strftime('%d/%m/%y %H:%M:%S')})"
        for at, value in points
    )
    verb = "was" if len(points) == 1 else "were"
    negation = "" if state == "ALARM" else "not "
    told = breaching if state == "ALARM" else len(points)
    before = alarm["StateValue"]
    need = (alarm.get("DatapointsToAlarm") or count) if state == "ALARM" else 1
    plural = "" if need == 1 else "s"
    return (
        f"Threshold Crossed: {told} out of the last {count} datapoints [{shown}] {verb} {negation}"
        f"{words} the threshold ({float(alarm['Threshold'])}) (minimum {need} datapoint{plural} "
        f"for {before} -> {state} transition)."
    )


def _reason_data(
    alarm: Mapping[str, Any],
    period: int,
    points: list[tuple[int, float]],
    now: datetime,
    start: int,
) -> str:
    data: dict[str, Any] = {
        "version": "1.0",
        "queryDate": alarm_time(now),
        "startDate": alarm_time(datetime.fromtimestamp(start, UTC)),
    }
    if not alarm.get("Metrics"):
        data["statistic"] = alarm.get("Statistic") or alarm["ExtendedStatistic"]
    data |= {
        "period": period,
        "recentDatapoints": [value for _, value in points],
        "threshold": float(alarm["Threshold"]),
        "evaluatedDatapoints": [
            {"timestamp": alarm_time(datetime.fromtimestamp(at, UTC)), "value": value}
            for at, value in points
        ],
    }
    return json.dumps(data, separators=(",", ":"))


def _insufficient(alarm: Mapping[str, Any], count: int, now: datetime) -> Verdict:
    start = int(now.timestamp()) - _period(alarm) * count
    return Verdict(
        "INSUFFICIENT_DATA",
        f"Insufficient Data: {count} datapoint{'' if count == 1 else 's'} "
        f"{'was' if count == 1 else 'were'} unknown.",
        _reason_data(alarm, _period(alarm), [], now, start),
    )
