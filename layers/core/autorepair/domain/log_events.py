"""Log events as the log service gives them, and the ones that belong together.

A runtime without Lambda's own log sink (custom runtimes, some container images) writes every line
of a stack trace as an event of its own: those are put together to the one event that they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

# A trace is written at once.
_AT_ONCE = timedelta(seconds=1)
_MOST_LINES, _MOST_CHARACTERS = 400, 64_000

_ANY_TRACE = re.compile(
    r"[ \t]+(?:at |File \"|\.\.\. \d|from |in )"
    r"|\s{0,20}(?:Caused by: |Suppressed: |--- End of )"
    r"| {1,4}---> "
)
_PYTHON_START = re.compile(r"(?:\[ERROR\] [\w.]{1,100}(?::|$)|Traceback \(most recent call last\))")
_PYTHON_MORE = re.compile(r"[ \t]+\S|Traceback \(most recent call last\)")
_GO_START = re.compile(r"(?:panic: |fatal error: |goroutine \d|runtime: goroutine )")
_GO_MORE = re.compile(
    r"\s*$|\[signal |goroutine \d|panic: |\tpanic: |\t\S{1,300}:\d|created by |exit status \d"
    r"|runtime stack:|[\w.*/@()\-\[\]{}]{1,300}\("
)
_RUST_START = re.compile(r"thread '[^'\n]{0,80}' (?:\(\d{1,9}\) )?panicked at ")
_RUST_MORE = re.compile(
    r"note: |stack backtrace:|[ \t]{1,12}\d{1,4}: |[ \t]+at |  (?:left|right): "
)
_RUBY_START = re.compile(r"(?:Error raised from handler method|Init error when loading handler)\b")
_RUBY_MORE = re.compile(r"[{}\]]|[ \t]+\S")
# Java's runtime puts "message: type" before the trace, which begins with the type.
_JAVA_ENDS = ("Error", "Exception")
_JAVA_MORE = re.compile(r"(?:[A-Za-z_$][\w$]{0,80}\.){1,12}[\w$]{0,80}(?:Error|Exception)\b")
_TRACES = (
    (_PYTHON_START, _PYTHON_MORE),
    (_GO_START, _GO_MORE),
    (_RUST_START, _RUST_MORE),
    (_RUBY_START, _RUBY_MORE),
)


@dataclass(frozen=True, slots=True)
class RawEvent:
    """One event as the log service gives it; ``at`` carries a time zone."""

    id: str
    at: datetime
    stream: str
    message: str


@dataclass(slots=True)
class _Trace:
    """An event that may go on: its own kind of continuation, and what came of it so far."""

    first: RawEvent
    more: re.Pattern[str] | None
    parts: list[str]
    size: int
    last_at: datetime

    def takes(self, event: RawEvent) -> bool:
        """Whether the event goes on with this one."""
        is_near = event.at - self.last_at <= _AT_ONCE
        is_short = len(self.parts) < _MOST_LINES and self.size < _MOST_CHARACTERS
        return is_near and is_short and self._is_more(event.message)

    def _is_more(self, message: str) -> bool:
        if _ANY_TRACE.match(message):
            return True
        return self.more is not None and self.more.match(message) is not None

    def add(self, event: RawEvent) -> None:
        self.parts.append(event.message.rstrip("\r\n"))
        self.size += len(event.message)
        self.last_at = event.at

    @property
    def whole(self) -> RawEvent:
        if len(self.parts) == 1:
            return self.first
        return replace(self.first, message="\n".join(self.parts))


def joined(events: Iterable[RawEvent]) -> Iterator[RawEvent]:
    """Give the events, each trace as one that has the id and the moment of its first line.

    The events come by time, as they do within each stream; they are given in the same order.
    """
    traces: list[_Trace] = []
    open_traces: dict[str, _Trace] = {}
    for event in events:
        trace = open_traces.get(event.stream)
        if trace is not None and trace.takes(event):
            trace.add(event)
            continue
        trace = _begun(event)
        open_traces[event.stream] = trace
        traces.append(trace)
    return (trace.whole for trace in traces)


def _begun(event: RawEvent) -> _Trace:
    message = event.message
    more = next((more for start, more in _TRACES if start.match(message)), None)
    if more is None and message.rstrip("\r\n").endswith(_JAVA_ENDS) and ": " in message:
        more = _JAVA_MORE
    return _Trace(event, more, [message.rstrip("\r\n")], len(message), event.at)
