"""How much of a log the rules search, so that a diagnosis ends in time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from autorepair.domain.evidence import Evidence, LogLine

# Some ten seconds of a processor for thirty causes; whoever writes the log can make it longer.
_MOST_TEXT = 1_000_000


def within_reach(evidence: Evidence) -> Evidence:
    """Give the evidence with at most a million characters of log, in their order.

    Half of the room is for what failed invocations say, and what no invocation says; the other
    half is for the rest, since a word that successes say as well proves nothing. Of each the
    first and the last are kept. What one half leaves free is the other's. The figures of all
    invocations stay. Untouched where the log is not longer than is searched.
    """
    lines = evidence.log_lines
    if _length(lines) <= _MOST_TEXT:
        return evidence
    well = {i.request_id for i in evidence.invocations if not i.has_failed}
    telling = [line for line in lines if line.request_id not in well]
    other = [line for line in lines if line.request_id in well]
    kept = _both_ends(telling, max(_MOST_TEXT // 2, _MOST_TEXT - _length(other)))
    kept += _both_ends(other, _MOST_TEXT - _length(kept))
    ids = {id(line) for line in kept}
    return evidence.model_copy(update={"log_lines": tuple(x for x in lines if id(x) in ids)})


def _length(lines: Iterable[LogLine]) -> int:
    return sum(len(line.message) for line in lines)


def _both_ends(lines: Sequence[LogLine], room: int) -> list[LogLine]:
    if _length(lines) <= room:
        return list(lines)
    first = _fitting(lines, room // 2)
    return first + _fitting(reversed(lines[len(first) :]), room // 2)


def _fitting(lines: Iterable[LogLine], room: int) -> list[LogLine]:
    kept: list[LogLine] = []
    for line in lines:
        room -= len(line.message)
        if room < 0:
            break
        kept.append(line)
    return kept
