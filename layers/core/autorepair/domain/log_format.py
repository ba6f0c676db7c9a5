"""Puts invocations together from raw log events, in the text and in the JSON log format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import accumulate

from autorepair.domain.attempts import Attempt
from autorepair.domain.evidence import Invocation, LogLine
from autorepair.domain.log_events import RawEvent, joined
from autorepair.domain.log_records import Record, read_record, readable

__all__ = ["RawEvent", "assemble"]

_PLATFORM_KINDS = frozenset({"start", "end", "report", "timed_out", "exit"})
# Lambda runs nothing longer than this.
_LONGEST = timedelta(minutes=15)
_LONGEST_MS = _LONGEST / timedelta(milliseconds=1)
# How far the stamps of START and REPORT may stray from the duration that is told.
_SLACK = timedelta(seconds=1)
# An asynchronous request is attempted three times at most, and now and then delivered twice.
_MOST_ATTEMPTS = 5
_LAST_START = datetime.max.replace(tzinfo=UTC) - _LONGEST - _SLACK


@dataclass(frozen=True, slots=True)
class _Line:
    """One event of a stream, read; ``index`` is its place among all events."""

    index: int
    event: RawEvent
    record: Record


@dataclass(slots=True)
class _Stream:
    """The reading of one log stream: one execution environment, one invocation at a time.

    ``latest`` holds each request's latest attempt in this stream. ``last_id`` is the request that
    was last open, and ``carried_id`` the one that ran already when the reading begins.
    """

    lines: list[_Line]
    ends: dict[str, list[int]]
    starts: dict[str, list[int]]
    latest: dict[str, Attempt] = field(default_factory=dict)
    open: Attempt | None = None
    closes_at: int | None = None
    owned_until: datetime | None = None
    last_id: str | None = None
    carried_id: str | None = None
    carried_until: int = -1
    unowned: list[int] = field(default_factory=list)
    is_initialising: bool = False


def assemble(events: Iterable[RawEvent]) -> tuple[tuple[Invocation, ...], tuple[LogLine, ...]]:
    """Give the invocations (by start) and the log lines (by time) that the events tell of.

    Within a stream events are ordered by time, and events of the same moment stay as they came.
    What a function prints between its START and its last line of the platform belongs to it, even
    where it looks like a line of the platform about another request: one environment serves one
    request at a time, so such a line was forged. Each attempt at a request is an invocation of its
    own: Lambda repeats an asynchronous one under the same id. The attempts after the first are
    told apart as ``id#2``, ``id#3``. Never raises, whatever the text.
    """
    by_time = sorted((_readable(event) for event in events), key=lambda event: event.at)
    ordered = list(joined(by_time))
    by_stream: dict[str, list[_Line]] = {}
    for index, event in enumerate(ordered):
        line = _Line(index, event, read_record(event.message))
        by_stream.setdefault(event.stream, []).append(line)
    owners: dict[int, Attempt] = {}
    drafts: list[Attempt] = []
    for stream_lines in by_stream.values():
        _read_stream(_stream_of(stream_lines), owners, drafts)
    finished = sorted(((draft.finished(), draft) for draft in drafts), key=_start_of)
    names = _names([draft for _, draft in finished])
    lines = tuple(
        LogLine(
            id=e.id,
            at=e.at,
            stream=e.stream,
            message=e.message,
            request_id=names[id(owners[i])] if i in owners else None,
        )
        for i, e in enumerate(ordered)
    )
    invocations = tuple(
        invocation.model_copy(update={"request_id": names[id(draft)]})
        for invocation, draft in finished
    )
    return invocations, lines


def _start_of(finished: tuple[Invocation, Attempt]) -> datetime:
    return finished[0].started_at


def _names(drafts: list[Attempt]) -> dict[int, str]:
    """Give each attempt, oldest first, a name that no other has."""
    attempts: Counter[str] = Counter()
    names: dict[int, str] = {}
    for draft in drafts:
        attempts[draft.request_id] += 1
        number = attempts[draft.request_id]
        names[id(draft)] = draft.request_id if number == 1 else f"{draft.request_id}#{number}"
    return names


def _readable(event: RawEvent) -> RawEvent:
    return replace(event, message=readable(event.message))


def _stream_of(lines: list[_Line]) -> _Stream:
    ends: dict[str, list[int]] = {}
    starts: dict[str, list[int]] = {}
    for place, line in enumerate(lines):
        if line.record.request_id is None:
            continue
        if line.record.kind in {"end", "report"}:
            ends.setdefault(line.record.request_id, []).append(place)
        elif line.record.kind == "start":
            starts.setdefault(line.record.request_id, []).append(place)
    stream = _Stream(lines, ends, starts)
    _find_carried(stream)
    return stream


def _find_carried(stream: _Stream) -> None:
    """Find the invocation whose START lies before the reading, by its end.

    Only one can have been running then. It ended before the first START, or its duration reaches
    back to the first event; then all before its end is its own speech. An end within another
    invocation is that one's speech, and where that one has no end, nobody's word is taken.
    """
    first_start = min((places[0] for places in stream.starts.values()), default=None)
    inside, unended = _brackets(stream)
    for request_id, places in stream.ends.items():
        place = places[-1]
        if request_id in stream.starts or place <= stream.carried_until:
            continue
        if first_start is None or place < first_start:
            stream.carried_id, stream.carried_until = request_id, place
        elif _reaches(stream, place, 0) and not inside[place]:
            is_doubtful = unended is not None and unended < place
            stream.carried_id = None if is_doubtful else request_id
            stream.carried_until = place


def _brackets(stream: _Stream) -> tuple[list[bool], int | None]:
    """Tell which places lie between a START and its END, and where the first lone START is."""
    edges = [0] * (len(stream.lines) + 1)
    lone: list[int] = []
    for request_id, starts in stream.starts.items():
        last = stream.ends.get(request_id, [-1])[-1]
        if last < starts[0]:
            lone.append(starts[0])
        else:
            edges[starts[0]] += 1
            edges[last] -= 1
    return [depth > 0 for depth in accumulate(edges)], min(lone, default=None)


def _reaches(stream: _Stream, end: int, start: int) -> bool:
    """Whether an invocation that ended at one place had begun at the other, by its duration."""
    duration_ms = stream.lines[end].record.duration_ms
    if duration_ms is None:
        return False
    took = timedelta(milliseconds=min(duration_ms, _LONGEST_MS))
    return stream.lines[end].event.at - stream.lines[start].event.at <= took + _SLACK


def _read_stream(stream: _Stream, owners: dict[int, Attempt], drafts: list[Attempt]) -> None:
    for place, line in enumerate(stream.lines):
        if _is_over(stream, place, line):
            stream.open = None
        record = _believed(stream, place, line.record)
        if record.kind in {"init_start", "init_report"}:
            stream.is_initialising = True
        draft = _owner_of(stream, line, record, drafts)
        if draft is None:
            stream.unowned.append(line.index)
            continue
        owners[line.index] = draft
        if record.kind == "start":
            _open(stream, place, draft, record, owners)
        else:
            draft.note(line.event, record)


def _is_over(stream: _Stream, place: int, line: _Line) -> bool:
    """Whether the open invocation ended before this line: at its own end, or as none lasts so."""
    if stream.closes_at is not None:
        return place > stream.closes_at
    return stream.owned_until is not None and line.event.at > stream.owned_until


def _believed(stream: _Stream, place: int, record: Record) -> Record:
    """Give a line of the platform as such only where the platform can have written it."""
    if stream.open is not None:
        is_own = record.request_id == stream.open.request_id and record.kind != "start"
        return record if is_own else _as_speech(record)
    if place <= stream.carried_until:
        is_own = record.request_id == stream.carried_id or _is_bare(stream, record)
        return record if is_own else _as_speech(record)
    if record.kind in {"end", "report", "timed_out", "exit"}:
        is_late = record.request_id == stream.last_id and record.kind in {"timed_out", "exit"}
        return record if is_late or _is_bare(stream, record) else _as_speech(record)
    return record


def _is_bare(stream: _Stream, record: Record) -> bool:
    """Whether a line tells of a failure in a log whose level leaves all else out."""
    has_failed = record.status not in {None, "success"} or record.kind in {"timed_out", "exit"}
    return not stream.starts and has_failed


def _as_speech(record: Record) -> Record:
    """Take a line for no more than words, though they may be the runtime's about a failure."""
    return replace(
        record if record.kind == "failure" else Record("speech", error_type=record.error_type)
    )


