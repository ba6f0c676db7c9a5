"""Alarms, metric filters and the queue of incidents, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from autorepair.domain.described_alarm import AlarmState, DescribedAlarm, WatchedMetric
from autorepair.domain.filtered_log import FilteredLog
from autorepair.domain.own_alarms import Fit

LONG_AGO = datetime(2026, 3, 1, tzinfo=UTC)


def described(name: str, /, *functions: str, **facts: object) -> DescribedAlarm:
    """Make an alarm in ALARM on the errors of functions."""
    return DescribedAlarm(
        name=name,
        arn=f"arn:aws:cloudwatch:us-east-1:123456789012:alarm:{name}",
        state="ALARM",
        changed_at=LONG_AGO,
        metrics=tuple(
            WatchedMetric(namespace="AWS/Lambda", name="Errors", dimensions={"FunctionName": f})
            for f in functions
        ),
    ).model_copy(update=facts)


class FakeAlarms:
    """Any alarm stands in ALARM, unless it is put here otherwise, has recovered or is gone."""

    def __init__(self) -> None:
        self.there: dict[str, DescribedAlarm] = {}
        self.recovered: set[str] = set()
        self.gone: set[str] = set()
        self.silent: dict[str, str] = {}
        self.asked: list[str] = []
        self.error: Exception | None = None
        self.silence_error: Exception | None = None

    def put(self, *alarms: DescribedAlarm) -> None:
        self.there |= {alarm.name: alarm for alarm in alarms}

    def read(self, names: Sequence[str]) -> tuple[DescribedAlarm, ...]:
        self.asked += names
        if self.error is not None:
            raise self.error
        return tuple(self._described(name) for name in sorted(set(names) - self.gone))

    def silenced_by(self, alarm: DescribedAlarm) -> str | None:
        if self.silence_error is not None:
            raise self.silence_error
        return self.silent.get(alarm.name)

    def _described(self, name: str) -> DescribedAlarm:
        state: AlarmState = "OK" if name in self.recovered else "ALARM"
        if name in self.there:
            alarm = self.there[name]
            return alarm.model_copy(update={"state": "OK"}) if state == "OK" else alarm
        at = datetime(2026, 3, 4, 12, 30, tzinfo=UTC) if state == "OK" else LONG_AGO
        return described(name, state=state, changed_at=at)


class FakeMetricFilters:
    """Log groups by (namespace, metric name); who wrote the matches, by log group."""

    def __init__(self) -> None:
        self.logs: dict[tuple[str, str], tuple[FilteredLog, ...]] = {}
        self.writers: dict[str, tuple[str, ...]] = {}
        self.error: Exception | None = None
        self.searched: list[tuple[str, datetime, datetime]] = []

    def of_metric(self, namespace: str, name: str) -> tuple[FilteredLog, ...]:
        if self.error is not None:
            raise self.error
        return self.logs.get((namespace, name), ())

    def writers_of(self, log: FilteredLog, *, start: datetime, end: datetime) -> tuple[str, ...]:
        self.searched.append((log.log_group, start, end))
        return self.writers.get(log.log_group, ())


class FakeOwnAlarms:
    """Duration alarms of the service's own, in milliseconds by function; 80% of each timeout."""

    def __init__(self) -> None:
        self.duration_ms: dict[str, float] = {}
        self.error: Exception | None = None

    def fit_duration(self, function_name: str, *, before_s: int, after_s: int) -> Fit | None:
        if self.error is not None:
            raise self.error
        before = self.duration_ms.get(function_name)
        if before is None:
            return None
        alarm = f"lambda-auto-repair-dev-{function_name}-duration"
        if before not in {800.0 * before_s, 800.0 * after_s}:
            return Fit(alarm=alarm, before_ms=before, after_ms=before, is_others=True)
        self.duration_ms[function_name] = 800.0 * after_s
        return Fit(alarm=alarm, before_ms=before, after_ms=800.0 * after_s)


class FakeAdmissions:
    def __init__(self) -> None:
        self.free_at: datetime | None = None
        self.taken: list[datetime] = []
        self.error: Exception | None = None

    def next_start(self, *, earliest: datetime, latest: datetime, spacing: timedelta) -> datetime:
        if self.error is not None:
            raise self.error
        start = max(earliest, self.free_at or earliest)
        if start > latest:
            return latest
        self.free_at = start + spacing
        self.taken.append(start)
        return start
