"""A function's log, read within a budget and in a memory that does not grow with the log."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from autorepair.aws.log_pages import ACTION, Budget, LogGroupMissingError, LogPages, Span
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.errors import AutoRepairError
from autorepair.domain.evidence import Gap
from autorepair.domain.log_events import RawEvent
from autorepair.domain.log_format import assemble
from autorepair.domain.log_sampling import MARKS, LogSampler, Sighting, is_mark
from autorepair.ports import LogReading

if TYPE_CHECKING:
    from types_boto3_logs import CloudWatchLogsClient

_SOURCE = "logs"
_FIRST_SLICE = timedelta(seconds=10)
# A failure's words are read from its environment's stream, from a bit before to a bit after it.
_AROUND = timedelta(seconds=2)
_MOST_EXCERPTS = 40


@dataclass(frozen=True)
class LogLimits:
    """How much is read, of each way of reading: events, bytes and seconds."""

    max_events: int = 12_000
    max_bytes: int = 6_000_000
    max_seconds: float = 20.0
    scan_events: int = 2_000_000
    scan_bytes: int = 400_000_000
    scan_seconds: float = 45.0
    excerpt_events: int = 4_000
    excerpt_bytes: int = 2_000_000
    excerpt_seconds: float = 15.0


@dataclass
class _Found:
    """Events by their place in the log, in the order in which they came; one is kept once."""

    events: dict[tuple[str, str], RawEvent] = field(default_factory=dict)

    def add(self, event: RawEvent) -> None:
        self.events.setdefault((event.stream, event.id), event)


class CloudWatchLogs:
    """Reads with FilterLogEvents: invocations are put together from all their lines.

    A log that is too long for the budget is read from both ends: the start shows how the function
    did before and how the trouble began, the end what is going on now. Of what lies between only
    the platform's lines and the runtimes' records of failures are asked for; of these a sample is
    kept, and the failures in it are read with all their words. A gap says what was left out.
    """

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {"read": frozenset({ACTION})}

    def __init__(
        self,
        client: CloudWatchLogsClient,
        *,
        limits: LogLimits | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._logs = client
        self._limits = limits or LogLimits()
        self._monotonic = monotonic

    def read(
        self, configuration: FunctionConfiguration, *, start: datetime, end: datetime
    ) -> LogReading:
        """Read the log from ``start`` to before ``end``.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: The log cannot be read.
        """
        found, pages = _Found(), LogPages(self._logs, configuration)
        try:
            between = self._read_both_ends(pages, start, end, found)
            gaps = self._sample(pages, between, found) if between else ()
        except LogGroupMissingError:
            reason = f"log group {configuration.log_group} does not exist"
            return LogReading((), (), (Gap(source=_SOURCE, reason=reason),))
        events = sorted(found.events.values(), key=lambda event: event.at)
        found.events.clear()
        invocations, lines = assemble(events)
        return LogReading(lines=lines, invocations=invocations, gaps=gaps)

    def _read_both_ends(
        self, pages: LogPages, start: datetime, end: datetime, found: _Found
    ) -> tuple[Span, ...]:
        """Read all of it, or as much from both ends as may be; give what lies between."""
        limits = self._limits
        whole = self._budget(limits.max_events, limits.max_bytes, limits.max_seconds)
        head_end = pages.read(Span(start, end), whole.half(), found.add)
        if head_end is None:
            return ()
        # The clock has run meanwhile; what time the first half left over is the second's.
        tail = replace(whole.half(), deadline=whole.deadline)
        return _read_backwards(pages, Span(head_end, end), tail, found)

    def _sample(self, pages: LogPages, between: tuple[Span, ...], found: _Found) -> tuple[Gap, ...]:
        """Go through what lies between the ends for failures and figures, and keep a sample.

        What was read before stands, whatever becomes of this.
        """
        sampler = LogSampler()
        try:
            gaps = self._scan(pages, between, sampler)
            # First whole, then in part: of the events of one moment the first to come goes first.
            self._read_excerpts(pages, sampler.failing, found)
        except AutoRepairError as error:
            gaps = tuple(_left_out(span, span.start) for span in between)
            gaps = (*gaps, Gap(source=_SOURCE, reason=f"{type(error).__name__}: {error}"))
        sampler.finish()
        for event in sampler.events:
            found.add(event)
        seen = f"{sampler.invocations} invocations were seen there, {sampler.failures} failed"
        return (*gaps, Gap(source=_SOURCE, reason=f"of what was left out: {seen}"))

    def _scan(
        self, pages: LogPages, between: tuple[Span, ...], sampler: LogSampler
    ) -> tuple[Gap, ...]:
        limits = self._limits
        budget = self._budget(limits.scan_events, limits.scan_bytes, limits.scan_seconds)
        gaps = []
        for span in between:
            reached: datetime | None = span.start
            if not budget.is_used_up:
                marked = replace(span, words=MARKS)
                reached = pages.read(marked, budget, sampler.take, is_wanted=is_mark)
            gaps.append(_left_out(span, reached))
        sampler.finish()
        return tuple(gaps)

    def _read_excerpts(self, pages: LogPages, failing: list[Sighting], found: _Found) -> None:
        """Read all that the sampled failures said."""
        limits = self._limits
        budget = self._budget(limits.excerpt_events, limits.excerpt_bytes, limits.excerpt_seconds)
        for sighting in failing[:_MOST_EXCERPTS]:
            if budget.is_used_up:
                return
            pages.read(_around(sighting), budget, found.add)

    def _budget(self, events: int, size: int, seconds: float) -> Budget:
        return Budget(events, size, self._monotonic() + seconds, self._monotonic)


def _read_backwards(pages: LogPages, span: Span, budget: Budget, found: _Found) -> tuple[Span, ...]:
    """Read backwards in growing slices until the budget is used up; give what was not read."""
    upper, width = span.end, _FIRST_SLICE
    while upper > span.start:
        lower = max(span.start, upper - width)
        reached = pages.read(Span(lower, upper), budget, found.add)
        if reached is not None:
            spans = (Span(span.start, lower), Span(reached, upper))
            return tuple(one for one in spans if one.start < one.end)
        upper, width = lower, width * 2
    return ()


def _around(sighting: Sighting) -> Span:
    events = sighting.events
    return Span(events[0].at - _AROUND, events[-1].at + _AROUND, streams=(events[0].stream,))


def _left_out(span: Span, reached: datetime | None) -> Gap:
    sampled = (
        "of it only failures and a sample of the figures were kept"
        if reached is None
        else f"up to {reached:%H:%M:%SZ} failures and a sample of the figures were kept"
    )
    return Gap(
        source=_SOURCE,
        reason=f"the log from {span.start:%Y-%m-%dT%H:%M:%SZ} to {span.end:%Y-%m-%dT%H:%M:%SZ} "
        f"is too long to be read whole: {sampled}",
    )
