"""Keeps of a log that is too long what a diagnosis needs, in a memory that does not grow."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field, replace
from functools import cached_property

from autorepair.domain.log_events import RawEvent
from autorepair.domain.log_records import read_record
from autorepair.domain.signatures import signature_of

MARKS = (
    "RequestId: ",
    "Task timed out after",
    "INIT_REPORT",
    "RESTORE_REPORT",
    "platform.",
    "errorType",
    "errorMessage",
    "[ERROR]",
    "Invoke Error",
    "Uncaught Exception",
    "Unhandled",
    "Error raised from handler",
    "Init error when loading",
    "Exception",
    "panic",
)
"""Words of which each line of interest has one: lines of the platform, and failures' own."""

_STARTS = ("START RequestId: ",)
_REPORTS = ("REPORT RequestId: ",)
_JSON_START, _JSON_REPORT = '"platform.start"', '"platform.report"'
_IGNORED = ("END RequestId: ",)
# A JSON line of the platform tells its type early.
_HEAD = 200
_LONGEST, _SHORT = 16_000, 4_000
# The platform's own are far shorter, but code may print what looks like one.
_LONGEST_OF_PLATFORM = 1_000
# Characters of the streams that are open at one time; beyond that each line is cut.
_MOST_HELD, _TIGHT = 8_000_000, 400
_WORDS = 4
_FIRST, _LAST, _OF_EACH, _SIGNATURES = 20, 20, 3, 60
_MOST_FIGURES = 2_000
_MOST_OPEN = 2_000
_FAILURES = frozenset({"failure", "timed_out", "exit"})


@dataclass
class Sighting:
    """One invocation as its few lines of interest tell of it: its start, last words and report.

    Its answers are of use only when all its lines have been taken in.
    """

    start: RawEvent | None = None
    words: deque[RawEvent] = field(default_factory=lambda: deque(maxlen=_WORDS))
    report: RawEvent | None = None

    @property
    def events(self) -> list[RawEvent]:
        """The lines, by time."""
        found = [event for event in (self.start, *self.words, self.report) if event is not None]
        return sorted(found, key=lambda event: event.at)

    @property
    def size(self) -> int:
        """How many characters it holds."""
        held = (self.start, *self.words, self.report)
        return sum(len(event.message) for event in held if event is not None)

    @property
    def has_failed(self) -> bool:
        """Whether the platform's report tells of a failure, or else the runtime's words do."""
        status = None if self.report is None else read_record(self.report.message).status
        return bool(self._telling) if status is None else status != "success"

    @property
    def signature(self) -> str:
        """What failures of the same kind have in common."""
        telling = self._telling[-1:] or ([self.report] if self.report else [])
        return "".join(signature_of(event.message) for event in telling)

    @property
    def in_short(self) -> Sighting:
        """The same with no more words than the last that tell of a failure."""
        words = (_cut(event, _SHORT) for event in self._telling[-1:])
        return Sighting(self.start, deque(words, maxlen=_WORDS), self.report)

    @cached_property
    def _telling(self) -> list[RawEvent]:
        """The lines that tell of a failure; what is not sure counts where it comes last."""
        told = [(event, read_record(event.message)) for event in self.words]
        last = len(told) - 1
        return [
            event
            for place, (event, record) in enumerate(told)
            if record.kind in _FAILURES and (record.is_sure or place == last)
        ]


def is_mark(message: str) -> bool:
    """Whether a line is of interest; the same test as the filter on the server."""
    return any(mark in message for mark in MARKS)


