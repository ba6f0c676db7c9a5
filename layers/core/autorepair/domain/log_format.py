"""Puts invocations together from raw log events, in the text and in the JSON log format."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from autorepair.domain.evidence import Invocation, InvocationStatus, LogLine
from autorepair.domain.log_records import Record, read_record

_VERSION = re.compile(r"\[(\$LATEST|\d{1,9})\]")
_KILLED = re.compile(r"signal: killed")
_EXITED = re.compile(r"Runtime exited|signal: \w+|exit status \d+")


@dataclass(frozen=True, slots=True)
class RawEvent:
    """One event as the log service gives it; ``at`` carries a time zone."""

    id: str
    at: datetime
    stream: str
    message: str


@dataclass(slots=True)
class _Draft:
    """An invocation while its lines are being read."""

    request_id: str
    stream: str
    seen_at: datetime
    version: str | None = None
    started_at: datetime | None = None
    has_timed_out: bool = False
    timed_out_ms: float | None = None
    failure_type: str | None = None
    exit_reason: str | None = None
    done: Record | None = None
    report: Record | None = None
    report_id: str | None = None


@dataclass(slots=True)
class _Stream:
    """The reading of one log stream: one execution environment, one invocation at a time."""

    name: str
    drafts: dict[str, _Draft]
    open_id: str | None = None
    unowned: list[int] = field(default_factory=list)
    is_initialising: bool = False


def assemble(events: Iterable[RawEvent]) -> tuple[tuple[Invocation, ...], tuple[LogLine, ...]]:
    """Give the invocations (by start) and the log lines (by time) that the events tell of.

    Within a stream events are ordered by time, and events of the same moment stay as they came.
    What a function prints between its START and its last line of the platform belongs to it, even
    where it looks like a line of the platform about another request: one environment serves one
    request at a time, so such a line was forged. Never raises, whatever the text.
    """
    ordered = sorted((_readable(event) for event in events), key=lambda event: event.at)
    by_stream: dict[str, list[int]] = {}
    for index, event in enumerate(ordered):
        by_stream.setdefault(event.stream, []).append(index)
    drafts: dict[str, _Draft] = {}
    owners: dict[int, str] = {}
    for name, indices in by_stream.items():
        records = [(i, ordered[i], read_record(ordered[i].message)) for i in indices]
        _read_stream(_Stream(name, drafts), records, owners)
    lines = tuple(
        LogLine(id=e.id, at=e.at, stream=e.stream, message=e.message, request_id=owners.get(i))
        for i, e in enumerate(ordered)
    )
    invocations = sorted((_finish(draft) for draft in drafts.values()), key=_start_of)
    return tuple(invocations), lines


def _start_of(invocation: Invocation) -> datetime:
    return invocation.started_at


def _readable(event: RawEvent) -> RawEvent:
    """Replace what no JSON can carry (lone surrogates)."""
    try:
        event.message.encode()
    except UnicodeEncodeError:
        return replace(event, message=event.message.encode(errors="replace").decode())
    return event


def _read_stream(
    stream: _Stream, records: list[tuple[int, RawEvent, Record]], owners: dict[int, str]
) -> None:
    closes = _last_words(records)
    for index, event, record in records:
        if stream.open_id is not None and index > closes.get(stream.open_id, index):
            stream.open_id = None
        is_inside = stream.open_id is not None and stream.open_id in closes
        if is_inside and record.request_id != stream.open_id:
            record = _as_speech(record)  # noqa: PLW2901 (a forged line is read as what it is)
        _read_event(stream, index, event, record, owners)


def _last_words(records: list[tuple[int, RawEvent, Record]]) -> dict[str, int]:
    """Give the index of the last END or REPORT of each request."""
    return {
        record.request_id: index
        for index, _, record in records
        if record.kind in {"end", "report"} and record.request_id is not None
    }


def _as_speech(record: Record) -> Record:
    return Record("failure" if record.kind == "failure" else "speech", error_type=record.error_type)


def _read_event(
    stream: _Stream, index: int, event: RawEvent, record: Record, owners: dict[int, str]
) -> None:
    if record.kind in {"init_start", "init_report"}:
        stream.is_initialising = True
    owner = _owner_of(stream, record)
    if owner is None:
        stream.unowned.append(index)
        return
    owners[index] = owner
    draft = stream.drafts.setdefault(owner, _Draft(owner, stream.name, event.at))
    if record.kind == "start":
        _open(stream, draft, event, record, owners)
    else:
        _note(draft, event, record)


def _owner_of(stream: _Stream, record: Record) -> str | None:
    """Give the request a line belongs to: the open one, else the one it is surely about."""
    if record.kind in {"start", "end", "report", "timed_out", "exit"}:
        return record.request_id
    if stream.open_id is not None:
        return stream.open_id
    is_known = record.request_id in stream.drafts
    return record.request_id if is_known and not stream.is_initialising else None


def _open(
    stream: _Stream, draft: _Draft, event: RawEvent, record: Record, owners: dict[int, str]
) -> None:
    draft.started_at = event.at
    draft.version = record.version
    stream.open_id = draft.request_id
    if stream.is_initialising:
        # What the cold start said belongs to the invocation that had to wait for it.
        owners.update(dict.fromkeys(stream.unowned, draft.request_id))
    stream.unowned.clear()
    stream.is_initialising = False


def _note(draft: _Draft, event: RawEvent, record: Record) -> None:
    if record.kind == "report":
        draft.report, draft.report_id = record, event.id
    elif record.kind == "end" and record.status is not None:
        draft.done = record
    elif record.kind == "timed_out":
        draft.has_timed_out, draft.timed_out_ms = True, record.duration_ms
    elif record.kind == "exit":
        draft.exit_reason = record.error_type
    elif record.kind == "failure":
        draft.failure_type = record.error_type


def _finish(draft: _Draft) -> Invocation:
    figures = draft.report or Record("report")
    duration_ms = draft.timed_out_ms if figures.duration_ms is None else figures.duration_ms
    return Invocation(
        request_id=draft.request_id,
        started_at=_started_at(draft, duration_ms),
        stream=draft.stream,
        version=_version_of(draft),
        status=_status_of(draft),
        duration_ms=duration_ms,
        memory_mb=figures.memory_mb,
        max_memory_used_mb=figures.max_memory_used_mb,
        init_ms=figures.init_ms,
        error_type=_error_type_of(draft),
        report_id=draft.report_id,
    )


def _started_at(draft: _Draft, duration_ms: float | None) -> datetime:
    if draft.started_at is not None:
        return draft.started_at
    try:
        return draft.seen_at - timedelta(milliseconds=duration_ms or 0)
    except OverflowError:
        return draft.seen_at


def _version_of(draft: _Draft) -> str:
    # The stream's name is the platform's; a START line could have been printed by the function.
    named = _VERSION.search(draft.stream)
    return named[1] if named else draft.version or "$LATEST"


def _error_type_of(draft: _Draft) -> str | None:
    for record in (draft.report, draft.done):
        if record is not None and record.error_type:
            return record.error_type
    return draft.failure_type or None


def _status_of(draft: _Draft) -> InvocationStatus:
    if draft.report is None and draft.done is None:
        return _status_without_report(draft)
    said = _said(draft)
    if draft.has_timed_out or said == "timeout":
        return "timeout"
    if _is_out_of_memory(draft):
        return "out_of_memory"
    error_type = _error_type_of(draft) or ""
    is_exit = error_type in {"Runtime.ExitError", "Extension.Crash"} or said == "failure"
    if is_exit or (draft.exit_reason is not None and _EXITED.search(draft.exit_reason)):
        return "crash"
    if said is None:
        # In the text format an exception that the runtime handled leaves no status behind.
        has_failed = draft.failure_type is not None or draft.exit_reason is not None
        return "error" if has_failed else "success"
    return "success" if said == "success" else "error"


def _said(draft: _Draft) -> str | None:
    for record in (draft.report, draft.done):
        if record is not None and record.status is not None:
            return record.status
    return None


def _status_without_report(draft: _Draft) -> InvocationStatus:
    if draft.has_timed_out:
        return "timeout"
    return "crash" if draft.exit_reason is not None else "unfinished"


def _is_out_of_memory(draft: _Draft) -> bool:
    if _error_type_of(draft) == "Runtime.OutOfMemory":
        return True
    figures = draft.report
    if figures is None or draft.exit_reason is None or not _KILLED.search(draft.exit_reason):
        return False
    size, used = figures.memory_mb, figures.max_memory_used_mb
    return size is not None and used is not None and used >= size