def _owner_of(
    stream: _Stream, line: _Line, record: Record, drafts: list[Attempt]
) -> Attempt | None:
    """Give the attempt a line belongs to: the open one, else the one it is surely about."""
    if record.kind != "start" and stream.open is not None:
        return stream.open
    if record.request_id is not None and record.kind in _PLATFORM_KINDS:
        known = None if record.kind == "start" else stream.latest.get(record.request_id)
        return known or _new_draft(stream, line, record.request_id, drafts)
    if record.request_id is None or stream.is_initialising:
        return None
    return stream.latest.get(record.request_id)


def _new_draft(stream: _Stream, line: _Line, request_id: str, drafts: list[Attempt]) -> Attempt:
    draft = stream.latest[request_id] = Attempt(request_id, line.event.stream, line.event.at)
    drafts.append(draft)
    return draft


def _open(
    stream: _Stream, place: int, draft: Attempt, record: Record, owners: dict[int, Attempt]
) -> None:
    at = stream.lines[place].event.at
    draft.started_at = at
    draft.version = record.version
    stream.open, stream.last_id = draft, draft.request_id
    stream.closes_at = _close_of(stream, place, draft.request_id)
    stream.owned_until = None if at > _LAST_START else at + _LONGEST + _SLACK
    if stream.is_initialising:
        # What the cold start said belongs to the invocation that had to wait for it.
        owners.update(dict.fromkeys(stream.unowned, draft))
    stream.unowned.clear()
    stream.is_initialising = False


def _close_of(stream: _Stream, start: int, request_id: str) -> int | None:
    """Give the place of an attempt's last line of the platform; None when it is not there.

    A function knows its own id and can print a START, END and REPORT of it, but not stop the
    platform from writing the real ones: so it is the last REPORT whose duration reaches back to
    the START, and without such the last of all before the request is attempted again.
    """
    ends = [place for place in stream.ends.get(request_id, ()) if place > start]
    if ends and len(stream.starts[request_id]) > _MOST_ATTEMPTS:
        return ends[-1]
    reaching = [place for place in ends if _reaches(stream, place, start)]
    if reaching:
        return reaching[-1]
    again = next((place for place in stream.starts[request_id] if place > start), None)
    before = [place for place in ends if again is None or place < again]
    return before[-1] if before else None
