"""One log group's events, page by page, within a budget."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from autorepair.aws.errors import aws_call
from autorepair.domain.configuration import FunctionConfiguration
from autorepair.domain.errors import AutoRepairError
from autorepair.domain.log_events import RawEvent

if TYPE_CHECKING:
    from types_boto3_logs import CloudWatchLogsClient
    from types_boto3_logs.type_defs import FilteredLogEventTypeDef

ACTION = "logs:FilterLogEvents"
# Streams of a log group that functions share: YYYY/MM/DD/name[version]id.
_SHARED_STREAM = re.compile(r"\d{4}/\d{2}/\d{2}/(?P<function>[A-Za-z0-9_-]+)\[")
_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class LogGroupMissingError(AutoRepairError):
    """The function has never written a log, or nobody made its group. Never leaves the adapter."""


@dataclass
class Budget:
    """What may still be read; ``deadline`` is a reading of the monotonic clock."""

    events: int
    size: int
    deadline: float
    monotonic: Callable[[], float]

    @property
    def is_full(self) -> bool:
        """Whether as many events or bytes were read as may be."""
        return self.events <= 0 or self.size <= 0

    @property
    def is_used_up(self) -> bool:
        """Whether nothing more may be read, also for want of time."""
        return self.is_full or self.monotonic() >= self.deadline

    def half(self) -> Budget:
        """Give half of what is left, without taking it."""
        left_s = self.deadline - self.monotonic()
        return Budget(self.events // 2, self.size // 2, self.deadline - left_s / 2, self.monotonic)

    def take(self, message: str) -> None:
        """Count one event."""
        self.events -= 1
        self.size -= len(message) if message.isascii() else len(message.encode(errors="replace"))


@dataclass(frozen=True)
class Span:
    """A part of a log: a time, and where they are given, the only streams and words of interest."""

    start: datetime
    end: datetime
    streams: tuple[str, ...] = ()
    words: Sequence[str] = ()


class LogPages:
    """Pages of the function's own log."""

    def __init__(self, client: CloudWatchLogsClient, configuration: FunctionConfiguration) -> None:
        self._logs = client
        self._group = configuration.log_group
        self._function = configuration.function_name

    def read(
        self,
        span: Span,
        budget: Budget,
        take: Callable[[RawEvent], None],
        *,
        is_wanted: Callable[[str], bool] | None = None,
    ) -> datetime | None:
        """Hand every event of a span on; None when it was read whole, else up to where.

        What ``is_wanted`` refuses counts for the budget, but is not handed on.

        Raises:
            LogGroupMissingError: There is no such log group.
            AccessDeniedError, TransientServiceError, ConfigurationError: It cannot be read.
        """
        reached, token = span.start, None
        while True:
            events, token = self._page(span, token)
            for event in events:
                if budget.is_full:
                    return reached
                message = event["message"]
                budget.take(message)
                if is_wanted is not None and not is_wanted(message):
                    continue
                read = _raw_event(event)
                reached = max(reached, read.at)
                if self._is_own(read.stream):
                    take(read)
            if token is None:
                return None
            if events:
                reached = max(reached, _moment(events[-1]["timestamp"]))
            if budget.is_used_up:
                return reached

    def _is_own(self, stream: str) -> bool:
        """Whether a stream is the function's own, where a log group serves several."""
        shared = _SHARED_STREAM.match(stream)
        return shared is None or shared["function"] == self._function

    def _page(
        self, span: Span, token: str | None
    ) -> tuple[list[FilteredLogEventTypeDef], str | None]:
        """Read one page and the token of the next. An empty page need not be the last."""
        first_ms, last_ms = _milliseconds(span.start), _milliseconds_before(span.end)
        if last_ms < first_ms:
            return [], None
        request: dict[str, Any] = {
            "logGroupName": self._group,
            "startTime": first_ms,
            "endTime": last_ms,
        }
        if span.streams:
            request["logStreamNames"] = list(span.streams)
        if span.words:
            request["filterPattern"] = any_of(span.words)
        if token is not None:
            request["nextToken"] = token
        with aws_call(ACTION, f"log group {self._group}", missing=LogGroupMissingError):
            answer = self._logs.filter_log_events(**request)
        following = answer.get("nextToken")
        return answer.get("events", []), None if following == token else following


def any_of(words: Sequence[str]) -> str:
    """Give the filter pattern for events with any of these words, none of which holds a quote."""
    return " ".join(f'?"{word}"' for word in words)


def _raw_event(event: FilteredLogEventTypeDef) -> RawEvent:
    return RawEvent(
        id=event["eventId"],
        at=_moment(event["timestamp"]),
        stream=event["logStreamName"],
        message=event["message"],
    )


def _moment(milliseconds: int) -> datetime:
    return _EPOCH + milliseconds * _MILLISECOND


def _milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MILLISECOND


def _milliseconds_before(end: datetime) -> int:
    """Give the last whole millisecond before ``end``; CloudWatch's endTime is inclusive."""
    return -((_EPOCH - end) // _MILLISECOND) - 1
