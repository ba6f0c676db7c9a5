"""How much of a log the rules search: its two ends, so that a diagnosis ends in time."""

from __future__ import annotations

from collections.abc import Iterable

from autorepair.domain.evidence import Evidence, LogLine

# Some ten seconds of a processor for thirty causes; whoever writes the log can make it longer.
_MOST_TEXT = 1_000_000


def within_reach(evidence: Evidence) -> Evidence:
    """Give the evidence with the words of its first and last invocations, half of the room each.

    The figures of all invocations stay. Untouched where the log is not longer than is searched.
    """
    if sum(len(line.message) for line in evidence.log_lines) <= _MOST_TEXT:
        return evidence
    first = _fitting(evidence.log_lines)
    last = _fitting(reversed(evidence.log_lines[len(first) :]))
    return evidence.model_copy(update={"log_lines": (*first, *reversed(last))})


def _fitting(lines: Iterable[LogLine]) -> list[LogLine]:
    room = _MOST_TEXT // 2
    kept: list[LogLine] = []
    for line in lines:
        room -= len(line.message)
        if room < 0:
            break
        kept.append(line)
    return kept
