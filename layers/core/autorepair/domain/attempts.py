"""One attempt at a request: what its lines tell of it, and how it ended."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from autorepair.domain.evidence import Invocation, InvocationStatus
from autorepair.domain.log_events import RawEvent
from autorepair.domain.log_records import Record

_VERSION = re.compile(r"\[(\$LATEST|\d{1,9})\]")
_KILLED = re.compile(r"signal: killed")
_EXITED = re.compile(r"Runtime exited|signal: \w+|exit status \d+")
# What the platform tells of extensions, at any time.
_ASIDES = ("EXTENSION\t", "TELEMETRY\t", "LOGS\t")
_CRASHES = frozenset({"Runtime.ExitError", "Extension.Crash", "Extension.ExitError"})


@dataclass(slots=True)
class Attempt:
    """One attempt at a request while its lines are being read.

    ``suspected_type`` is the type of an error that the function may have logged itself; it counts
    where nothing was said after it, as a runtime speaks last.
    """

    request_id: str
    stream: str
    seen_at: datetime
    version: str | None = None
    started_at: datetime | None = None
    has_timed_out: bool = False
    timed_out_ms: float | None = None
    failure_type: str | None = None
    suspected_type: str | None = None
    exit_reason: str | None = None
    done: Record | None = None
    report: Record | None = None
    report_id: str | None = None

    def note(self, event: RawEvent, record: Record) -> None:
        """Take in one line that belongs to the attempt."""
        if record.kind == "report":
            self.report, self.report_id = record, event.id
        elif record.kind == "end" and record.status is not None:
            self.done = record
        elif record.kind == "timed_out":
            self.has_timed_out, self.timed_out_ms = True, record.duration_ms
        elif record.kind == "exit":
            self.exit_reason = record.error_type
        elif record.kind == "failure" and record.is_sure:
            self.failure_type = record.error_type
        elif record.kind in {"failure", "speech"} and not event.message.startswith(_ASIDES):
            # Only a line that names this request may count: others can be printed by anybody.
            is_own = record.kind == "failure" and record.request_id == self.request_id
            self.suspected_type = record.error_type or "" if is_own else None

    def finished(self) -> Invocation:
        """Give the invocation that it was."""
        status, figures = self._status(), self.report or Record("report")
        duration_ms = self.timed_out_ms if figures.duration_ms is None else figures.duration_ms
        return Invocation(
            request_id=self.request_id,
            started_at=self._began(duration_ms),
            stream=self.stream,
            version=self._version(),
            status=status,
            duration_ms=duration_ms,
            memory_mb=figures.memory_mb,
            max_memory_used_mb=figures.max_memory_used_mb,
            init_ms=figures.init_ms,
            error_type=self._error_type(),
            report_id=self.report_id,
            is_suspected=status == "error" and self._is_suspected,
        )

    @property
    def _is_suspected(self) -> bool:
        """Whether a suspicion is all that tells of a failure."""
        marks = (self._said(), self.failure_type, self.exit_reason)
        return marks == (None, None, None) and self.suspected_type is not None

    def _began(self, duration_ms: float | None) -> datetime:
        if self.started_at is not None:
            return self.started_at
        try:
            return self.seen_at - timedelta(milliseconds=duration_ms or 0)
        except OverflowError:
            return self.seen_at

    def _version(self) -> str:
        # The stream's name is the platform's; a START line could have been printed by the function.
        named = _VERSION.search(self.stream)
        return named[1] if named else self.version or "$LATEST"

    def _error_type(self) -> str | None:
        for record in (self.report, self.done):
            if record is not None and record.error_type:
                return record.error_type
        return self.failure_type or self.suspected_type or None

    def _status(self) -> InvocationStatus:
        if self.report is None and self.done is None:
            return self._status_without_report()
        said = self._said()
        if self.has_timed_out or said == "timeout":
            return "timeout"
        if self._is_out_of_memory():
            return "out_of_memory"
        is_exit = (self._error_type() or "") in _CRASHES or said == "failure"
        if is_exit or (self.exit_reason is not None and _EXITED.search(self.exit_reason)):
            return "crash"
        if said is None:
            # In the text format an exception that the runtime handled leaves no status behind.
            marks = (self.failure_type, self.suspected_type, self.exit_reason)
            return "success" if marks == (None, None, None) else "error"
        return "success" if said == "success" else "error"

    def _said(self) -> str | None:
        for record in (self.report, self.done):
            if record is not None and record.status is not None:
                return record.status
        return None

    def _status_without_report(self) -> InvocationStatus:
        if self.has_timed_out:
            return "timeout"
        return "crash" if self.exit_reason is not None else "unfinished"

    def _is_out_of_memory(self) -> bool:
        if self._error_type() == "Runtime.OutOfMemory":
            return True
        figures = self.report
        if figures is None or self.exit_reason is None or not _KILLED.search(self.exit_reason):
            return False
        size, used = figures.memory_mb, figures.max_memory_used_mb
        return size is not None and used is not None and used >= size
