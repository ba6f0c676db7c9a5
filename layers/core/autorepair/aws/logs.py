"""A function's log, read within a budget."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from autorepair.aws.errors import aws_call
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.errors import AutoRepairError
from autorepair.domain.evidence import Gap
from autorepair.domain.log_format import RawEvent, assemble
from autorepair.ports import LogReading

if TYPE_CHECKING:
    from types_boto3_logs import CloudWatchLogsClient

_ACTION = "logs:FilterLogEvents"
_SOURCE = "logs"
# Streams of a log group that functions share: YYYY/MM/DD/name[version]id.
_SHARED_STREAM = re.compile(r"\d{4}/\d{2}/\d{2}/(?P<function>[A-Za-z0-9_-]+)\[")
_FIRST_SLICE = timedelta(seconds=30)
_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _LogGroupMissingError(AutoRepairError):
    """The function has never written a log, or nobody made its group. Never leaves this module."""


@dataclass
class _Budget:
    """What may still be read; ``deadline`` is a reading of the monotonic clock."""

    events: int
    size: int
    deadline: float
    monotonic: Callable[[], float]

    @property
    def is_full(self) -> bool:
        return self.events <= 0 or self.size <= 0

    @property
    def is_used_up(self) -> bool:
        return self.is_full or self.monotonic() >= self.deadline

    def half(self) -> _Budget:
        """Give half of what is left, without taking it."""
        left_s = self.deadline - self.monotonic()
        return _Budget(self.events // 2, self.size // 2, self.deadline - left_s / 2, self.monotonic)

    def take(self, message: str) -> None:
        self.events -= 1
        self.size -= len(message.encode(errors="replace"))


@dataclass
class _Found:
    """Events by their place in the log, in the order in which they came; one is kept once."""

    events: dict[tuple[str, str], RawEvent] = field(default_factory=dict)

    def add(self, event: RawEvent) -> None:
        self.events.setdefault((event.stream, event.id), event)


class CloudWatchLogs:
    """Reads with FilterLogEvents, unfiltered: invocations are put together from all their lines.

    A log that is too long for the budget is read from both ends: the start shows how the function
    did before and how the trouble began, the end what is going on now. What lies between is named
    in a gap.
    """

    permissions: ClassVar[Mapping[str, frozenset[str]]] = {"read": frozenset({_ACTION})}

    def __init__(
        self,
        client: CloudWatchLogsClient,
        *,
        max_events: int = 20_000,
        max_bytes: int = 10_000_000,
        max_seconds: float = 20.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._logs = client
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._max_seconds = max_seconds
        self._monotonic = monotonic

    def read(
        self, configuration: FunctionConfiguration, *, start: datetime, end: datetime
    ) -> LogReading:
        """Read the log from ``start`` to before ``end``.

        Raises:
            AccessDeniedError, TransientServiceError, ConfigurationError: The log cannot be read.
        """
        found = _Found()
        try:
            gaps = self._read_both_ends(configuration, start, end, found)
        except _LogGroupMissingError:
            reason = f"log group {configuration.log_group} does not exist"
            return LogReading((), (), (Gap(source=_SOURCE, reason=reason),))
        invocations, lines = assemble(sorted(found.events.values(), key=lambda event: event.at))
        return LogReading(lines=lines, invocations=invocations, gaps=gaps)

    def _read_both_ends(
        self, configuration: FunctionConfiguration, start: datetime, end: datetime, found: _Found
    ) -> tuple[Gap, ...]:
        whole = _Budget(
            self._max_events,
            self._max_bytes,
            self._monotonic() + self._max_seconds,
            self._monotonic,
        )
        head_end = self._read_span(configuration, start, end, whole.half(), found)
        if head_end is None:
            return ()
        # The clock has run meanwhile; what time the first half left over is the second's.
        tail = replace(whole.half(), deadline=whole.deadline)
        return self._read_tail(configuration, head_end, end, tail, found)

    def _read_tail(
        self,
        configuration: FunctionConfiguration,
        start: datetime,
        end: datetime,
        budget: _Budget,
        found: _Found,
    ) -> tuple[Gap, ...]:
        """Read backwards in growing slices until the budget is used up."""
        upper, width = end, _FIRST_SLICE
        while upper > start:
            lower = max(start, upper - width)
            reached = self._read_span(configuration, lower, upper, budget, found)
            if reached is not None:
                spans = [(start, lower), (reached, upper)]
                return tuple(self._left_out(a, b) for a, b in spans if a < b)
            upper, width = lower, width * 2
        return ()

    def _left_out(self, start: datetime, end: datetime) -> Gap:
        return Gap(
            source=_SOURCE,
            reason=(
                f"the log from {start:%Y-%m-%dT%H:%M:%SZ} to {end:%Y-%m-%dT%H:%M:%SZ} was left out "
                f"wholly or in part: more than {self._max_events} events, {self._max_bytes} bytes "
                f"or {self._max_seconds:g} seconds of reading"
            ),
        )

    def _read_span(
        self,
        configuration: FunctionConfiguration,
        start: datetime,
        end: datetime,
        budget: _Budget,
        found: _Found,
    ) -> datetime | None:
        """Read a span; None when all of it was read, else up to where."""
        reached, token = start, None
        while True:
            events, token = self._page(configuration.log_group, start, end, token)
            for event in events:
                if budget.is_full:
                    return reached
                budget.take(event.message)
                reached = max(reached, event.at)
                if _is_of(event, configuration):
                    found.add(event)
            if token is None:
                return None
            if budget.is_used_up:
                return reached

    def _page(
        self, log_group: str, start: datetime, end: datetime, token: str | None
    ) -> tuple[list[RawEvent], str | None]:
        """Read one page and the token of the next. An empty page need not be the last."""
        first_ms, last_ms = _milliseconds(start), _milliseconds_before(end)
        if last_ms < first_ms:
            return [], None
        request: dict[str, Any] = {
            "logGroupName": log_group,
            "startTime": first_ms,
            "endTime": last_ms,
        }
        if token is not None:
            request["nextToken"] = token
        with aws_call(_ACTION, f"log group {log_group}", missing=_LogGroupMissingError):
            answer = self._logs.filter_log_events(**request)
        events = [
            RawEvent(
                id=event["eventId"],
                at=_EPOCH + event["timestamp"] * _MILLISECOND,
                stream=event["logStreamName"],
                message=event["message"],
            )
            for event in answer.get("events", [])
        ]
        following = answer.get("nextToken")
        return events, None if following == token else following


def _is_of(event: RawEvent, configuration: FunctionConfiguration) -> bool:
    """Whether the event is the function's own, where a log group serves several."""
    shared = _SHARED_STREAM.match(event.stream)
    return shared is None or shared["function"] == configuration.function_name


def _milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MILLISECOND


def _milliseconds_before(end: datetime) -> int:
    """Give the last whole millisecond before ``end``; CloudWatch's endTime is inclusive."""
    return -((_EPOCH - end) // _MILLISECOND) - 1
