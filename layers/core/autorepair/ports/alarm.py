"""Alarms, whose they are, and the queue of the incidents they start."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from autorepair.domain.described_alarm import DescribedAlarm
from autorepair.domain.filtered_log import FilteredLog
from autorepair.domain.own_alarms import Fit


class Alarms(Protocol):
    """Knows the present state of alarms."""

    def read(self, names: Sequence[str]) -> tuple[DescribedAlarm, ...]:
        """Describe alarms, in the order of their names; one that is gone is left out.

        Raises:
            AccessDeniedError, TransientServiceError: They cannot be read.
        """
        ...

    def silenced_by(self, alarm: DescribedAlarm) -> str | None:
        """Say what keeps the alarm's actions from running, if anything.

        Raises:
            AccessDeniedError, TransientServiceError: It cannot be told.
        """
        ...


class MetricFilters(Protocol):
    """Knows whose log lines a metric was made of."""

    def of_metric(self, namespace: str, name: str) -> tuple[FilteredLog, ...]:
        """Give the log groups whose filters feed the metric, in the order of their names.

        Raises:
            AccessDeniedError, TransientServiceError: It cannot be told.
        """
        ...

    def writers_of(self, log: FilteredLog, *, start: datetime, end: datetime) -> tuple[str, ...]:
        """Name the functions that wrote what the filter matched between two moments.

        Raises:
            AccessDeniedError, TransientServiceError: It cannot be told.
        """
        ...


class OwnAlarms(Protocol):
    """Keeps the alarms that the service itself made for a function; touches nobody else's."""

    def fit_duration(self, function_name: str, *, before_s: int, after_s: int) -> Fit | None:
        """Set the function's duration alarm to a timeout (seconds); None if it has none of ours.

        One that is not as the service sets it for the timeout before (``before_s``) is left alone.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: It could not be set.
        """
        ...


class Admissions(Protocol):
    """The queue that keeps a burst of incidents from starting all at once."""

    def next_start(self, *, earliest: datetime, latest: datetime, spacing: timedelta) -> datetime:
        """Take the first free moment from ``earliest`` on; ``latest`` if there is none before it.

        Raises:
            AccessDeniedError, TransientServiceError: The queue cannot be asked.
        """
        ...
