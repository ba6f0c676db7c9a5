"""Piecework: longer runs that had more pieces to do, and were as fast with each as ever."""

from __future__ import annotations

import re
from datetime import datetime
from statistics import median

from autorepair.causes.limits import lines_of
from autorepair.causes.troubles import said_in
from autorepair.domain.evidence import Evidence, Invocation, LogLine

_FEWEST = 3
# As fast as ever within this factor; this much of the time, at least, is that of the pieces.
_ALIKE, _MOST = 1.25, 0.6
_MOST_LINES, _LOOKED_AT = 60, 500
# "26 ms per slip", "0.4 s/page".
_PACE = re.compile(
    r"(?<![\w.])(\d{1,9}(?:\.\d{1,6})?) ?(ms|s|secs?|seconds) ?(?:per|/|each|for each) ?"
    r"([a-z]{2,20})\b",
    re.IGNORECASE,
)
# "slips=5040", "5040 slips".
_COUNT = re.compile(
    r"\b([a-z]{2,20})[\"']?\s?[=:]\s?\"?(\d{1,12})\b|(?<![\w.])(\d{1,12}) ([a-z]{2,20})\b",
    re.IGNORECASE,
)


def is_more_of_the_same(evidence: Evidence, since: datetime) -> bool:
    """Whether the runs since then did more pieces, by the log, at the pace of those before.

    Each has to have ended well and to say both how many pieces there were and how long one takes,
    and the two together have to make up most of its time: what is counted is what took the time.
    """
    lines = lines_of(evidence)
    ended = [i for i in evidence.invocations if i.duration_ms]
    before = [_told(i, lines) for i in ended if i.started_at < since and i.status == "success"]
    lately = [i for i in ended if i.started_at >= since]
    usual = [told for told in before if told is not None]
    if len(usual) < _FEWEST or not lately:
        return False
    pace_ms, pieces = (median(column) for column in zip(*usual, strict=True))
    return all(_is_alike(i, _told(i, lines), pace_ms, pieces) for i in lately)


def _is_alike(
    run: Invocation, told: tuple[float, float] | None, pace_ms: float, pieces: float
) -> bool:
    """Whether a run ended well, and its time is that of more pieces at the usual pace."""
    if told is None or run.status != "success":
        return False
    its_pace_ms, its_pieces = told
    is_as_fast = its_pace_ms <= _ALIKE * pace_ms
    return (
        is_as_fast
        and its_pieces > pieces
        and its_pace_ms * its_pieces >= _MOST * (run.duration_ms or 0.0)
    )


def _told(run: Invocation, lines: dict[str, list[LogLine]]) -> tuple[float, float] | None:
    """Give the time per piece in ms and the number of pieces that a run tells; None if not both."""
    said = [said_in(line)[:_LOOKED_AT] for line in lines.get(run.request_id, [])[:_MOST_LINES]]
    counts = {
        (match[1] or match[4]).lower().removesuffix("s"): float(match[2] or match[3])
        for text in said
        for match in _COUNT.finditer(text)
    }
    for text in said:
        for match in _PACE.finditer(text):
            piece = match[3].lower().removesuffix("s")
            if piece in counts:
                unit_ms = 1.0 if match[2].lower() == "ms" else 1000.0
                return float(match[1]) * unit_ms, counts[piece]
    return None