class LogSampler:
    """Takes the lines of interest in the order of time within each stream, and samples them.

    Kept with their words are the first failures, the last, and some of each distinct signature; of
    all invocations start, report and last telling line: of each one up to a bound, then of every
    second, every fourth and so on, so that their shares stay what they are.
    """

    def __init__(self) -> None:
        self.invocations = 0
        self.failures = 0
        self._open: OrderedDict[str, Sighting] = OrderedDict()
        self._first: list[Sighting] = []
        self._last: deque[Sighting] = deque(maxlen=_LAST)
        self._of_each: dict[str, list[Sighting]] = {}
        self._figures: list[Sighting] = []
        self._stride = 1
        self._held = 0

    def take(self, event: RawEvent) -> None:
        """Take in one line of interest."""
        message = event.message
        if message.startswith(_IGNORED):
            return
        if _is_start(message):
            self._begin(event)
            return
        sighting = self._open.setdefault(event.stream, Sighting())
        self._held -= sighting.size
        if _is_report(message):
            sighting.report = _cut_of_platform(event)
        else:
            sighting.words.append(_cut(event, _LONGEST if self._held < _MOST_HELD else _TIGHT))
        self._held += sighting.size
        self._close_beyond_bound()

    def finish(self) -> None:
        """Count what is still open when the last line has been taken in."""
        for stream in list(self._open):
            self._close(stream)

    @property
    def failing(self) -> list[Sighting]:
        """The failures that are kept: one of each signature, the first and the last, then more."""
        by_rank = [s for rank in range(_OF_EACH) for s in self._ranked(rank)]
        new = len(self._of_each)
        ordered = (*by_rank[:new], *self._first, *self._last, *by_rank[new:])
        return list({id(sighting): sighting for sighting in ordered}.values())

    @property
    def events(self) -> list[RawEvent]:
        """All the lines that are kept; one that is kept in part comes after the whole of it."""
        kept = (*self.failing, *self._figures)
        return [event for sighting in kept for event in sighting.events]

    def _ranked(self, rank: int) -> list[Sighting]:
        return [of_one[rank] for of_one in self._of_each.values() if len(of_one) > rank]

    def _begin(self, event: RawEvent) -> None:
        self._close(event.stream)
        self._open[event.stream] = begun = Sighting(start=_cut_of_platform(event))
        self._held += begun.size
        self._close_beyond_bound()

    def _close_beyond_bound(self) -> None:
        if len(self._open) > _MOST_OPEN:
            self._close(next(iter(self._open)))

    def _close(self, stream: str) -> None:
        sighting = self._open.pop(stream, None)
        if sighting is None:
            return
        self._held -= sighting.size
        if sighting.has_failed:
            self._keep_failure(sighting)
        if sighting.start is not None or sighting.report is not None:
            self._keep_figures(sighting)

    def _keep_failure(self, sighting: Sighting) -> None:
        self.failures += 1
        if len(self._first) < _FIRST:
            self._first.append(sighting)
        self._last.append(sighting)
        signature = sighting.signature
        if signature in self._of_each or len(self._of_each) < _SIGNATURES:
            of_one = self._of_each.setdefault(signature, [])
            if len(of_one) < _OF_EACH:
                of_one.append(sighting)

    def _keep_figures(self, sighting: Sighting) -> None:
        self.invocations += 1
        if self.invocations % self._stride:
            return
        self._figures.append(sighting.in_short)
        if len(self._figures) > _MOST_FIGURES:
            self._figures = self._figures[1::2]
            self._stride *= 2


def _cut_of_platform(event: RawEvent) -> RawEvent:
    """Cut what is no JSON; a part of JSON could not be read."""
    is_json = event.message.startswith("{")
    return _cut(event, _SHORT if is_json else _LONGEST_OF_PLATFORM)


def _cut(event: RawEvent, length: int) -> RawEvent:
    if len(event.message) <= length:
        return event
    return replace(event, message=event.message[:length])


def _is_start(message: str) -> bool:
    if message.startswith("{"):
        return _JSON_START in message[:_HEAD]
    return message.startswith(_STARTS)


def _is_report(message: str) -> bool:
    if message.startswith("{"):
        return _JSON_REPORT in message[:_HEAD]
    return message.startswith(_REPORTS)
