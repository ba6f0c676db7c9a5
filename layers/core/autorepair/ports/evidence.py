"""Where evidence comes from, where it is kept, and who is asked about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from autorepair.domain.catalogue import CatalogueEntry
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.diagnosis import Advice
from autorepair.domain.evidence import (
    Caller,
    EventSource,
    Evidence,
    EvidenceSummary,
    Gap,
    Invocation,
    LogLine,
    MetricSeries,
)
from autorepair.domain.incident import Target
from autorepair.domain.recent_changes import TrailEvent


@dataclass(frozen=True)
class LogReading:
    """What was read from a log group, within the budget; ``gaps`` names what was left out."""

    lines: tuple[LogLine, ...]
    invocations: tuple[Invocation, ...]
    gaps: tuple[Gap, ...]


class Logs(Protocol):
    """Reads a function's log."""

    def read(
        self, configuration: FunctionConfiguration, *, start: datetime, end: datetime
    ) -> LogReading:
        """Read the log between two moments, paging within a budget of events, bytes and seconds.

        Raises:
            AccessDeniedError, TransientServiceError: The log cannot be read.
        """
        ...


class Metrics(Protocol):
    """Reads CloudWatch metrics."""

    def read(self, target: Target, *, start: datetime, end: datetime) -> tuple[MetricSeries, ...]:
        """Read the function's own metrics between two moments.

        Raises:
            AccessDeniedError, TransientServiceError: They cannot be read.
        """
        ...

    def by_the_hour(
        self, target: Target, *, start: datetime, end: datetime
    ) -> tuple[MetricSeries, ...]:
        """Read how much the function is called, how long for, and how many times at once.

        Raises:
            AccessDeniedError, TransientServiceError: It cannot be read.
        """
        ...


@dataclass(frozen=True)
class CallerReading:
    """Who invokes a function, what Lambda polls for it, and what could not be read of that."""

    callers: tuple[Caller, ...]
    event_sources: tuple[EventSource, ...]
    gaps: tuple[Gap, ...]


class Callers(Protocol):
    """Knows who invokes a function."""

    def read(self, target: Target) -> CallerReading:
        """Find the callers in the resource policy and the event source mappings.

        A source that cannot be read is a Gap, not an error.
        """
        ...


class ChangeLog(Protocol):
    """Knows what was done to a function lately."""

    def read(
        self, target: Target, *, since: datetime, until: datetime
    ) -> tuple[tuple[TrailEvent, ...], tuple[Gap, ...]]:
        """Find the requests that changed the function, within a budget of calls.

        Looks further back than ``since`` where the budget lasts: what was asked for before says
        what a later request replaced. A Gap says that not even all since then was read.

        Raises:
            AccessDeniedError, TransientServiceError: They cannot be read.
        """
        ...


class EvidenceStore(Protocol):
    """Keeps the full evidence."""

    def put(self, evidence: Evidence) -> EvidenceSummary:
        """Store the evidence and give the summary that points to it.

        Raises:
            AccessDeniedError, TransientServiceError: It cannot be stored.
        """
        ...

    def get(self, summary: EvidenceSummary) -> Evidence:
        """Fetch the evidence a summary points to.

        Raises:
            EvidenceMissingError: It is gone, or its digest differs.
            AccessDeniedError, TransientServiceError: It cannot be read.
        """
        ...


class Advisor(Protocol):
    """Is asked when rules leave the cause open."""

    def advise(self, evidence: Evidence, catalogue: Sequence[CatalogueEntry]) -> Advice:
        """Say which cause of the catalogue it may be; `unknown` is a good answer.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: Nobody could be asked.
        """
        ...
