"""Which log lines may speak for a failure, and how many failures they speak for.

Lines are written by strangers too. A line bears witness only where it belongs to an invocation
that failed, and beside an exception that left the handler other words count for less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from autorepair.causes.limits import lines_of
from autorepair.domain.evidence import Evidence, Invocation, LogLine
from autorepair.domain.log_records import read_record
from autorepair.domain.log_text import plain_text

# Lines are searched only so far: a longer one must not take longer than its length is worth.
LONGEST = 20_000
# Enough to know what invocations that succeed usually say, ...
_MOST_SUCCESSES = 30
# ... and they say a thing as well where nearly as many of them say it.
_AS_OFTEN = 0.8


def words_of(line: LogLine) -> str:
    """Give what a line says, cut to what is worth a search."""
    return plain_text(line.message)[:LONGEST]


def failing_lines(evidence: Evidence) -> list[LogLine]:
    """Give the lines in which a failure could speak: those of failures, and nobody's.

    A cold start that fails has no request yet, so nobody's lines of the same environment count.
    """
    failed = {i.request_id for i in evidence.failures}
    streams = {i.stream for i in evidence.failures}
    return [
        line
        for line in evidence.log_lines
        if line.request_id in failed or (line.request_id is None and line.stream in streams)
    ]


def is_exception(line: LogLine) -> bool:
    """Whether the runtime tells of an exception that left the handler."""
    return read_record(line.message).kind == "failure"


def was_cut(invocation: Invocation) -> bool:
    """Whether a limit ended the invocation, so that its own last words say nothing of the end."""
    return invocation.status in {"timeout", "out_of_memory"}


def last_words(evidence: Evidence) -> dict[str, list[LogLine]]:
    """Give, by request, the lines that tell why an invocation failed.

    The exception that left the handler, where there is one: what else was printed beside it may
    be anybody's words. Without one (a time-out, a crash) all that the function said, and how the
    platform says that it ended.
    """
    lines = lines_of(evidence)
    return {i.request_id: _telling(lines.get(i.request_id, [])) for i in evidence.failures}


def witnesses(evidence: Evidence, is_telling: Callable[[LogLine], bool]) -> list[LogLine]:
    """Give one line for each failure whose last words, or whose cold start's, tell the cause.

    What a function merely says is no witness where successful invocations say the like as often.
    """
    found: list[LogLine] = []
    for lines in last_words(evidence).values():
        found.extend([line for line in lines if is_telling(line)][-1:])
    said = [line for line in found if is_mere_speech(line)]
    if said and _is_common(evidence, len(said), is_telling):
        found = [line for line in found if not is_mere_speech(line)]
    found.extend(line for line in _starting_lines(evidence) if is_telling(line))
    return sorted(found, key=lambda line: line.at)


def is_mere_speech(line: LogLine) -> bool:
    """Whether an invocation printed it, and neither the runtime nor the platform did."""
    return line.request_id is not None and read_record(line.message).kind == "speech"


def _is_common(evidence: Evidence, failed: int, is_telling: Callable[[LogLine], bool]) -> bool:
    """Whether successful invocations say the like about as often as failed ones do."""
    latest_ids = [i.request_id for i in evidence.invocations if i.status == "success"]
    successes = set(latest_ids[-_MOST_SUCCESSES:])
    saying = {
        line.request_id
        for line in evidence.log_lines
        if line.request_id in successes and is_mere_speech(line) and is_telling(line)
    }
    return len(saying) * len(evidence.failures) >= _AS_OFTEN * failed * len(successes) > 0


def explained_by(evidence: Evidence, lines: Iterable[LogLine]) -> tuple[Invocation, ...]:
    """Give the failures to which these lines belong, or to whose environment they do."""
    seen = list(lines)
    requests = {line.request_id for line in seen}
    starts = {line.stream for line in seen if line.request_id is None}
    return tuple(i for i in evidence.failures if i.request_id in requests or i.stream in starts)


def latest(lines: Iterable[LogLine], *, most: int = 5) -> tuple[str, ...]:
    """Give the ids of the latest of these lines, each once."""
    ids = [line.id for line in sorted(lines, key=lambda line: line.at)]
    return tuple(dict.fromkeys(ids))[-most:]


def _telling(lines: list[LogLine]) -> list[LogLine]:
    exceptions = [line for line in lines if is_exception(line)]
    if exceptions:
        # The runtime speaks after the handler is done: what came before it was printed.
        return exceptions[-1:]
    return [line for line in lines if read_record(line.message).kind in {"speech", "exit"}]


def _starting_lines(evidence: Evidence) -> list[LogLine]:
    return [
        line
        for line in failing_lines(evidence)
        if line.request_id is None and read_record(line.message).kind in {"speech", "failure"}
    ]
