"""Progress: what a cut invocation's own lines show of its work, and how long it would take."""

from __future__ import annotations

import re
from itertools import pairwise

from autorepair.domain.evidence import Invocation, LogLine
from autorepair.domain.log_text import plain_text

_WAITING = re.compile(
    r"\b(?:wait(?:ing)?|still|retry(?:ing)?|retries|attempt|pending|poll(?:ing)?|queued|back-?off"
    r"|heartbeat|keep-?alive|reconnect(?:ing)?|sleeping)\b|等待|重试",
    re.IGNORECASE,
)
_VERB = r"(?:GET|POST|PUT|PATCH|DELETE)"
_OUTGOING = re.compile(
    rf"(?:->|=>|→|>>) ?(?:https?:|{_VERB})|\b{_VERB} (?:https?:|/|\w)"
    r"|\b(?:connecting|calling|requesting|fetching from|querying|invoking|awaiting)\b"
    r"|正在连接|请求",
    re.IGNORECASE,
)
_FRACTION = re.compile(r"\b(\d{1,9}) ?(?:of|/) ?(\d{1,9})\b|\b\d{1,2}(?:\.\d{1,4})? ?%")
_DOWNSTREAM = re.compile(
    r"ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENOTFOUND|EHOSTUNREACH|EAI_AGAIN|Throttl|TooManyRequests"
    r"|Rate exceeded|SlowDown|(?:Connect|Read|Socket)Timeout|[Rr]ead timed out"
    r"|[Cc]onnect(?:ion)? timed out|[Cc]onnection (?:refused|reset|aborted)|Could not connect"
    r"|\b50[234]\b.{0,30}(?:Bad Gateway|Unavailable|Timeout)|Max retries exceeded",
)
# A share of the machine is no share of the work.
_NO_WORK = re.compile(
    r"\b(?:cpu|memory|heap|disk|hit|error|usage|load)\b[^%\n]{0,20}%", re.IGNORECASE
)
_TOTAL = re.compile(
    r"\b(?:estimat\w{1,5}|expected|projected|predicted|forecast|needs?|will take)\b[^\d\n]{0,30}?"
    r"(\d{1,6}(?:\.\d{1,3})?) ?(ms|s|secs?|seconds|m|mins?|minutes)\b",
    re.IGNORECASE,
)
_TO_GO = re.compile(
    r"\b(?:eta|to go|time left)\b[^\d\n]{0,12}(\d{1,6}(?:\.\d{1,3})?) ?(ms|s|secs?|seconds|m|mins?"
    r"|minutes)\b",
    re.IGNORECASE,
)
_UNIT_MS = {"ms": 1.0, "s": 1000.0, "se": 1000.0, "m": 60_000.0, "mi": 60_000.0}
# What runs on by itself, whether the work does or not: a clock's words.
_CLOCK = re.compile(
    r"\b\d{1,12}(?:\.\d{1,9})? ?(?:ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?)\b"
    r"|\b(?:uptime|elapsed|age|took|duration|time|ts|timestamp|now|tick|beat)\w{0,20}"
    r"[\"']?[=: #]{0,3}\d[\d.:]{0,20}",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+")
# Who says that a step is done does so at the beginning; a dump of data says nothing of steps.
_LONGEST_STEP = 1000
_TIME = re.compile(r"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?Z?")
# A part that is smaller than this tells too little of the whole.
_LEAST_PART = 0.1


def makes_progress(lines: list[LogLine], invocation: Invocation, limit_ms: float) -> bool:
    """Whether the function's own words show it at work until shortly before it was cut.

    The last words have to fall into the second half, must not open a call to somebody else, and
    the silence after them must not be much longer than the longest one between words before.
    Waiting, retrying and polling is no progress.
    """
    steps = _steps(lines)
    if not steps or _OUTGOING.search(_words(steps[-1])):
        return False
    times = [_at_ms(line, invocation) for line in steps]
    if len(steps) == 1 and _fraction(_words(steps[0])) is None:
        return False
    pauses = [later - earlier for earlier, later in pairwise([0.0, *times])]
    is_late = limit_ms / 2 <= times[-1] <= limit_ms * 1.1
    return is_late and limit_ms - times[-1] <= 2 * max(pauses)


def ends_in_call(lines: list[LogLine], invocation: Invocation, limit_ms: float) -> bool:
    """Whether a call to somebody else was the last word, with silence for half the time or more."""
    if not lines or not _OUTGOING.search(_words(lines[-1])):
        return False
    return _at_ms(lines[-1], invocation) <= limit_ms / 2


def blames_others(lines: list[LogLine]) -> bool:
    """Whether a line tells of somebody else failing or refusing."""
    return any(_DOWNSTREAM.search(line.message) for line in lines)


def advances(lines: list[LogLine]) -> bool:
    """Whether the last step is a new one, or is nearer to a known end than the one before it."""
    texts = [_words(step) for step in _steps(lines)]
    kinds = [_NUMBER.sub("#", _without_time(text)) for text in texts]
    part = _part(texts[-1])
    alike = [text for text, kind in zip(texts, kinds, strict=True) if kind == kinds[-1]][:-1]
    if part is None:
        return not alike and len(texts) > 1
    before = _part(alike[-1]) if alike else None
    return before is None or before < part


def projected_ms(lines: list[LogLine], invocation: Invocation) -> float | None:
    """Give how long all of the work would take, by the last step that tells; None if none does.

    The time of a step over the part that was done then (constant speed), or what the log itself
    estimates. In milliseconds.
    """
    for line in reversed(_steps(lines)):
        text, at = _words(line), _at_ms(line, invocation)
        if match := _TOTAL.search(text):
            return float(match[1]) * _UNIT_MS[match[2].lower()[:2].rstrip("i")]
        if match := _TO_GO.search(text):
            return at + float(match[1]) * _UNIT_MS[match[2].lower()[:2].rstrip("i")]
        part = _part(text)
        if part is not None and _LEAST_PART <= part < 1 and at > 0:
            return at / part
    return None


def whole_of(lines: list[LogLine]) -> int:
    """Give how many steps there are in all, by the words that count towards it; 0 if none do."""
    found = (_fraction(_without_time(_words(line))) for line in lines)
    return max((int(match[2]) for match in found if match and match[2]), default=0)


def _at_ms(line: LogLine, invocation: Invocation) -> float:
    return (line.at - invocation.started_at).total_seconds() * 1000


def _part(text: str) -> float | None:
    """Give the part that is done where a text tells it ("3 of 5", "2/4", "40%"), else None."""
    match = _fraction(_without_time(text))
    if match is None:
        return None
    if match[1] is None:
        return float(match[0].rstrip("% ")) / 100
    done, whole = int(match[1]), int(match[2])
    return done / whole if 0 < whole >= done else None


def _fraction(text: str) -> re.Match[str] | None:
    return _FRACTION.search(_NO_WORK.sub("", text))


def _steps(lines: list[LogLine]) -> list[LogLine]:
    """Leave out words of waiting, and words that were said before or that only a clock changes."""
    seen: set[str] = set()
    steps: list[LogLine] = []
    for line in lines:
        text = _without_time(_words(line))
        if text not in seen and not _WAITING.search(text):
            seen.add(text)
            steps.append(line)
    return steps


def _words(line: LogLine) -> str:
    return plain_text(line.message)[:_LONGEST_STEP]


def _without_time(text: str) -> str:
    return _CLOCK.sub("", _TIME.sub("", text))
