"""Failures that the metrics count and the log does not mark.

In the text format an exception that a runtime hands on leaves no status in the report: it is known
by the runtime's own words, and not every custom runtime's words are known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from autorepair.domain.evidence import Evidence, Gap, Invocation, LogLine
from autorepair.domain.log_records import read_record

_COMPLAINT = re.compile(
    r"error|exception|panic|fatal|fail|traceback|cannot|can't|could not|unable|denied|refused"
    r"|unhandled|abort|invalid|missing",
    re.IGNORECASE,
)
_SEARCHED = 2_000
_LAST_WORDS = 3
_LAG = timedelta(minutes=1)
"""How long after a period its metrics and the log may still grow, each for itself."""


def with_counted_failures(evidence: Evidence) -> Evidence:
    """Give the evidence with those invocations failed that must be among the counted errors.

    Where the Errors metric of a period counts as many as the Invocations metric, all have failed.
    Where it counts more than are known, and exactly as many more end in words of complaint, it is
    those: any other number leaves it open, and so does a log that shows but some of the calls. A
    failure that is only suspected is none where the errors that are counted are known without it.
    The JSON format tells every status itself.
    """
    errors = evidence.metric("Errors", "Sum")
    if errors is None or evidence.configuration.log_format != "Text":
        return evidence
    calls = evidence.metric("Invocations", "Sum")
    counted = dict(calls.points) if calls is not None else {}
    marked: set[str] = set()
    cleared: set[str] = set()
    complaining: set[str] | None = None
    for at, count in errors.points:
        within = _within(evidence.invocations, at, errors.period_s)
        is_over = at + timedelta(seconds=errors.period_s) + _LAG <= evidence.collected_at
        if not is_over or counted.get(at, len(within)) < len(within):
            continue  # the period is not counted to its end yet
        suspected = {i.request_id for i in within if i.is_suspected}
        if count <= sum(i.has_failed for i in within) - len(suspected):
            cleared |= suspected
            continue
        quiet = {i.request_id for i in within if i.status == "success"}
        more = count - sum(i.has_failed for i in within)
        if more <= 0 or not quiet:
            continue
        if counted.get(at) == count:
            marked |= quiet
            continue
        if counted.get(at) != len(within):
            continue
        if complaining is None:
            complaining = _complaining(evidence.log_lines)
        if len(quiet & complaining) == more:
            marked |= quiet & complaining
    return _settled(evidence, marked, cleared) if marked or cleared else evidence


def gaps_after(before: Evidence) -> tuple[Gap, ...]:
    """Say that a later log cannot show such failures, if it was the metrics that told of them."""
    if not any(i.is_only_counted for i in before.failures):
        return ()
    reason = "failures like those of the incident are counted by the metrics, not told by the log"
    return (Gap(source="logs", reason=reason),)


def _within(invocations: Iterable[Invocation], start: datetime, period_s: int) -> list[Invocation]:
    """Give the invocations that began in one period, which is where Lambda counts them."""
    end = start + timedelta(seconds=period_s)
    finished = (i for i in invocations if i.status != "unfinished")
    return [i for i in finished if start <= i.started_at < end]


def _complaining(lines: Iterable[LogLine]) -> set[str]:
    """Name the requests whose last words sound like a failure."""
    last: dict[str, list[LogLine]] = {}
    for line in lines:
        if line.request_id is not None and read_record(line.message).kind in {"speech", "failure"}:
            last.setdefault(line.request_id, []).append(line)
    return {
        request_id
        for request_id, said in last.items()
        if any(_COMPLAINT.search(line.message[:_SEARCHED]) for line in said[-_LAST_WORDS:])
    }


def _settled(evidence: Evidence, marked: set[str], cleared: set[str]) -> Evidence:
    counted: dict[str, object] = {"status": "error", "is_only_counted": True}
    handled: dict[str, object] = {"status": "success", "is_suspected": False, "error_type": None}
    updates = dict.fromkeys(marked, counted) | dict.fromkeys(cleared, handled)
    invocations = tuple(
        i.model_copy(update=updates[i.request_id]) if i.request_id in updates else i
        for i in evidence.invocations
    )
    return evidence.model_copy(update={"invocations": invocations})
